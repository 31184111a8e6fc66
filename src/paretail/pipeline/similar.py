"""Related items for many items from a bundle to a file."""

from pathlib import Path
from typing import Any

from paretail.core.errors import DataError, Problem
from paretail.pipeline.idlist import read_ids
from paretail.pipeline.recommend import check_k, check_out, write_table
from paretail.pipeline.recommender import Recommender


def similar_to_file(bundle: Path, items: str, out: Path, relation: str, k: int = 20) -> dict[str, Any]:
    """Write `item_id, rank, similar_item_id, score, support, confidence, lift`; return what was done.

    An item that nothing goes with has no row. Raises DataError (CLI-15) where the bundle knows none of the items.
    """
    check_k(k)
    check_out(out)
    recommender = Recommender.load(bundle)
    wanted = read_ids(items, recommender.columns("item_id", "items", "events"), recommender.items.ids)
    unknown = int((recommender.items.rows(wanted) < 0).sum())
    if unknown == len(wanted):
        found = f"none of the {len(wanted)} items is known (first: {wanted.first()!r})"
        expected = f"Items of the catalogue or of training events, such as {recommender.items.ids.first()!r}"
        raise DataError(Problem("CLI-15", found, expected, "Correct the ids"))
    table = recommender.similar(wanted, relation, k)
    write_table(table, out)
    return {
        "version": recommender.version, "items": len(wanted), "unknown": unknown, "rows": table.height,
        "file": str(out),
    }  # fmt: skip
