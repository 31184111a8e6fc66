"""Auto: the training-free blend, or a hybrid of it with learned models where they make better lists of this shop.

Candidates are fitted on the training part of the split that copies the question, and mixed (`models/hybrid.py`). The
hybrid is taken where its lists are better than the blend's by more than two standard errors of the paired difference in
a mode, without the members that got no weight; other modes are the blend's in it. Without such a mode it is the blend,
which trains in seconds and needs no torch. A candidate that
cannot be trained is left out, and it is said which and why.
"""

from collections.abc import Mapping, Sequence
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
from paretail.retrieve.question import ASKS
from paretail.retrieve.segments import Blending
from paretail.retrieve.spec import GraphModelSpec, idle

#: What the others must add to.
FIRST: Final = "blend"
#: With fewer events there is nothing to learn from that the blend does not see.
FEWEST_EVENTS: Final = 5000
#: The gain that a hybrid must show, in standard errors.
ERRORS: Final = 2.0
NOT_ENOUGH: Final = f"not more than {ERRORS:g} standard errors"
UNMEASURED: Final = "too little to measure the others by"
#: What was measured of one mode (`retrieve/segments.py`).
Told = Mapping[str, Any]


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
    won = {mode: told for mode, told in choice.metrics.items() if _gains(told)}
    metrics = {mode: told if mode in won else _blends(told) for mode, told in choice.metrics.items()}
    figure = next(
        (f"NDCG@{told['k']} {told['ndcg']:.4f} ± {told['standard_error']:.4f}" for told in metrics.values()), ""
    )
    assert isinstance(choice.config, HybridConfig)
    if not won:
        reason = f"with the others it is {_better(choice.metrics)}: {NOT_ENOUGH}" if metrics else UNMEASURED
        told = (f"Chosen: blend; {reason}", *remarks)
        config: Any = model(FIRST).config_type.parse(choice.config.members[FIRST])
        return FIRST, Choice(config, metrics, (*told, *choice.remarks), figure)
    alone = {mode: Blending(segments=[{FIRST: 1.0}]) for mode in choice.config.modes if mode not in won}
    config = choice.config.model_copy(update={"modes": {**choice.config.modes, **alone}})
    why = {mode: NOT_ENOUGH if mode in metrics else "too little to measure by" for mode in alone}
    told = (f"Chosen: hybrid, {_better(won)}", *(f"{ASKS[mode]}: the blend alone; {why[mode]}" for mode in alone))
    return "hybrid", Choice(config, metrics, (*told, *remarks, *choice.remarks), figure, choice.run)


def check(given: dict[str, Any]) -> None:
    """Raise ConfigError for settings that do not exist, of `auto` or of a candidate."""
    candidates = AutoConfig.parse(given, "[model.settings]").candidates or {}
    if "hybrid" in candidates:
        found, do = "[model.settings.candidates] has hybrid", "Name its members there: `auto` mixes them itself"
        raise ConfigError(Problem("CONF-03", found, "Expected: members other than hybrid", do))
    for name, settings in candidates.items():
        check_settings(name, settings, f"[model.settings.candidates.{name}]")


def check_settings(name: str, given: dict[str, Any], where: str = "[model.settings]", also: Sequence[str] = ()) -> None:
    """Raise ConfigError for a model or a setting that does not exist, or a folder that it needs, of members too.

    So it does for settings of a graph model that mean nothing beside the others. `also` are names that could be asked
    for beside those of the table.
    """
    settings = model(name, also).config_type.parse(given, where)
    if isinstance(settings, GraphModelSpec) and (found := idle(settings)):
        raise ConfigError([_idle(where, setting, given[setting], needed) for setting, needed in found.items()])
    if (folder := getattr(settings, "text_encoder", None)) is not None:
        check_folder(folder)
    for member, own in getattr(settings, "members", {}).items():
        check_settings(member, own, f"[model.settings.members.{member}]")


def _idle(where: str, setting: str, value: Any, needed: str) -> Problem:
    return Problem("CONF-03", f"{where}: {setting} = {value!r}", f"Expected: none given, or {needed}", "Change either")


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


def _gains(told: Told) -> bool:
    """Say whether the hybrid's lists of a mode are surely better than the blend's."""
    gain, error = told["ahead_of"][FIRST]
    return bool(gain > ERRORS * error)


def _better(modes: Mapping[str, Told]) -> str:
    """Say by how much the hybrid's lists of some modes are better, and in which where these are several."""
    which = [f" ({mode})" if len(modes) > 1 else "" for mode in modes]
    gains = ["{:+.4f} ± {:.4f}".format(*told["ahead_of"][FIRST]) for told in modes.values()]
    listed = ", ".join(map("".join, zip(gains, which, strict=True)))
    return f"better than the blend alone by {listed} NDCG in validation"


def _blends(told: Told) -> Told:
    """Return the figures of a mode whose lists are the blend's."""
    mine = {"ndcg": told["alone"][FIRST], "standard_error": told["alone_errors"][FIRST]}
    return {**told, **mine, "segments": [{FIRST: 1.0}]}


def _with(choice: Choice, remarks: tuple[str, ...]) -> Choice:
    return Choice(choice.config, choice.metrics, (*remarks, *choice.remarks), choice.figure, choice.run)
