"""What `items import`, `users import` and `events import` have in common."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paretail.pipeline.feed import Fed, Feed

#: What a row of each table that went in is.
DONE = {"items": "set", "users": "set", "events": "new"}


def import_file(table: "Fed", file: Path, store: Path, config: Path | None, json: bool) -> None:
    """Put a file into a store, and tell what became of its rows."""
    from contextlib import closing

    from paretail.cli.terminal import print_json, progress
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.pipeline.config import load_config
    from paretail.pipeline.feed import read

    data = load_config(config).data if config is not None else None
    with progress() as tell:
        feed = read(table, file, data, base=config.parent if config is not None else Path(), progress=tell)
        tell("Storing", 0.9)
        with closing(EmbeddedStore.open(store)) as opened:
            grave = feed.bury(store.parent / "quarantine")
            new = feed.put(opened)
    if json:
        print_json(as_dict(file, feed, new, grave))
    else:
        show(file, store, feed, new, grave)


def as_dict(file: Path, feed: "Feed", new: int, grave: Path | None) -> dict[str, object]:
    """Return what became of a file, for JSON."""
    account = feed.account
    return {
        "table": feed.table, "file": str(file), "read": account.read, "imported": account.imported,
        DONE[feed.table]: new, "quarantined": account.quarantined, "excluded": account.excluded,
        "left_out_columns": feed.left_out, "quarantine": None if grave is None else str(grave),
        "warnings": [str(problem) for problem in feed.warnings],
    }  # fmt: skip


def show(file: Path, store: Path, feed: "Feed", new: int, grave: Path | None) -> None:
    """Print the same for people."""
    from paretail.cli.terminal import counted, err, out

    account = feed.account
    parts = [f"{counted(account.read, 'row')} read, {account.imported:,} imported"]
    parts += [f"{n:,} excluded ({rule})" for rule, n in account.excluded.items()]
    parts += [f"{n:,} in quarantine ({reason})" for reason, n in account.quarantined.items()]
    there = f", the other {account.imported - new:,} were there already" if account.imported > new else ""
    told = [f"{file.name}: {', '.join(parts)}",
            f"{store}: {counted(new, feed.table.removesuffix('s'))} {DONE[feed.table]}{there}"]  # fmt: skip
    if feed.left_out:
        told.append(f"Columns that a store does not keep: {', '.join(feed.left_out)}")
    if grave is not None:
        told.append(f"The rows in quarantine, each with its reason: {grave}")
    for line in told:
        out.print(line, soft_wrap=True, markup=False)
    for problem in feed.warnings:
        err.print(f"warning: {problem}", soft_wrap=True, markup=False)
