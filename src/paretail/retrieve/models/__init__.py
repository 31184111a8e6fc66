"""The table of retrievers, and the way from a name to one of them."""

from importlib import import_module

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.retrieve.base import Retriever
from paretail.retrieve.models.als import Als
from paretail.retrieve.models.blend import Blend
from paretail.retrieve.models.knn import Knn
from paretail.retrieve.models.mf import Mf
from paretail.retrieve.models.popular import Popular
from paretail.retrieve.models.trending import Trending

MODELS: dict[str, type[Retriever]] = {
    "popular": Popular,
    "trending": Trending,
    "knn": Knn,
    "als": Als,
    "mf": Mf,
    "blend": Blend,
}


def model(name: str) -> type[Retriever]:
    """Return the retriever called `name`: an entry of MODELS, or a class of your own as `their_module:TheirModel`.

    Raises ConfigError: RETR-01 for an unknown name, RETR-02 where the class cannot be imported.
    """
    if ":" in name:
        return _imported(name)
    if name not in MODELS:
        found = f"the model {name!r} is unknown"
        expected = f"Expected {nearest(name, MODELS)}, or a class of your own as their_module:TheirModel"
        raise ConfigError(Problem("RETR-01", found, expected, "Correct [model] name"))
    return MODELS[name]


def _imported(name: str) -> type[Retriever]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(_not_a_model(name, str(error))) from None
    missing = [part for part in ("fit", "score", "arrays", "from_arrays", "config_type") if not hasattr(found, part)]
    if missing:
        raise ConfigError(_not_a_model(name, f"it has no {', '.join(missing)}"))
    return found  # type: ignore[no-any-return]  # checked above as far as Python can


def _not_a_model(name: str, why: str) -> Problem:
    expected = "Expected a class with the methods of paretail.retrieve.base.Retriever"
    return Problem("RETR-02", f"the model {name!r} cannot be used: {why}", expected, "Correct [model] name")
