"""What a slate is for and its rules; what is predicted of it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from paretail.pipeline.live.bodies.words import Filter, Id

#: Told in the schema and checked where goals are read, by a message that names the goal.
FRACTION = Meta(extra_json_schema={"minimum": 0, "maximum": 1})


class Goals(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What a slate is for: exactly one of `dial`, `maximise` (with `keep`) and `preset`."""

    dial: Annotated[
        dict[str, Annotated[float, FRACTION]] | None,
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
    composition: Annotated[
        Literal["greedy", "mmr", "dpp"] | None,
        Meta(description="How the slate is put together; by default as `[policy] composition`."),
    ] = None


Amounts = dict[str, float]


class FrontPosition(Struct, omit_defaults=True):
    """Where a setting lies among those that were measured; points are hundredths of a goal's reachable range."""

    told: Annotated[str, Meta(description="All of this in words.")]
    measured: Annotated[int, Meta(description="Other settings of the same goals that were measured.")]
    beaten_by: Annotated[
        int,
        Meta(description="Those that are as good in every goal that is weighed, and better in one: 0 on the front."),
    ]
    better: Annotated[Amounts, Meta(description="The `shares` of the one that beats it by most.")] = {}
    costs: Annotated[
        dict[str, Amounts],
        Meta(
            description="For each goal that is asked for, by how many points the others change for a point more of it; "
            "without a goal that has no more to give."
        ),
    ] = {}


class GoalsAnswer(Struct, omit_defaults=True):
    """What is predicted of a slate, goal by goal in its unit (money in the reporting currency)."""

    predicted: Annotated[Amounts, Meta(description="Of this slate.")]
    expected: Annotated[
        Amounts, Meta(description="On average over users like this one, under these goals, drawn as `explore` says.")
    ]
    today: Annotated[Amounts, Meta(description="On average over them without goals: `[policy] base`.")]
    shares: Annotated[
        Amounts,
        Meta(
            description="Where each goal that is weighed stands in its reachable range, 0 to 1, below 0 where "
            "drawing slates costs more of it than that; without a goal of which slates without goals have all: "
            "`front.told` names it."
        ),
    ]
    segment: Annotated[str, Meta(description="Users like this one: `new`, `light` or `heavy`.")]
    units: Annotated[dict[str, str], Meta(description="What each goal is counted in.")]
    front: Annotated[FrontPosition, Meta(description="Where this setting lies on the front of what was measured.")]
    broken: Annotated[list[str], Meta(description="Rules of the slate that could not be kept.")] = []
