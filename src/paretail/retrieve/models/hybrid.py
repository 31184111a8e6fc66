"""Hybrid: several retrievers of the table as one, mixed by weights that are learned for users with few and many events.

    score(u, i) = Σ_m θ_{s(u), m} log(1 + κ x_m(u, i)),   θ >= 0,   x_m of `retrieve/ahead.py`

A member may score by probabilities, cosines or sums: only its own best items count, and how far each is ahead. Weights
are learned on the split that copies the question, members fitted on its training part; then all are fitted on
everything. s(u) is how many events u has. A segment's weights lie between its own and everybody's, by how many
questions it could be asked, and are kept only if lists are better with segments than without. A member that is trained
ends where validation gains no more, on some of those questions; the fit on everything has the epochs found.

Sources: J. Sill et al., "Feature-weighted linear stacking", 2009, arXiv:0911.0460 (weights that depend on the user).
Deviations: weights are constant within a segment and not negative, and learned by a listwise loss (`mixing.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, field_validator

from paretail.core.config import Config
from paretail.core.errors import ConfigError, ParetailError
from paretail.core.ids import Rows
from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode
from paretail.data.splits import Split, random_pairs
from paretail.data.types import History
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve import mixing
from paretail.retrieve.ahead import add_ahead, ahead, best_of, shaped
from paretail.retrieve.base import Arrays, Question, Retriever, Scores, reads_traits
from paretail.retrieve.choose import Choice, check_given, choose
from paretail.retrieve.falls import falls
from paretail.retrieve.fitting import FitContext, WarmStart, as_validated, fit, shortened
from paretail.retrieve.listwise import ndcg
from paretail.retrieve.models import model
from paretail.retrieve.models.blend import FEWEST_ASKED, JUDGED_AT, items_had
from paretail.retrieve.normalise import FAINT
from paretail.retrieve.question import ASKS, held_out, modes_to_learn
from paretail.retrieve.segments import SEGMENTS, Blending, Learned, by_segment, segments_of
from paretail.retrieve.tune import judged

#: Users asked for each second of the budget, and at most: a gain of a few hundredths needs many to be told from chance.
ASKED_A_SECOND: Final = 30
MOST_ASKED: Final = 10_000

#: Members that could not be fitted, and why.
Failing = dict[str, Exception]
#: What a training that fails raises: losses that are not finite, systems of equations without a solution, or what torch
#: and its devices do not do or hold.
FAILURES: Final = (ParetailError, RuntimeError, MemoryError, ValueError, ImportError)

#: Of whom the epochs of members that are trained are judged by.
MOST_JUDGED: Final = 2000

#: The part of each user's pairs that is asked for where events have no time.
FIFTH: Final = 0.2


def _default_members() -> dict[str, dict[str, Any]]:
    return {"blend": {}, "lightgcn": {}}


class HybridConfig(Config):
    """Settings of the hybrid; `choose` finds the weights, and the settings of members that are not given."""

    target: str = Field("purchase", description="The kind to predict.")
    kind_weights: dict[str, NonNegativeFloat] | None = Field(
        None, description="Weight of each kind; those above 0 are events that count for a user's segment.",
    )  # fmt: skip
    members: dict[str, dict[str, Any]] = Field(
        default_factory=_default_members, min_length=1,
        description="The retrievers, and the settings of each that are given.",
    )  # fmt: skip
    modes: dict[Mode, Blending] = Field(
        default_factory=dict, description="The weights of each mode that is answered apart; without any all members "
        "count the same.",
    )  # fmt: skip

    @field_validator("members")
    @classmethod
    def _of_the_table(cls, members: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if "hybrid" in members:
            raise ValueError("members other than hybrid")
        for name, given in members.items():
            _parsed(name, given)
        return members

    def blending(self, mode: Mode) -> Blending:
        """Return the weights of a mode; where it has none of its own those of `target`, else of the first there is."""
        known = self.modes
        return known.get(mode) or known.get("target") or next(iter(known.values()), _equal(self.members))


class Hybrid:
    """The fitted members and how to mix them; see the module."""

    name: ClassVar[str] = "hybrid"
    config_type: ClassVar[type[Config]] = HybridConfig

    def __init__(self, config: HybridConfig, members: Mapping[str, Retriever]) -> None:
        self.config, self.members = config, members
        runs = {name: getattr(member, "run", None) for name, member in members.items()}
        self.run: Mapping[str, Any] | None = {name: run for name, run in runs.items() if run} or None

    @property
    def reads_traits(self) -> bool:
        """Whether any member follows from what is known of users apart from events."""
        return any(reads_traits(member) for member in self.members.values())

    @classmethod
    def fit(cls, graph: ShopGraph, config: Any, seed: int) -> Self:
        """Fit each member."""
        return cls.train(graph, config, seed, FitContext())

    @classmethod
    def train(cls, graph: ShopGraph, config: Any, seed: int, context: FitContext) -> Self:
        """Fit each member that any mode uses."""
        return cls(config, _fitted(graph, config, _used(config), seed, context))

    @classmethod
    def shortened(cls, config: Any) -> HybridConfig:
        """Return the settings with which members that are trained go on from earlier ones."""
        members = {
            name: shortened(model(name), _settings(name, config)).model_dump(mode="json") for name in config.members
        }
        short: HybridConfig = config.model_copy(update={"members": members})
        return short

    def score(self, history: History, now_ms: int | None = None, mode: Mode = "target") -> Scores:
        """Mix the members; items that are among nobody's best follow in the order of the first member."""
        blending = self.config.blending(mode)
        weights = _weights(blending, segments_of(history, self._kinds(history)))
        scores = {name: self.members[name].score(history, now_ms, mode) for name in _mixed(blending)}
        first = next(iter(scores.values()))
        left_out = items_had(history, self.config.target, mode, first.shape[1])
        total: Scores = np.asarray(FAINT * first / (1 + np.abs(first)), np.float32)
        for name, dense in scores.items():
            add_ahead(total, dense, left_out, weights[name], blending.kappa)
        return total

    def falls(
        self, history: History, causes: Rows, listed: Rows, now_ms: int | None = None, mode: Mode = "target"
    ) -> Scores:
        """Return the members' falls in their units, shaped and weighed as their scores are; units are held fixed."""
        blending = self.config.blending(mode)
        weights = _weights(blending, segments_of(history, self._kinds(history)))
        total = np.zeros((len(causes), len(listed)), np.float32)
        for name in _mixed(blending):
            member = self.members[name]
            scores = member.score(history, now_ms, mode)
            best = best_of(scores, items_had(history, self.config.target, mode, scores.shape[1]))
            whole = best.ahead(scores[:, listed])
            rest = best.ahead(scores[:, listed] - falls(member, history, causes, listed, now_ms, mode))
            total += weights[name][0] * (shaped(whole, blending.kappa) - shaped(rest, blending.kappa))
        return total

    def arrays(self) -> Arrays:
        """Return the members' arrays, under their names."""
        return {
            f"{name}/{key}": array for name, member in self.members.items() for key, array in member.arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays, config: Any) -> Self:
        """Rebuild from arrays."""
        parts: dict[str, Arrays] = {}
        for key, array in arrays.items():
            name, _, rest = key.partition("/")
            parts.setdefault(name, {})[rest] = array
        return cls(config, {name: _rebuilt(name, parts.get(name, {}), config) for name in _used(config)})

    @classmethod
    def choose(
        cls, graph: ShopGraph, question: Question, given: dict[str, Any], seed: int, seconds: float, progress: Progress,
        failing: Failing | None = None,
    ) -> Choice:  # fmt: skip
        """Choose settings of the members that know how, then learn the weights of each mode that can be asked.

        A mode that `given` sets is left as it is. Members that cannot be fitted are put into `failing`, and left out;
        without it they end the choice.
        """
        weights = kind_weights(question.wishes) | dict(question.weights)
        config = HybridConfig.parse({"target": question.target, "kind_weights": weights} | given, "[model.settings]")
        config, remarks = _with_settings(graph, question, config, seed, seconds, progress)
        modes, metrics, figure = dict(config.modes), dict[str, Any](), ""
        wanted = [mode for mode in modes_to_learn(graph.history, question) if mode not in config.modes]
        context = FitContext(progress, minutes=seconds / 60 / max(1, len(wanted)))
        asked = max(FEWEST_ASKED, min(MOST_ASKED, round(seconds * ASKED_A_SECOND)))
        runs: dict[str, Any] = {}
        for mode in wanted:
            config = _without(config, failing)
            rng = rng_for(f"retrieve/choose/{mode}", seed)
            split = _split(graph.history, question.target, mode, asked, rng)
            judge = None if runs else _judge(split, mode, graph.items)
            learned = learn(graph, config, split, mode, seed, replace(context, judge=judge), failing)
            if learned is not None and not runs:
                runs, config = dict(learned.runs), _with_epochs(config, learned.runs)
            modes[mode] = _equal(_without(config, failing).members) if learned is None else learned.blending
            remarks = (*remarks, *_told(mode, learned))
            if learned is not None:
                metrics[str(mode)] = learned.to_json()
                figure = figure or f"NDCG@{JUDGED_AT} {learned.mean:.4f} ± {learned.error:.4f}"
        config = _without(config, failing)
        if any(set(_mixed(modes[mode])) - config.members.keys() for mode in wanted):  # of one that failed later
            left = given | {"members": dict(config.members)}
            return cls.choose(graph, question, left, seed, seconds, progress, failing)
        return Choice(config.model_copy(update={"modes": modes}), metrics, remarks, figure, runs or None)

    def _kinds(self, history: History) -> dict[str, float]:
        return kind_weights(history.kinds, self.config.kind_weights)


def learn(
    graph: ShopGraph, config: HybridConfig, split: Split, mode: Mode, seed: int, context: FitContext,
    failing: Failing | None = None,
) -> Learned | None:  # fmt: skip
    """Fit the members on the split's training part, and learn weights on its held-out pairs; None with too few."""
    asked = np.flatnonzero(split.held.counts)
    members = _fitted(graph.with_history(split.train), config, list(config.members), seed, context, failing)
    names = list(members)
    parts, segments = [], []
    for rows in mixing.blocks(len(asked), graph.items, len(names)):
        history, held = split.train.of_users(asked[rows]), split.held.of_users(asked[rows])
        left_out = items_had(history, config.target, mode, graph.items)
        units = {name: ahead(member.score(history, None, mode), left_out) for name, member in members.items()}
        some = np.any([dense.any(axis=1) for dense in units.values()], axis=0)  # others have no candidates
        segments.append(segments_of(history, kind_weights(history.kinds, config.kind_weights))[some])
        parts.append(mixing.propose(units, left_out, held))
    if not parts:
        return None
    lists = mixing.together(parts)
    alone = {name: ndcg(lists, np.eye(len(names))[at], JUDGED_AT) for at, name in enumerate(names)}
    common = mixing.learn(lists, names, JUDGED_AT, seed)
    if common is None:
        return None
    runs = {name: run for name, member in members.items() if (run := getattr(member, "run", None))}
    return replace(by_segment(lists, np.concatenate(segments), names, common, alone, seed), runs=runs)


def _judge(split: Split, mode: Mode, items: int) -> Callable[[Retriever], float]:
    """Return what judges an epoch of a member: NDCG of some of those whom the split asks."""
    rows = np.flatnonzero(split.held.counts)[:MOST_JUDGED]
    some = Split(split.train.of_users(rows), split.held.of_users(rows), split.target)
    return lambda fitted: float(judged(fitted, some, split.target, mode, items).mean()) if len(rows) else 0.0


def _with_epochs(config: HybridConfig, runs: Mapping[str, Mapping[str, Any]]) -> HybridConfig:
    """Return the settings with the epochs that validation found for members that are told none."""
    members = {
        name: given if "epochs" in given else given | as_validated(_settings(name, config), runs.get(name))
        for name, given in config.members.items()
    }
    return config.model_copy(update={"members": members})


def _fitted(
    graph: ShopGraph, config: HybridConfig, names: Sequence[str], seed: int, context: FitContext,
    failing: Failing | None = None,
) -> dict[str, Retriever]:  # fmt: skip
    trained = sum(hasattr(model(name), "train") for name in names)
    minutes = None if context.minutes is None else context.minutes / max(1, trained)
    found = {}
    for name in names:
        kept = context.checkpoint and context.checkpoint.with_name(f"{context.checkpoint.name}-{name}")
        own = replace(context, checkpoint=kept, minutes=minutes, start=_start_of(context.start, name))
        try:
            found[name] = fit(model(name), graph, _settings(name, config), seed, own)
        except FAILURES as error:
            if failing is None or isinstance(error, ConfigError):
                raise
            failing[name] = error
    return found


def _without(config: HybridConfig, failing: Failing | None) -> HybridConfig:
    """Return the settings without members that cannot be fitted."""
    members = {name: given for name, given in config.members.items() if name not in (failing or {})}
    return config.model_copy(update={"members": members})


def _start_of(start: WarmStart | None, name: str) -> WarmStart | None:
    """Return the earlier model of one member."""
    if start is None or not isinstance(start.model, Hybrid) or name not in start.model.members:
        return None
    return replace(start, model=start.model.members[name])


def _settings(name: str, config: HybridConfig) -> Config:
    return _parsed(name, config.members[name])


def _parsed(name: str, given: dict[str, Any]) -> Config:
    return model(name).config_type.parse(given, f"[model.settings.members.{name}]")


def _with_settings(
    graph: ShopGraph, question: Question, config: HybridConfig, seed: int, seconds: float, progress: Progress
) -> tuple[HybridConfig, tuple[str, ...]]:
    """Let the members that are fitted in closed form choose their settings; those that are trained keep theirs."""
    members, remarks = {}, []
    for name, given in config.members.items():
        check_given(graph, question, model(name), given)
        if hasattr(model(name), "train"):
            if given.get("size") == "auto":
                remarks.append(f"{name}: size = 'auto' grows where it is chosen alone; a member has the default size")
            members[name] = given
            continue
        choice = choose(model(name), graph, question, given, seed, seconds / (2 * len(config.members)), progress)
        members[name] = choice.config.model_dump(mode="json")
        remarks += [f"{name}: {remark}" for remark in choice.remarks]
    return config.model_copy(update={"members": members}), tuple(remarks)


def _weights(blending: Blending, segments: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return each member's weight for each user."""
    rows = blending.segments if len(blending.segments) > 1 else blending.segments * len(SEGMENTS)
    return {name: np.array([row.get(name, 0.0) for row in rows])[segments] for name in _mixed(blending)}


def _mixed(blending: Blending) -> list[str]:
    """Return the members that weigh something for somebody."""
    return list(dict.fromkeys(name for row in blending.segments for name, weight in row.items() if weight > 0))


def _used(config: HybridConfig) -> list[str]:
    modes = config.modes.values() or [config.blending("target")]
    used = {name for blending in modes for name in _mixed(blending)}
    return [name for name in config.members if name in used]


def _equal(members: Iterable[str]) -> Blending:
    return Blending(segments=[dict.fromkeys(members, 1.0)])


def _split(history: History, target: str, mode: Mode, most: int, rng: np.random.Generator) -> Split:
    """Return the split that copies the question; without time a fifth of each user's pairs, of as many users.

    One pair a user would tell a gain of 3 % from chance with all users of `gowalla` only.
    """
    if history.time != "none":
        return held_out(history, target, mode, most, rng)
    forget: Mode = "target" if mode == "none" else mode
    return random_pairs(history, target, rng, share=FIFTH, forget=forget, drop=mode, most_users=most)


def _told(mode: Mode, learned: Learned | None) -> tuple[str, ...]:
    """Say what was learned, and what each member is worth alone."""
    if learned is None:
        return (f"{ASKS[mode]}: too few events to learn from; all members count the same",)
    names = [", ".join(f"{name} {weight:.2f}" for name, weight in row.items()) for row in learned.blending.segments]
    by = "" if len(names) == 1 else " (users with 0-1 | 2-5 | 6-20 | more events)"
    return _figures(mode, learned, f"{' | '.join(names)}{by}")


def _figures(mode: Mode, learned: Learned, by: str) -> tuple[str, ...]:
    figure = f"NDCG@{JUDGED_AT} {learned.mean:.4f} ± {learned.error:.4f} in validation on {len(learned.mixed):,} users"
    alone = ", ".join(f"{name} {values.mean():.4f}" for name, values in learned.alone.items())
    cut = f"Weighed as trained until the time was up; more: --budget ({', '.join(learned.cut)})"
    return (f"{ASKS[mode]}: {figure}, by {by}", f"Each alone: {alone}", *([cut] if learned.cut else []))


def _rebuilt(name: str, arrays: Arrays, config: HybridConfig) -> Retriever:
    return model(name).from_arrays(arrays, _settings(name, config))
