"""The table of search strategies, and the way from a name to one of them; a module is imported when it is asked for."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from paretail.core.config import Config
from paretail.core.errors import ConfigError, MissingExtraError, Problem, nearest
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
#: What a class must have to be a strategy.
WANTED: Final = ("config_type", "ask", "tell", "state", "load_state")


def build(
    name: str, space: Space, seed: int = 0, goals: int = 1, settings: Mapping[str, Any] | None = None,
    trials: int | None = None,
) -> Strategy:  # fmt: skip
    """Return the strategy `name`, an entry of STRATEGIES, `auto`, or your own as `their_module:TheirStrategy`.

    Of names in the table `_` is as good as `-`. `settings` are those of its `config_type`; one called `horizon` is
    `trials` where they are known and it is not given. Raises ConfigError: SRCH-01 for an unknown name, SRCH-02 where
    the class cannot be imported or lacks something, CONF-01 for an unknown setting; MissingExtraError where it needs an
    extra that is not installed.
    """
    found, config = known(name, settings or {})
    if trials is not None and "horizon" in type(config).model_fields and "horizon" not in (settings or {}):
        config = config.model_copy(update={"horizon": trials})
    return found(space, seed=seed, goals=goals, config=config)  # type: ignore[no-any-return]


def known(name: str, settings: Mapping[str, Any]) -> tuple[Any, Config]:
    """Return the class and the settings that `build` would take; raises what it raises."""
    name = DEFAULT_STRATEGY if name == "auto" else name
    name = name.replace("_", "-") if ":" not in name else name
    if ":" not in name and name not in STRATEGIES:
        expected = (
            f"Expected {nearest(name, [*STRATEGIES, 'auto'])}, or a class of your own as their_module:TheirStrategy"
        )
        raise ConfigError(Problem("SRCH-01", f"there is no strategy {name!r}", expected, "Correct the name"))
    found = _imported(STRATEGIES.get(name, name))
    return found, found.config_type.parse(dict(settings), where=f"settings of {name}")


def _imported(place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except MissingExtraError:
        raise
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise ConfigError(_no_strategy(f"the strategy {place!r} cannot be imported: {error}")) from None
    lacks = [name for name in WANTED if not hasattr(found, name)]
    if lacks or not isinstance(found.config_type, type) or not issubclass(found.config_type, Config):
        lacked = ", ".join(lacks) or "a config_type that is a subclass of paretail.core.config.Config"
        raise ConfigError(_no_strategy(f"the strategy {place!r} lacks {lacked}"))
    return found


def _no_strategy(found: str) -> Problem:
    expected = "Expected a class with the methods of paretail.search.base.Strategy and a config_type"
    return Problem("SRCH-02", found, expected, "Correct the name, or the class (docs/search.md)")
