"""Parts: what a retriever's score is made of, as numbers that another model may read beside the score.

A blend has its signals, a hybrid its members and the signals of its blend, in units that shift and scale do not change;
any other model has none. Models that meet users and items in one space have vectors of both, a
hybrid those of its members.
"""

from paretail.data.held import Mode
from paretail.data.types import History
from paretail.retrieve.ahead import ahead
from paretail.retrieve.base import Retriever, Scores
from paretail.retrieve.models.blend import Blend, items_had
from paretail.retrieve.models.hybrid import Hybrid
from paretail.retrieve.normalise import to_units
from paretail.retrieve.signals.profiles import Profiles, wished


def scored(model: Retriever, history: History, mode: Mode) -> tuple[Scores, dict[str, Scores]]:
    """Return what `score` and `parts_of` return; a blend's signals are asked once for both."""
    if not isinstance(model, Blend):
        return model.score(history, None, mode), parts_of(model, history, mode)
    parts: dict[str, Scores] = {}
    scores = model.mixed(history, None, mode, None, parts)
    return scores, parts or parts_of(model, history, mode)


def parts_of(model: Retriever, history: History, mode: Mode) -> dict[str, Scores]:
    """Return `[users, items]` of each part that counts in a mode, 0 where it says nothing; the names never change."""
    if isinstance(model, Blend):
        left_out = items_had(history, model.config.target, mode, model.scene.items)
        wishes = Profiles(wished(history, model.scene.weights), model.scene)
        return {name: to_units(model.signal(name, wishes), left_out) for name in model.config.mix(mode).theta}
    if not isinstance(model, Hybrid):
        return {}
    found = {}
    for name, member in model.members.items():
        scores = member.score(history, None, mode)
        found[name] = ahead(scores, items_had(history, model.config.target, mode, scores.shape[1]))
        found |= {f"{name}/{part}": told for part, told in parts_of(member, history, mode).items()}
    return found


def vectors_of(model: Retriever, history: History) -> dict[str, tuple[Scores, Scores]]:
    """Return vectors `[users, dim]` and `[items, dim]` of a model that has them, under "", and under members' names."""
    if isinstance(model, Hybrid):
        return {
            f"{name}/{part}": ends
            for name, member in model.members.items() for part, ends in vectors_of(member, history).items()
        }  # fmt: skip
    users, items = getattr(model, "vectors", None), getattr(model, "item_vectors", None)
    return {} if users is None or items is None else {"": (users(history), items)}
