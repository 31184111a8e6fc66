"""The table of objectives, and the way from a goal's name to one of them."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from paretail.core.errors import Problem, nearest
from paretail.policy import PolicyError
from paretail.policy.objectives.base import Objective
from paretail.policy.objectives.calibration import Calibration
from paretail.policy.objectives.clicks import Clicks
from paretail.policy.objectives.column import Column
from paretail.policy.objectives.coverage import Coverage
from paretail.policy.objectives.distance import Distance
from paretail.policy.objectives.diversity import Diversity
from paretail.policy.objectives.fairness import Fairness
from paretail.policy.objectives.freshness import Freshness
from paretail.policy.objectives.novelty import Novelty
from paretail.policy.objectives.profit import Profit
from paretail.policy.objectives.purchases import Purchases
from paretail.policy.objectives.reach import Reach
from paretail.policy.objectives.revenue import Revenue
from paretail.policy.objectives.satisfaction import Satisfaction
from paretail.policy.objectives.serendipity import Serendipity

__all__ = ["OBJECTIVES", "Objective", "objective"]

OBJECTIVES: Final[dict[str, type[Objective[Any]]]] = {
    "clicks": Clicks,
    "purchases": Purchases,
    "revenue": Revenue,
    "profit": Profit,
    "diversity": Diversity,
    "distance": Distance,
    "novelty": Novelty,
    "freshness": Freshness,
    "serendipity": Serendipity,
    "satisfaction": Satisfaction,
    "reach": Reach,
    "calibration": Calibration,
    "coverage": Coverage,
    "fairness": Fairness,
}
#: What a shop's own column is called as a goal.
COLUMN: Final = "column."


def objective(name: str, settings: Mapping[str, Any] | None = None) -> Objective[Any]:
    """Return the goal called `name`: an entry of OBJECTIVES, `column.NAME`, or `their_module:TheirObjective`.

    Raises PolicyError (POL-01) for a name that leads to none, ConfigError for settings that it does not have.
    """
    given = dict(settings or {})
    if name.startswith(COLUMN):
        return Column(Column.config_type.parse({"name": name.removeprefix(COLUMN), **given}, f"the goal {name}"))
    found = OBJECTIVES.get(name) or _imported(name)
    return found(found.config_type.parse(given, f"the goal {name}"))


def _imported(name: str) -> type[Objective[Any]]:
    module, _, attribute = name.partition(":")
    found, why = None, ""
    try:
        found = getattr(import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError) as error:
        why = f": {error}"
    if isinstance(found, type) and issubclass(found, Objective):
        return found
    expected = (
        f"Expected column.NAME, a subclass of Objective as their_module:TheirGoal, or {nearest(name, OBJECTIVES)}"
    )
    raise PolicyError(Problem("POL-01", f"the goal {name!r} is unknown{why}", expected, "Correct its name"))
