"""`paretail similar`: items that go with items, to a file."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def similar(
    *,
    bundle: Path,
    items: str = "all",
    out: Path,
    relation: Literal["similar", "also-bought", "together", "alternative"] = "similar",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 20,
    json: bool = False,
) -> None:
    """Write related items: item_id, rank, similar_item_id, score, support, confidence, lift.

    Parameters
    ----------
    bundle
        The trained bundle.
    items
        `all`, a file of ids (Parquet, CSV, or a line an id), or one id.
    out
        The file to write, Parquet or CSV by its ending.
    relation
        `similar` (the same people, any behaviour), `also-bought`, `together` (one order), `alternative` (looked at
        by the same people, seldom bought together).
    k
        Length of each list.
    json
        Print a summary as JSON.
    """
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json
    from paretail.pipeline.idlist import read_ids
    from paretail.pipeline.recommend import check_k, write_table
    from paretail.pipeline.recommender import Recommender

    check_k(k)
    recommender = Recommender.load(bundle)
    table = recommender.similar(read_ids(items, "item_id", recommender.items.ids.rename("item_id")), relation, k)
    write_table(table, out)
    told = {
        "version": recommender.version,
        "items": table["item_id"].n_unique(),
        "rows": table.height,
        "file": str(out),
    }
    if json:
        print_json(told)
    else:
        console.print(f"{told['items']:,} items: {told['rows']:,} rows in {out} (model {told['version']})")
