"""Candidates of a caller's own, ranked; predictions explained."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from paretail.pipeline.live.bodies.asking import Visitor
from paretail.pipeline.live.bodies.words import Id, Rank, RequestId, Version


class Explanation(Struct):
    """Why one prediction differs from that of the usual pair: an average user, an item as usually shown."""

    task: Annotated[
        str,
        Meta(
            description="click; cart or purchase, given a click (without impressions in the log: of all pairs); "
            "value: of an order."
        ),
    ]
    predicted: Annotated[float, Meta(description="A probability; of value money, expected of an order.")]
    usual: Annotated[float, Meta(description="The same of the usual pair.")]
    adds: Annotated[
        dict[str, float],
        Meta(description="What each group adds, the largest first: taste, popularity, attributes, price ...; in "
             "logarithms of odds, of value of money. They sum to the difference from the usual."),
    ]  # fmt: skip
    text: Annotated[str, Meta(description="The same in words.")]


class RankRequest(Visitor, forbid_unknown_fields=True, kw_only=True):
    """Your own candidates, ranked for somebody by the bundle's ranker."""

    candidates: Annotated[list[Id], Meta(min_length=1, max_length=1000, description="The items to rank.")]
    by: Annotated[
        Literal["value", "purchase", "cart", "click"],
        Meta(description="What the best have most of: money expected of showing it, probability of a purchase, of a "
             "cart, of a click; where the log had no purchases, a click."),
    ] = "value"  # fmt: skip
    explain: Annotated[bool, Meta(description="Tell what each prediction comes from.")] = False
    tasks: Annotated[
        list[Literal["long_view", "favourite"]],
        Meta(max_length=2, description="Further tasks that each line tells of, where the log had examples of them."),
    ] = field(default_factory=list)  # fmt: skip
    quantiles: Annotated[
        list[Annotated[float, Meta(gt=0, lt=1)]],
        Meta(max_length=9, description="Quantiles of an order's value that each line tells, such as 0.1 and 0.9."),
    ] = field(default_factory=list)  # fmt: skip
    request_id: Annotated[Id | None, Meta(description="Your own name for this request.")] = None


class RankedItem(Struct, omit_defaults=True):
    """One candidate with what showing it at the first position is worth; null where the log had no examples."""

    item_id: str
    rank: Rank
    p_click: Annotated[float | None, Meta(description="Probability of a click.")] = None
    p_cart: Annotated[float | None, Meta(description="Probability that a click leads to the cart.")] = None
    p_purchase: Annotated[float | None, Meta(description="Probability that a click leads to a purchase.")] = None
    p_long_view: Annotated[
        float | None, Meta(description="With `tasks`: that whoever clicks stays for `[rank] long_view_seconds`.")
    ] = None
    p_favourite: Annotated[float | None, Meta(description="With `tasks`: that a click leads to a favourite.")] = None
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
