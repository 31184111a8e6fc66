"""Feed: a file of items, users or events into a store, read, checked and accounted for like the data of a training."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any, Final, Literal

from paretail.core.clock import now_ms
from paretail.core.errors import DataError, Problem, UsageError
from paretail.core.progress import Progress, silent
from paretail.data.columns import EventColumns, ItemColumns, UserColumns
from paretail.data.config import TABLES, DataConfig, Source
from paretail.data.ingest import Examined, examine
from paretail.data.quarantine import write_quarantine
from paretail.data.report import Account
from paretail.data.sources import ENDINGS
from paretail.data.stored import HIDDEN, item_documents, kept_columns, user_documents
from paretail.data.stores.base import Store
from paretail.data.types import ITEM_COLUMNS, Shop

Fed = Literal["items", "users", "events"]
SOURCES: Final[dict[Fed, Any]] = {
    "items": Source[ItemColumns], "users": Source[UserColumns], "events": Source[EventColumns],
}  # fmt: skip
#: Checks that ask for a whole shop: a file of news cannot satisfy them, nor need it.
OF_A_WHOLE_SHOP: Final = frozenset({
    "too_few_events", "missing_days", "target_without_lead", "orphaned_orders", "refunds", "items_not_in_catalogue",
    "items_without_events", "users_not_in_file",
})  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """A file that was read and found fit."""

    table: Fed
    examined: Examined
    shop: Shop

    @property
    def account(self) -> Account:
        """What became of each row."""
        return self.examined.report.total(self.table)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What the checks found and let pass."""
        checks = [check for check in self.examined.report.checks if check.name not in OF_A_WHOLE_SHOP]
        return tuple(problem for check in checks for problem in check.problems)

    @property
    def left_out(self) -> tuple[str, ...]:
        """The columns that a store does not keep."""
        if self.table == "events":
            return ()
        frame = self.shop.catalogue.frame if self.table == "items" else self.shop.users.frame
        ours = {*ITEM_COLUMNS, HIDDEN} if self.table == "items" else {"user_id"}
        kept = {*ours, *kept_columns(frame, ours)}
        return tuple(name for name in frame.columns if name not in kept)

    def bury(self, folder: Path) -> Path | None:
        """Write the rows that cannot be used to a new folder in `folder`, and return it; None where there is none."""
        bad, part = self.examined.tables.bad[self.table], self.examined.joined[self.table]
        if not bad.height + part.broken.height:
            return None
        grave = folder / f"{self.table}-{now_ms()}-{os.getpid()}"
        write_quarantine({self.table: bad}, {self.table: part.raws}, grave)
        return grave

    def put(self, store: Store) -> int:
        """Put the rows into `store`, all or none; return how many were set, or of events how many are new."""
        if self.table == "events":
            return store.import_events(self.shop.events.frame)
        items, users = self.shop.catalogue.frame, self.shop.users.frame
        documents = item_documents(items) if self.table == "items" else user_documents(users)
        store.put(self.table, documents)
        return len(documents)


def read(table: Fed, file: Path, config: DataConfig | None = None, *, base: Path = Path(),
         progress: Progress = silent) -> Feed:  # fmt: skip
    """Read `file` as the source of `table` in `config`, whose paths are relative to `base`.

    Without `config`, columns of our names and well-known words count. Raises UsageError, and DataError with every
    problem that fails.
    """
    examined = examine(settings(table, file, config), base, progress=progress)
    shop = examined.shop(OF_A_WHOLE_SHOP)
    if table == "events" and shop.events.time != "clock" and shop.events.frame.height:
        do = 'Name the column of times: [data.columns.events] ts = "...", with --config shop.toml'
        found = f"{file.name} does not say when its events happened"
        raise DataError(Problem("CLI-22", found, "A store needs times", do))
    return Feed(table, examined, shop)


def settings(table: Fed, file: Path, config: DataConfig | None) -> DataConfig:
    """Return a configuration whose one source is `file`, read as `config` reads that table."""
    if not file.exists():
        do = "Correct the path"
        raise UsageError(Problem("CLI-20", f"{file} is not there", "Expected a file or folder to import", do))
    source = _like(file, config.sources(table) if config is not None else ()) or SOURCES[table](path=str(file))
    known = file.is_dir() or PurePath(file.name.lower().removesuffix(".gz").removesuffix(".zst")).suffix in ENDINGS
    place = {"path": str(file.absolute()), "url": None, "query": None, "precedence": 0}
    source = source.model_copy(update=place | ({"format": None} if known else {}))
    return (config or DataConfig(events=())).model_copy(update={**dict.fromkeys(TABLES, ()), table: (source,)})


def _like(file: Path, sources: Sequence[Source[Any]]) -> Source[Any] | None:
    """Return the source that `file` is like: the one whose path fits its name, or any where all are set alike."""
    fitting = [source for source in sources if source.path and fnmatch(file.name, PurePath(source.path).name)]
    chosen = fitting or list(sources)
    places = {"path", "url", "query", "precedence"}
    if len({source.model_dump_json(exclude=places) for source in chosen}) > 1:
        found = f"shop.toml has {len(chosen)} sources with different settings, and {file.name} could be any of them"
        do = "Give the file a name that fits the path of one of them"
        raise UsageError(Problem("CLI-21", found, "Expected one way to read the file", do))
    return chosen[0] if chosen else None
