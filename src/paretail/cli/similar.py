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
        Length of each list; a bundle keeps the 30 best.
    json
        Print a summary as JSON.
    """
    from paretail.cli.terminal import counted, print_json
    from paretail.cli.terminal import out as console
    from paretail.pipeline.similar import similar_to_file

    told = similar_to_file(bundle, items, out, relation, k)
    if json:
        print_json(told)
        return
    unknown = f", {told['unknown']:,} of them unknown" if told["unknown"] else ""
    done = f"{counted(told['items'], 'item')}{unknown}: {counted(told['rows'], 'row')} in {out}"
    console.print(f"{done} (model {told['version']})", soft_wrap=True)
