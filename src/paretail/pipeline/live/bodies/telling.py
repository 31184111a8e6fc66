"""What the service tells: profiles, statistics, whether it is ready."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from paretail.pipeline.live.bodies.words import Version


class Interest(Struct):
    """A category or brand that a user turned to; shares of one list add up to at most 1."""

    name: str
    share: float
    events: int


class PriceLevel(Struct):
    """What the user's items cost, in the reporting currency, and where that lies in the catalogue (0 cheapest, 1)."""

    low: float
    median: float
    high: float
    percentile: float


class ProfileAnswer(Struct, omit_defaults=True):
    """What is known of a user's interests, newer events weighing more."""

    user_id: str
    words: Annotated[str, Meta(description="The same in a sentence or two.")]
    events: dict[str, int]
    categories: list[Interest]
    brands: list[Interest]
    last_event: Annotated[float | None, Meta(description="Seconds UTC.")] = None
    days_since: float | None = None
    price: PriceLevel | None = None
    attributes: dict[str, Any] = {}
    merged: Annotated[list[str], Meta(description="Visitors who are this user.")] = []


class Estimate(Struct):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class PlacementStats(Struct):
    """What followed from what was shown."""

    placement: str
    model_version: str
    lists: int
    impressions: int
    clicks: int
    carts: int
    purchases: int
    revenue: Annotated[float, Meta(description="In the reporting currency.")]
    ctr: Annotated[Estimate | None, Meta(description="Clicks an impression.")]
    cvr: Annotated[Estimate | None, Meta(description="Purchases a click.")]
    revenue_per_mille: Annotated[Estimate | None, Meta(description="Revenue a thousand impressions.")]


class StatsAnswer(Struct):
    """Statistics by placement and model version."""

    since: float
    until: float
    window_hours: float
    currency: str
    rows: list[PlacementStats]


class Live(Struct):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(Struct):
    """A bundle is loaded and can be asked; `problems` tell what is not whole."""

    model_version: Version
    problems: list[str]
    status: Literal["ready"] = "ready"
