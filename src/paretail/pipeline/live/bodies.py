"""The bodies of questions and answers, as msgspec types: the embedded API, the HTTP API and its OpenAPI document.

Amounts are in major units of the shop's reporting currency, times in seconds UTC, as the shop tells them.

One file of over 400 lines all the same: it is declarations alone, the whole of what is said over the wire, and all of
ours that a client imports.
"""

from typing import Annotated, Any, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, field

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Relation = Literal["similar", "also-bought", "together", "alternative"]
Placement = Literal["for-you", "because-you-bought", "trending", "new", "your-categories"]
Rank = Annotated[int, Meta(description="1 is the best.")]
K = Annotated[int, Meta(ge=1, le=1000, description="Length of the list.")]
Seconds = Annotated[float, Meta(ge=0, le=1e11, description="Seconds since 1970, UTC.")]
Moment = (
    Seconds | Annotated[str, Meta(max_length=40, description="A date or time (ISO 8601; UTC where it names no zone).")]
)
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Text = Annotated[str, Meta(max_length=2000)]
Filter = Annotated[
    str, Meta(max_length=4000, description='Which items may be listed, such as `category in ["shoes"] and price < 50`.')
]
Items = Annotated[list[Id], Meta(max_length=1000)]
RequestId = Annotated[str, Meta(description="A name of this answer; events may tell it to say what they follow from.")]
Version = Annotated[str, Meta(description="The version of the bundle that answered.")]
Degraded = Annotated[list[str], Meta(description="Parts that failed; the answer is whole without them.")]


class Event(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that the visitor did, told with a question and not stored."""

    item_id: Annotated[
        str, Meta(min_length=1, max_length=512, description="With which item; unknown ones are ignored.")
    ]
    kind: Annotated[
        str | None, Meta(description="What: the shop's word or ours; may be left out where there is one kind.")
    ] = None
    ts: Annotated[Seconds | None, Meta(description="When, in seconds UTC; by default now.")] = None
    quantity: Annotated[float, Meta(ge=0, le=1e6, description="How many.")] = 1.0


class Visitor(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """For whom: `user_id`, or `events` of a visitor, or `items` of a session; none of them for somebody unknown."""

    user_id: Annotated[Id | None, Meta(description="The shop's id; an unknown user is served as well.")] = None
    events: Annotated[
        list[Event], Meta(max_length=1000, description="What a visitor did, after the history of `user_id`.")
    ] = []
    items: Annotated[Items, Meta(description="Items of a session, as views; the last one is the newest.")] = []


class Rules(Visitor, forbid_unknown_fields=True, kw_only=True):
    """Which items may be listed."""

    exclude: Annotated[
        list[str] | None,
        Meta(description='Kinds whose items are not recommended again; `["all"]`, `["none"]`; by default the target, '
             "or none where repeat purchases are wanted."),
    ] = None  # fmt: skip
    filter: Annotated[Filter | None, Meta(description="Only items for which this is true.")] = None
    include_items: Annotated[Items, Meta(description="Only these items; empty: any.")] = []
    exclude_items: Annotated[Items, Meta(description="Not these items.")] = []
    out_of_stock: Annotated[bool, Meta(description="List items that are out of stock too.")] = False
    max_age_days: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(description="Only items sold for so many days at most; those that do not tell are listed. By default as "
             "the service is configured."),
    ] = None  # fmt: skip
    variants: Annotated[bool, Meta(description="List several variants of one product.")] = False
    session_id: Annotated[Id | None, Meta(description="Ties calls of one visit together.")] = None
    skip_shown: Annotated[bool, Meta(description="Leave out what this session was shown before.")] = False
    fatigue: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="An item shown so many times to the user without a click steps back by a list's length; "
             "0: never. By default as the service is configured."),
    ] = None  # fmt: skip
    min_relevance: Annotated[
        float, Meta(ge=0, le=1, description="Least score of a listed item, as a share of the user's best item's.")
    ] = 0.0
    explain: Annotated[bool, Meta(description="Tell why each item is in the list.")] = False
    request_id: Annotated[Id | None, Meta(description="Your own name for this request; the same name counts once.")] = (
        None
    )


class Goals(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What a slate is for: exactly one of `dial`, `maximise` (with `keep`) and `preset`."""

    dial: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=1)]] | None,
        Meta(description="Goals and how far each is turned up: the share of its reachable range."),
    ] = None
    maximise: Annotated[str | None, Meta(description="The goal of which as much as possible is wanted.")] = None
    keep: Annotated[
        dict[str, str],
        Meta(description='Least values of other goals: `">= -2%"` of what is served without goals, `">= 0.3"` in its '
             "unit (money in the reporting currency)."),
    ] = {}  # fmt: skip
    preset: Annotated[str | None, Meta(description="A name of `[policy.presets]`.")] = None


class Pin(Struct, forbid_unknown_fields=True):
    """An item at a place of its own."""

    item_id: Id
    rank: Annotated[int, Meta(ge=1, le=1000, description="1 is the best place.")]


class Cap(Struct, forbid_unknown_fields=True):
    """At most so many items with the same value of an attribute."""

    by: Annotated[str, Meta(min_length=1, max_length=100, description="`category`, `brand` or another attribute.")]
    most: Annotated[int, Meta(ge=1, le=1000)]


class Quota(Struct, forbid_unknown_fields=True):
    """At least so many items for which a filter is true."""

    filter: Filter
    least: Annotated[int, Meta(ge=1, le=1000)]


class Boost(Struct, forbid_unknown_fields=True):
    """What items are worth, times a factor, where a filter is true: above 1 they rise, below they are buried."""

    filter: Filter
    factor: Annotated[float, Meta(ge=0, le=1000)]


Some = Meta(max_length=50)


class SlateRules(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Rules of the slate as a whole; where they cannot all be kept, the answer tells which are broken."""

    pins: Annotated[list[Pin], Some] = []
    caps: Annotated[list[Cap], Some] = []
    quotas: Annotated[list[Quota], Some] = []
    boosts: Annotated[list[Boost], Some] = []


class RecommendRequest(Rules, forbid_unknown_fields=True, kw_only=True):
    """A list for somebody."""

    k: K = 20
    placement: Annotated[Id, Meta(description="Where the list is shown; statistics are told apart by it.")] = "for-you"
    order: Annotated[
        Literal["model", "value", "purchase", "click"],
        Meta(description="`model`: as the retriever scores; else the 500 best by it are ranked by what the ranker "
             "expects: money, a purchase, a click; each line then has its predictions."),
    ] = "model"  # fmt: skip
    goals: Annotated[
        Goals | None, Meta(description="Compose a slate for goals from the retriever's 500 best; not with `order`.")
    ] = None  # fmt: skip
    explore: Annotated[
        Annotated[float, Meta(ge=0, le=0.5)] | None,
        Meta(description="With `goals` or `slate`: the share of expected clicks that drawing the slate at random, near "
             "the best, may cost; its exact probabilities are logged. By default as `[policy] explore`."),
    ] = None  # fmt: skip
    slate: Annotated[
        SlateRules | None, Meta(description="Rules of the slate; without `goals` it serves those of `[policy] base`.")
    ] = None  # fmt: skip


class ListRequest(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One list of a page."""

    placement: Annotated[Placement, Meta(description="Which list.")]
    k: K = 10
    filter: Annotated[Filter | None, Meta(description="Beside that of the page.")] = None


class PageRequest(Rules, forbid_unknown_fields=True, kw_only=True):
    """Several lists for one page, no item twice; earlier lists choose first."""

    lists: Annotated[list[ListRequest], Meta(min_length=1, max_length=20, description="The lists.")] = field(
        default_factory=lambda: [ListRequest(placement) for placement in get_args(Placement)]
    )


class Explanation(Struct):
    """Why one prediction differs from that of the usual pair: an average user, an item as usually shown."""

    task: Annotated[str, Meta(description="click; cart or purchase, given a click; value: of an order.")]
    predicted: Annotated[float, Meta(description="A probability; of value money, expected of an order.")]
    usual: Annotated[float, Meta(description="The same of the usual pair.")]
    adds: Annotated[
        dict[str, float],
        Meta(description="What each group adds, the largest first: taste, popularity, attributes, price ...; in "
             "logarithms of odds, of value of money. They sum to the difference from the usual."),
    ]  # fmt: skip
    text: Annotated[str, Meta(description="The same in words.")]


class RecommendedItem(Struct, omit_defaults=True):
    """One line of a list."""

    item_id: str
    rank: Rank
    score: Annotated[float, Meta(description="Higher is better; comparable within one list alone.")]
    source: Annotated[
        str,
        Meta(description="What proposed it: the name of the model, `popular` where the history says nothing, or the "
             "placement's own source."),
    ] = ""  # fmt: skip
    reason: Annotated[str | None, Meta(description="With `explain`: why, in words, with exact counts.")] = None
    because: Annotated[str | None, Meta(description="With `explain`: the item of the history that speaks for it.")] = (
        None
    )
    p_click: Annotated[float | None, Meta(description="With `order`: probability of a click.")] = None
    p_cart: Annotated[float | None, Meta(description="With `order`: that a click leads to the cart.")] = None
    p_purchase: Annotated[float | None, Meta(description="With `order`: that a click leads to a purchase.")] = None
    value: Annotated[float | None, Meta(description="With `order`: money expected of showing it.")] = None
    pulled_by: Annotated[
        str | None, Meta(description="With `goals`: the goal for which it is there more than the usual candidate.")
    ] = None  # fmt: skip
    why: Annotated[list[Explanation], Meta(description="With `order` and `explain`: each prediction explained.")] = []
    propensity: Annotated[
        float | None,
        Meta(description="With `explore`: the probability with which it was drawn at this place, given those before."),
    ] = None  # fmt: skip


Amounts = dict[str, float]


class GoalsAnswer(Struct, omit_defaults=True):
    """What is predicted of a slate, goal by goal in its unit (money in the reporting currency)."""

    predicted: Annotated[Amounts, Meta(description="Of this slate.")]
    expected: Annotated[Amounts, Meta(description="On average over users like this one, under these goals.")]
    today: Annotated[Amounts, Meta(description="On average over them without goals: `[policy] base`.")]
    shares: Annotated[
        Amounts, Meta(description="Where each goal that is weighed stands in its reachable range, 0 to 1.")
    ]
    segment: Annotated[str, Meta(description="Users like this one: `new`, `light` or `heavy`.")]
    units: Annotated[dict[str, str], Meta(description="What each goal is counted in.")]
    broken: Annotated[list[str], Meta(description="Rules of the slate that could not be kept.")] = []


class RecommendAnswer(Struct, omit_defaults=True):
    """The list, with what is needed to tie later events to it."""

    request_id: RequestId
    model_version: Version
    items: list[RecommendedItem]
    degraded: Degraded = []
    goals: Annotated[GoalsAnswer | None, Meta(description="With `goals` or `slate`.")] = None


class PageList(Struct, omit_defaults=True):
    """One list of a page."""

    placement: str
    title: Annotated[str, Meta(description="What a person would call the list.")]
    items: list[RecommendedItem]


class PageAnswer(Struct, omit_defaults=True):
    """The lists in the order asked; one for which there is nothing to say is empty."""

    request_id: RequestId
    model_version: Version
    lists: list[PageList]
    degraded: Degraded = []


class TargetRequest(Visitor, forbid_unknown_fields=True, kw_only=True):
    """A list of something else than items; `item_id` of the answer's lines is its id."""

    k: K = 20
    exclude: Annotated[
        list[str] | None,
        Meta(description='Kinds of events that take what they are about out of the list; `["none"]`: nothing. By '
             "default as the bundle was trained."),
    ] = None  # fmt: skip
    exclude_ids: Annotated[Items, Meta(description="Not these.")] = []
    filter: Annotated[Filter | None, Meta(description="Only those for which this is true.")] = None
    explain: Annotated[bool, Meta(description="Tell why each one is in the list.")] = False
    request_id: Annotated[Id | None, Meta(description="Your own name for this request.")] = None


class CategoriesRequest(TargetRequest, forbid_unknown_fields=True, kw_only=True):
    """Categories for somebody; `item_id` of a line is the path, such as `Garden > Pots`."""


class FriendsRequest(TargetRequest, forbid_unknown_fields=True, kw_only=True):
    """People whom somebody may know or befriend; whom they know already is left out."""


class TrendingRequest(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What many people want of late."""

    k: K = 20
    by: Annotated[
        Literal["volume", "burst"],
        Meta(description="`volume`: what most turn to of late; `burst`: hot topics, which many more people turn to in "
             "the last day than in the four weeks before, by a test that a busy shop does not set off."),
    ] = "volume"  # fmt: skip
    filter: Annotated[Filter | None, Meta(description="Only items for which this is true.")] = None


class SimilarRequest(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Items that go with `items`."""

    items: Annotated[list[Id], Meta(min_length=1, max_length=1000, description="The items asked about.")]
    relation: Annotated[
        Relation, Meta(description="similar: the same people; also-bought; together: in one order; alternative.")
    ] = "similar"
    k: Annotated[int, Meta(ge=1, le=1000, description="Length of each list; a bundle keeps the 30 best.")] = 20
    filter: Annotated[Filter | None, Meta(description="Only items for which this is true.")] = None
    out_of_stock: Annotated[bool, Meta(description="List items that are out of stock too.")] = False


class SimilarItem(Struct, omit_defaults=True):
    """One related item; support, confidence and lift are exact counts of the shop's data, as shares."""

    item_id: Annotated[str, Meta(description="The item asked about.")]
    rank: Rank
    similar_item_id: str
    score: float
    support: Annotated[float | None, Meta(description="Share of all transactions that hold both.")] = None
    confidence: Annotated[float | None, Meta(description="Share of those with the item that hold the other too.")] = (
        None
    )
    lift: Annotated[float | None, Meta(description="Confidence over the other item's own share.")] = None


class SimilarAnswer(Struct):
    """Related items, item by item in the order asked."""

    request_id: RequestId
    model_version: Version
    items: list[SimilarItem]


class RankRequest(Visitor, forbid_unknown_fields=True, kw_only=True):
    """Your own candidates, ranked for somebody by the bundle's ranker."""

    candidates: Annotated[list[Id], Meta(min_length=1, max_length=1000, description="The items to rank.")]
    by: Annotated[
        Literal["value", "purchase", "click"],
        Meta(description="What the best have most of: money expected of showing it, probability of a purchase, of a "
             "click; where the log had no purchases, a click."),
    ] = "value"  # fmt: skip
    explain: Annotated[bool, Meta(description="Tell what each prediction comes from.")] = False
    quantiles: Annotated[
        list[Annotated[float, Meta(gt=0, lt=1)]],
        Meta(max_length=9, description="Quantiles of an order's value that each line tells, such as 0.1 and 0.9."),
    ] = []  # fmt: skip
    request_id: Annotated[Id | None, Meta(description="Your own name for this request.")] = None


class RankedItem(Struct, omit_defaults=True):
    """One candidate with what showing it at the first position is worth; null where the log had no examples."""

    item_id: str
    rank: Rank
    p_click: Annotated[float | None, Meta(description="Probability of a click.")] = None
    p_cart: Annotated[float | None, Meta(description="Probability that a click leads to the cart.")] = None
    p_purchase: Annotated[float | None, Meta(description="Probability that a click leads to a purchase.")] = None
    value: Annotated[float | None, Meta(description="Money expected of showing it, in the reporting currency.")] = None
    order_quantiles: Annotated[
        list[float], Meta(description="With `quantiles`: those of an order's value, given a purchase, in that order.")
    ] = []
    known: Annotated[bool, Meta(description="False for an item that the bundle has not learned: it comes last.")] = True
    why: Annotated[list[Explanation], Meta(description="With `explain`: each prediction explained.")] = []


class RankAnswer(Struct):
    """The candidates, best first, each once."""

    request_id: RequestId
    model_version: Version
    items: list[RankedItem]


class NewEvent(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One event to keep."""

    user_id: Id
    item_id: Id
    kind: Annotated[
        Annotated[str, Meta(max_length=100)] | None,
        Meta(description="What: the shop's word or ours; needed where there are several."),
    ] = None
    ts: Annotated[Seconds | None, Meta(description="When, in seconds UTC; by default now; at most a day ahead.")] = None
    event_id: Annotated[
        Id | None, Meta(description="Its name: with the same name and item it is kept once. By default a new one.")
    ] = None
    order_id: Id | None = None
    quantity: Annotated[Annotated[float, Meta(ge=0, le=1e6)] | None, Meta(description="How many; null is 1.")] = None
    price: Annotated[Amount | None, Meta(description="Of one, in the reporting currency.")] = None
    request_id: Annotated[Id | None, Meta(description="The answer that it follows from.")] = None
    position: Annotated[Annotated[int, Meta(ge=1, le=100_000)] | None, Meta(description="Its rank there.")] = None
    dwell: Annotated[Annotated[float, Meta(ge=0, le=1e7)] | None, Meta(description="Seconds spent on it.")] = None


class EventsRequest(Struct, forbid_unknown_fields=True):
    """Events to keep; each is judged for itself."""

    events: Annotated[list[NewEvent], Meta(min_length=1, max_length=1000)]


class ErrorDetail(Struct):
    """What was found, what was expected, what to do."""

    code: Annotated[str, Meta(description="Stable; each has a section in docs/errors.md.")]
    found: str
    expected: str
    do: str


class ErrorAnswer(Struct):
    """The one shape of every error."""

    error: ErrorDetail
    request_id: RequestId


class Verdict(Struct, omit_defaults=True):
    """What became of one row."""

    row: Annotated[int, Meta(description="Its place in the batch, from 0.")]
    status: Literal["accepted", "duplicate", "rejected"]
    id: Annotated[str | None, Meta(description="Its event_id, item_id or user_id.")] = None
    error: Annotated[ErrorDetail | None, Meta(description="Where it was rejected.")] = None


class BatchAnswer(Struct):
    """What became of each row; what is accepted is on disk, and the next answer obeys. All rejected is an error."""

    request_id: RequestId
    accepted: int
    duplicates: int
    rejected: int
    rows: list[Verdict]


class Item(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """An item of the catalogue, whole: what is not told is unknown."""

    item_id: Id
    title: Text | None = None
    category: Annotated[
        Annotated[list[Text], Meta(max_length=32)] | None, Meta(description="From the widest to the narrowest.")
    ] = None
    brand: Text | None = None
    price: Annotated[Amount | None, Meta(description="In the reporting currency.")] = None
    margin: Annotated[
        Annotated[float, Meta(le=1, ge=-1000)] | None, Meta(description="Share of the price that is profit.")
    ] = None
    in_stock: Annotated[bool | None, Meta(description="Unknown counts as in stock.")] = None
    created: Annotated[Seconds | None, Meta(description="Since when it is sold, in seconds UTC.")] = None
    parent_id: Annotated[Id | None, Meta(description="The product of which it is a variant.")] = None
    hidden: Annotated[bool, Meta(description="Never list it.")] = False
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200, description="The shop's own; filters may ask for them."),
    ] = {}


class ItemChange(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What changes of an item; what is not told stays, null makes it unknown, attributes change one by one."""

    item_id: Id
    title: Text | UnsetType | None = UNSET
    category: Annotated[list[Text], Meta(max_length=32)] | UnsetType | None = UNSET
    brand: Text | UnsetType | None = UNSET
    price: Amount | UnsetType | None = UNSET
    margin: Annotated[float, Meta(le=1, ge=-1000)] | UnsetType | None = UNSET
    in_stock: bool | UnsetType | None = UNSET
    created: Seconds | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    hidden: bool | UnsetType = UNSET
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200),
    ] = {}


class User(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What the shop knows of a user, whole."""

    user_id: Id
    attributes: Annotated[
        dict[Annotated[str, Meta(min_length=1, max_length=100)], str | float | bool | list[str] | None],
        Meta(max_length=200, description="The shop's own."),
    ] = {}


class ItemsRequest(Struct, forbid_unknown_fields=True):
    """Items to set."""

    items: Annotated[list[Item], Meta(min_length=1, max_length=1000)]


class ItemChanges(Struct, forbid_unknown_fields=True):
    """Items to change."""

    items: Annotated[list[ItemChange], Meta(min_length=1, max_length=1000)]


class ItemIds(Struct, forbid_unknown_fields=True):
    """Items to delete: they are never listed again, until they are set again."""

    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class UsersRequest(Struct, forbid_unknown_fields=True):
    """Users to set (PUT) or to change attribute by attribute (PATCH)."""

    users: Annotated[list[User], Meta(min_length=1, max_length=1000)]


class UserIds(Struct, forbid_unknown_fields=True):
    """Users to forget: their document, their events and what they were shown are erased."""

    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class ItemAnswer(Struct, omit_defaults=True):
    """An item as it is now."""

    item: Item
    model_version: Version
    learned: Annotated[
        bool,
        Meta(
            description="Whether the model knows it; one that is newer is listed as `new` and `trending`, and "
            "recommended after the next training."
        ),
    ] = True


class MergeRequest(Struct, forbid_unknown_fields=True):
    """A visitor has logged in: what they did, and will do under that id, is the user's."""

    visitor_id: Id


class MergeAnswer(Struct):
    """Who is who."""

    request_id: RequestId
    user_id: str
    visitor_id: str
    events: Annotated[int, Meta(description="Events of the user now, as far as they are held in memory.")]


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
