"""Lists: items, pages, categories, people, trends, related items."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct, field

from paretail.pipeline.live.bodies.asking import Rules, Visitor
from paretail.pipeline.live.bodies.ranking import Explanation
from paretail.pipeline.live.bodies.slates import Goals, GoalsAnswer, SlateRules
from paretail.pipeline.live.bodies.words import (
    Arm,
    Degraded,
    Experiment,
    FilledBy,
    Filter,
    Id,
    Items,
    K,
    Placement,
    Rank,
    Relation,
    RequestId,
    Version,
)


class RecommendRequest(Rules, forbid_unknown_fields=True, kw_only=True):
    """A list for somebody."""

    k: K = 20
    placement: Annotated[Id, Meta(description="Where the list is shown; statistics are told apart by it.")] = "for-you"
    order: Annotated[
        Literal["auto", "model", "value", "purchase", "cart", "click"] | None,
        Meta(description="`model`: as the retriever scores; `auto`: in the order that training measured, where that "
             "was surely better, else `model`; else the retriever's 500 best (100 of a log without impressions) are "
             "ranked by what the ranker expects: money, a purchase, a cart, a click; each line then has its "
             "predictions. By default as the service is configured."),
    ] = None  # fmt: skip
    goals: Annotated[
        Goals | None,
        Meta(description="Compose a slate for goals from the retriever's 500 best, or aim the agent of a list at them; "
             "not with `order`."),
    ] = None  # fmt: skip
    explore: Annotated[
        Annotated[float, Meta(ge=0, le=0.5)] | None,
        Meta(description="With `goals` or `slate`: the share of expected clicks that drawing the slate at random, near "
             "the best, may cost; its exact probabilities are logged. By default as `[policy] explore`."),
    ] = None  # fmt: skip
    policy: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(description="Who fills the list: `greedy`, or an agent of the bundle, such as `iql`; not with `order` or "
             "`slate`, with `goals` if it learned for them: they move it. With it `explore` is the share of slots "
             "left to random candidates. By default as the service is configured for the placement."),
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


class Way(Struct, omit_defaults=True):
    """A way from somebody to an item: over an item they had, what both share, or friends, who are not named."""

    kind: Literal["item", "label", "friend"]
    text: Annotated[str, Meta(description="In words.")]
    count: Annotated[int, Meta(description="Others who did the same and had the item; items had that share the label; "
                               "friends who had the item.")]  # fmt: skip
    out_of: Annotated[int, Meta(description="All others who did the same, all items had, or all friends.")]
    item_id: Annotated[str | None, Meta(description="The item on the way.")] = None
    label: Annotated[str | None, Meta(description="What both share, such as `brand`.")] = None
    value: Annotated[str | None, Meta(description="Its value.")] = None


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
    paths: Annotated[list[Way], Meta(description="With `paths`: the strongest ways from the user to it.")] = []
    p_click: Annotated[float | None, Meta(description="With `order`: probability of a click.")] = None
    p_cart: Annotated[float | None, Meta(description="With `order`: that a click leads to the cart.")] = None
    p_purchase: Annotated[float | None, Meta(description="With `order`: that a click leads to a purchase.")] = None
    value: Annotated[float | None, Meta(description="With `order`: money expected of showing it.")] = None
    pulled_by: Annotated[
        str | None, Meta(description="With `goals`: the goal for which it is there more than the usual candidate.")
    ] = None  # fmt: skip
    pulls: Annotated[
        dict[str, float],
        Meta(description="With `goals` and `explain`: how far each goal speaks for the item against the usual "
             "candidate, the others staying; parts of all that speaks for and against it."),
    ] = {}  # fmt: skip
    pulled: Annotated[str | None, Meta(description="The same in words.")] = None
    why: Annotated[
        list[Explanation], Meta(description="With `order` or `goals`, and `explain`: each prediction explained.")
    ] = []
    propensity: Annotated[
        float | None,
        Meta(description="With `explore`: the probability with which it was drawn at this place, given those before. "
             "Null: `new_items = \"thompson\"` without `explore`, whose draws nobody can tell the odds of."),
    ] = None  # fmt: skip


class RecommendAnswer(Struct, omit_defaults=True):
    """The list, with what is needed to tie later events to it."""

    request_id: RequestId
    model_version: Version
    items: list[RecommendedItem]
    degraded: Degraded = []
    goals: Annotated[GoalsAnswer | None, Meta(description="With `goals` or `slate`.")] = None
    experiment: Experiment = None
    arm: Arm = None
    policy: FilledBy = None


class PageList(Struct, omit_defaults=True):
    """One list of a page."""

    placement: str
    title: Annotated[str, Meta(description="What a person would call the list.")]
    items: list[RecommendedItem]
    policy: FilledBy = None
    goals: Annotated[GoalsAnswer | None, Meta(description="Where it was composed for goals.")] = None
    experiment: Experiment = None
    arm: Arm = None
    model_version: Annotated[str | None, Meta(description="Where the arm has a bundle of its own: its version.")] = None


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
    exclude_ids: Annotated[Items, Meta(description="Not these.")] = field(default_factory=list)
    filter: Annotated[Filter | None, Meta(description="Only those for which this is true.")] = None
    explain: Annotated[bool, Meta(description="Tell why each one is in the list.")] = False
    paths: Annotated[
        bool, Meta(description="Tell the strongest ways from the user to each one, with exact counts, up to three.")
    ] = False
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
