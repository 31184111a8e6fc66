"""The table of retrievers, and the way from a name to one of them; a module is imported when its model is asked for."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.retrieve.base import Retriever

#: name -> where its class is: what needs torch is not imported before it is wanted
MODELS: Final[dict[str, str]] = {
    "popular": "paretail.retrieve.models.popular:Popular",
    "trending": "paretail.retrieve.models.trending:Trending",
    "knn": "paretail.retrieve.models.knn:Knn",
    "als": "paretail.retrieve.models.als:Als",
    "mf": "paretail.retrieve.models.mf:Mf",
    "deepwalk": "paretail.retrieve.models.deepwalk:DeepWalk",
    "node2vec": "paretail.retrieve.models.node2vec:Node2Vec",
    "lightgcn": "paretail.retrieve.models.graph:LightGcn",
    "ngcf": "paretail.retrieve.models.graph:Ngcf",
    "gcn": "paretail.retrieve.models.graph:Gcn",
    "sage": "paretail.retrieve.models.graph:Sage",
    "gat": "paretail.retrieve.models.graph:Gat",
    "hetero": "paretail.retrieve.models.graph:Hetero",
    "graph": "paretail.retrieve.models.graph:GraphModel",
    "content": "paretail.retrieve.models.content:Content",
    "sequence": "paretail.retrieve.models.sequence:Sequence",
    "blend": "paretail.retrieve.models.blend:Blend",
    "hybrid": "paretail.retrieve.models.hybrid:Hybrid",
}


def model(name: str, also: Sequence[str] = ()) -> type[Retriever]:
    """Return the retriever called `name`: an entry of MODELS, or a class of your own as `their_module:TheirModel`.

    `also` are names that whoever asks knows beside these.

    Raises ConfigError: RETR-01 for an unknown name, RETR-02 where the class cannot be imported; MissingExtraError
    where it needs an extra that is not installed.
    """
    if ":" in name:
        return _imported(name)
    if name not in MODELS:
        found = f"the model {name!r} is unknown"
        expected = f"Expected a class of your own as their_module:TheirModel, or {nearest(name, [*MODELS, *also])}"
        raise ConfigError(Problem("RETR-01", found, expected, "Correct [model] name"))
    return _imported(MODELS[name])


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
