"""Auto: the training-free blend, or a hybrid of it with learned models where they make better lists of this shop.

Candidates are fitted on the training part of the split that copies the question, and mixed (`models/hybrid.py`). The
hybrid is taken where its lists are better than the blend's by more than two standard errors of the paired difference,
without the members that got no weight; else the blend, which trains in seconds and needs no torch. A candidate that
cannot be trained is left out, and it is said which and why.
"""

from importlib.util import find_spec
from typing import Any, Final

from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import ConfigError, Problem
from paretail.core.progress import Progress
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice, choose
from paretail.retrieve.encoder import check_folder
from paretail.retrieve.models import model
from paretail.retrieve.models.hybrid import Failing, Hybrid, HybridConfig

#: What the others must add to.
FIRST: Final = "blend"
#: With fewer events there is nothing to learn from that the blend does not see.
FEWEST_EVENTS: Final = 5000
#: The gain that a hybrid must show, in standard errors.
ERRORS: Final = 2.0


class AutoConfig(Config):
    """Settings of `auto`."""

    candidates: dict[str, dict[str, Any]] | None = Field(
        None, description="Models beside the blend, with the settings of each that are given; by default `lightgcn`, "
        "and `sequence` where the events have an order.",
    )  # fmt: skip


def choose_model(
    graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
) -> tuple[str, Choice]:
    """Return the name of the model to fit, and its settings with the reasons for both; within about `seconds`."""
    members, remarks = _candidates(graph, AutoConfig.parse(given, "[model.settings]"))
    if len(members) == 1:
        return FIRST, _with(_alone(graph, question, members[FIRST], seed, seconds, progress), remarks)
    failing: Failing = {}
    choice = Hybrid.choose(graph, question, {"members": members}, seed, seconds, progress, failing)
    if FIRST in failing:
        raise failing[FIRST]
    remarks = (*remarks, *_left_out(failing, len(members)))
    gain, error = _gain(choice)
    better = f"better than the blend alone by {gain:+.4f} ± {error:.4f} NDCG in validation"
    if gain > ERRORS * error:
        return "hybrid", _with(choice, (f"Chosen: hybrid, {better}", *remarks))
    assert isinstance(choice.config, HybridConfig)
    settings = choice.config.members[FIRST]
    told = (f"Chosen: blend; with the others it is {better}: not more than {ERRORS:g} standard errors", *remarks)
    return FIRST, _with(Choice(model(FIRST).config_type.parse(settings), choice.metrics, choice.remarks), told)


def check(given: dict[str, Any]) -> None:
    """Raise ConfigError for settings that do not exist, of `auto` or of a candidate."""
    candidates = AutoConfig.parse(given, "[model.settings]").candidates or {}
    if "hybrid" in candidates:
        found, do = "[model.settings.candidates] has hybrid", "Name its members there: `auto` mixes them itself"
        raise ConfigError(Problem("CONF-03", found, "Expected: members other than hybrid", do))
    for name, settings in candidates.items():
        check_settings(name, settings, f"[model.settings.candidates.{name}]")


def check_settings(name: str, given: dict[str, Any], where: str = "[model.settings]") -> None:
    """Raise ConfigError for a model or a setting that does not exist, or a folder that it needs, of members too."""
    settings = model(name).config_type.parse(given, where)
    if (folder := getattr(settings, "text_encoder", None)) is not None:
        check_folder(folder)
    for member, own in getattr(settings, "members", {}).items():
        check_settings(member, own, f"[model.settings.members.{member}]")


def _candidates(graph: ShopGraph, config: AutoConfig) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Return what is tried, the blend first, and why others are not."""
    first: dict[str, dict[str, Any]] = {FIRST: {}}
    if config.candidates is not None:
        return first | config.candidates, ()
    events = len(graph.history.item_idx)
    if events < FEWEST_EVENTS:
        return first, (f"No learned model was tried: {events:,} events are fewer than {FEWEST_EVENTS:,}",)
    if find_spec("torch") is None:
        return first, ("No learned model was tried: they need the extra `learn` (pip install 'paretail[learn]')",)
    names = ["lightgcn"] if graph.history.time == "none" else ["lightgcn", "sequence"]
    return first | {name: {} for name in names}, ()


def _left_out(failing: Failing, members: int) -> tuple[str, ...]:
    """Say which candidates could not be trained, how many that is, and why."""
    if not failing:
        return ()
    told = {name: (str(error).splitlines() or [""])[0] for name, error in failing.items()}
    why = "; ".join(f"{name}: {type(failing[name]).__name__}: {line}" for name, line in told.items())
    return (f"{len(failing)} of {members - 1} candidates could not be trained and were left out ({why})",)


def _alone(
    graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress
) -> Choice:
    return choose(model(FIRST), graph, question, given, seed, seconds, progress)


def _gain(choice: Choice) -> tuple[float, float]:
    """Return by how much the hybrid beats the blend in the first mode that was asked, and the standard error."""
    for told in choice.metrics.values():
        gain, error = told["ahead_of"][FIRST]
        return float(gain), float(error)
    return 0.0, 0.0


def _with(choice: Choice, remarks: tuple[str, ...]) -> Choice:
    return Choice(choice.config, choice.metrics, (*remarks, *choice.remarks), choice.figure, choice.run)
