"""`[data]` of shop.toml: where the shop's data are and what its words, columns and units mean."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, field_validator, model_validator

from paretail.core.config import Config
from paretail.core.errors import nearest
from paretail.data.columns import Columns, EventColumns, ItemColumns, LinkColumns, UserColumns
from paretail.data.kinds import SELF, STANDARD

Table = Literal["events", "items", "users", "links"]
TABLES: tuple[Table, ...] = ("events", "items", "users", "links")
Unit = Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "datetime", "order", "none"]
#: In `[data.kinds]`: rows with this word are left out.
IGNORED = "ignore"
Preset = Literal["ga4", "schema_org", "recbole"]
ColumnsOf = TypeVar("ColumnsOf", EventColumns, ItemColumns, UserColumns, LinkColumns)


class Kind(Config):
    """A behaviour that the shop declares under its own word."""

    weight: float = Field(1.0, gt=0, description="How strong a wish it shows, beside purchase = 1.")


class Source(Config, Generic[ColumnsOf]):
    """One place that rows come from; what is set here overrides `[data]` for this source."""

    path: str | None = Field(None, description="File, folder or glob, relative to the configuration file.")
    url: str | None = Field(
        None, description="Database, `postgresql://...`; `$NAME` is replaced by that environment variable.",
    )  # fmt: skip
    query: str | None = Field(None, description="The SELECT to run at `url`.")
    format: str | None = Field(None, description="A name of the table of sources; by default the file's ending.")
    preset: Preset | None = Field(None, description="Names of columns and kinds that are known beforehand.")
    columns: ColumnsOf | None = Field(None, description="Columns of this source alone.")
    time: Unit | None = Field(None, description="What the times of this source mean.")
    time_format: str | None = Field(None, description="Form of the times, such as `%d/%m/%Y %H:%M`.")
    kind: str | None = Field(None, description="The word for every row of a source without an event column.")
    kinds: dict[str, str] = Field(default_factory=dict, description="Words of this source alone.")
    user_ids: str | None = Field(None, description="Map of user ids: a file with the columns `from` and `to`.")
    item_ids: str | None = Field(None, description="Map of item ids: a file with the columns `from` and `to`.")
    precedence: int = Field(
        0, description="Where two sources hold the same event, item or user, the higher one counts; "
        "among equals the one that is named first.",
    )  # fmt: skip
    encoding: str = Field("utf-8", description="Encoding of text files, such as `cp1252`.")
    separator: str | None = Field(None, description="Separator of CSV files; found from the header by default.")
    header: list[str] | None = Field(None, description="Column names of a CSV file that has no header line.")
    decimal: Literal[".", ","] = Field(".", description="Decimal mark in text files.")

    @model_validator(mode="after")
    def _one_place(self) -> "Source[ColumnsOf]":
        if (self.path is None) == (self.url is None) or (self.url is None) != (self.query is None):
            raise ValueError("a source has either `path`, or `url` and `query`")
        return self

    @property
    def label(self) -> str:
        """A short name of the place for messages, without secrets."""
        return PurePath(self.path).name or self.path if self.path is not None else f"query {str(self.query)[:40]!r}"


def _as_sources(value: Any) -> Any:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple({"path": entry} if isinstance(entry, str) else entry for entry in listed)


EventSources = Annotated[tuple[Source[EventColumns], ...], BeforeValidator(_as_sources)]
ItemSources = Annotated[tuple[Source[ItemColumns], ...], BeforeValidator(_as_sources)]
UserSources = Annotated[tuple[Source[UserColumns], ...], BeforeValidator(_as_sources)]
LinkSources = Annotated[tuple[Source[LinkColumns], ...], BeforeValidator(_as_sources)]


class Exclude(Config):
    """One named rule that leaves rows out on purpose; the first rule that holds takes the row."""

    name: str = Field(description="What the report calls it.")
    table: Table = Field("events", description="The table whose rows it looks at.")
    column: str = Field(description="The shop's column, or our name for it.")
    equals: str | float | int | bool | None = Field(None, description="Holds where the value is this.")
    matches: str | None = Field(None, description="Holds where this regular expression is found in the text.")
    below: float | None = Field(None, description="Holds where the number is below this.")
    above: float | None = Field(None, description="Holds where the number is above this.")
    missing: bool = Field(False, description="Holds where the cell is empty.")

    @model_validator(mode="after")
    def _one_test(self) -> "Exclude":
        given = [self.equals, self.matches, self.below, self.above, self.missing or None]
        if sum(value is not None for value in given) != 1:
            raise ValueError("a rule has exactly one of equals, matches, below, above, missing")
        return self


class DataConfig(Config):
    """`[data]`: the shop's tables, and what stands in them."""

    events: EventSources = Field(description="Path, glob, folder, a list of these, or tables with more settings.")
    items: ItemSources = Field((), description="The catalogue, one row an item; may be left out.")
    users: UserSources = Field((), description="One row a user; may be left out.")
    links: LinkSources = Field((), description="Who knows whom, one row a pair; may be left out.")
    preset: Preset | None = Field(None, description="Names of columns and kinds that are known beforehand.")
    columns: Columns = Field(default_factory=Columns, description="Our names = the shop's columns.")
    kind: str | None = Field(None, description="The word for every row where events have no event column.")
    kinds: dict[str, str | Kind] = Field(
        default_factory=dict, description="The shop's word = our kind; or a declared kind with its weight; "
        "`ignore` leaves such rows out.",
    )  # fmt: skip
    time: Unit | None = Field(None, description="What the times mean; needed where they are numbers.")
    time_format: str | None = Field(None, description="Form of the times where they are text, `%d/%m/%Y %H:%M`.")
    timezone: str = Field("UTC", description="IANA zone of the shop's days, and of times that name no zone.")
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="Reporting currency, ISO 4217.")
    amounts: Literal["major", "minor"] = Field("major", description="Prices are in euros (major) or cents (minor).")
    rates: dict[str, float] = Field(
        default_factory=dict, description="What one unit of another currency is worth in the reporting currency.",
    )  # fmt: skip
    exclude: list[Exclude] = Field(default_factory=list, description="Named rules that leave rows out on purpose.")
    drop_negative_price: bool = Field(False, description="Leave rows with a price below 0 out.")
    drop_negative_quantity: bool = Field(False, description="Leave rows with a quantity below 0 out.")
    negative_quantity_is_refund: bool = Field(
        False, description="A quantity below 0 is a refund of that many units.",
    )  # fmt: skip
    drop_duplicates: bool = Field(False, description="Leave out every event that equals an earlier one throughout.")
    quarantine_limit: float = Field(
        0.1, ge=0, le=1, description="Share of a table's rows with one fault above which the import fails.",
    )  # fmt: skip

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, kinds: dict[str, str | Kind]) -> dict[str, str | Kind]:
        known = {*STANDARD, IGNORED, *(word for word, kind in kinds.items() if isinstance(kind, Kind))}
        for word, kind in kinds.items():
            if isinstance(kind, str) and kind not in known:
                raise ValueError(f"{word} = {kind!r} must be {nearest(kind, known)}")
            if isinstance(kind, Kind) and word in (*STANDARD, SELF):
                raise ValueError(f"{word} is a kind of our own and cannot be declared")
        return kinds

    @field_validator("rates")
    @classmethod
    def _positive(cls, rates: dict[str, float]) -> dict[str, float]:
        if bad := [code for code, rate in rates.items() if not 0 < rate < float("inf")]:
            raise ValueError(f"rates must be above 0 ({', '.join(bad)})")
        return rates

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of each kind that the shop declared."""
        return {word: kind.weight for word, kind in self.kinds.items() if isinstance(kind, Kind)}

    def sources(self, table: Table) -> tuple[Source[Any], ...]:
        """The sources of one table."""
        found: tuple[Source[Any], ...] = getattr(self, table)
        return found
