"""`paretail import`: write the checked shop, its quarantine and the account of every row."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def import_(
    *, config: Path, out: Path, json: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:  # fmt: skip
    """Import the data that shop.toml names into a folder of Parquet files.

    The folder holds events, items, users and links, `quarantine/` with the rows left aside and why, and
    `report.json`. It is written whole or not at all; nothing is written where a check fails (exit code 1).

    Parameters
    ----------
    config
        The shop.toml.
    out
        The folder to write.
    json
        Print the report as JSON.
    force
        Replace an earlier import in that folder.
    """
    from paretail.cli.check import show
    from paretail.cli.terminal import err, print_json, progress
    from paretail.data.ingest import examine
    from paretail.data.store import check_free, write_import
    from paretail.pipeline.config import load_config

    shop = load_config(config)
    check_free(out, force)
    with progress() as tell:
        examined = examine(shop.data, config.parent, progress=tell)
        if examined.report.status != "fail":
            tell("Writing", 0.9)
            write_import(examined, out)
    if json:
        print_json({"verdict": examined.report.status, **examined.report.as_dict()})
    else:
        show(examined.report)
    failed = examined.report.status == "fail"
    err.print("nothing was written: a check failed" if failed else f"wrote {out}", soft_wrap=True)
    return 1 if failed else 0
