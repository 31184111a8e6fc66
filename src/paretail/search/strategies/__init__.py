"""The table of search strategies, and the way from a name to one of them; a module is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.search.base import Space, Strategy

#: name -> where its class is
STRATEGIES: Final[dict[str, str]] = {
    "random": "paretail.search.strategies.random:Random",
    "evolution": "paretail.search.strategies.evolution:Evolution",
    "local": "paretail.search.strategies.local:Local",
    "tpe": "paretail.search.strategies.tpe:Tpe",
    "nsga2": "paretail.search.strategies.nsga2:Nsga2",
    "gan": "paretail.search.strategies.gan:Gan",
    "gan-mutation": "paretail.search.strategies.gan_mutation:GanMutation",
    "hybrid": "paretail.search.strategies.hybrid:Hybrid",
}
#: What the name `auto` stands for: benchmarks/search says why.
DEFAULT_STRATEGY: Final = "hybrid"


def build(
    name: str, space: Space, seed: int = 0, goals: int = 1, settings: Mapping[str, Any] | None = None
) -> Strategy:
    """Return the strategy `name`, an entry of STRATEGIES, `auto`, or your own as `their_module:TheirStrategy`.

    Of names in the table `_` is as good as `-`.

    `settings` are those of its `config_type`. Raises ConfigError: SRCH-01 for an unknown name, SRCH-02 where the class
    cannot be imported, CONF-01 for an unknown setting; MissingExtraError where it needs an extra that is not installed.
    """
    name = DEFAULT_STRATEGY if name == "auto" else name
    name = name.replace("_", "-") if ":" not in name else name
    if ":" not in name and name not in STRATEGIES:
        expected = (
            f"Expected {nearest(name, [*STRATEGIES, 'auto'])}, or a class of your own as their_module:TheirStrategy"
        )
        raise ConfigError(Problem("SRCH-01", f"there is no strategy {name!r}", expected, "Correct the name"))
    found = _imported(STRATEGIES.get(name, name))
    config = found.config_type.parse(dict(settings or {}), where=f"settings of {name}")
    return found(space, seed=seed, goals=goals, config=config)  # type: ignore[no-any-return]


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        expected = "Expected a class with the methods of paretail.search.base.Strategy and a config_type"
        found = f"the strategy {place!r} cannot be imported: {error}"
        raise ConfigError(Problem("SRCH-02", found, expected, "Correct the name")) from None
