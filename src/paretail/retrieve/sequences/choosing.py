"""Choosing settings of the sequence model: epochs by early stopping on a split of the events, then a step at a time."""

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.progress import Progress
from paretail.core.rng import rng_for
from paretail.data.held import Mode
from paretail.data.splits import Split
from paretail.graph.interactions import kind_weights
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.fitting import PATIENCE, FitContext
from paretail.retrieve.question import held_out
from paretail.retrieve.sequences.sizes import SIZES
from paretail.retrieve.tune import Trial, judged, out_of_time

if TYPE_CHECKING:
    from paretail.retrieve.models.sequence import Sequence

Settings = dict[str, Any]
#: Users asked in validation: each epoch asks them all.
MOST_ASKED: Final = 2000
#: Epochs of a search, at most.
MOST_EPOCHS: Final = 30
#: Settings that a teacher does not share.
OF_PUPIL: Final = ("size", "dim", "layers", "heads", "teacher", "teacher_share", "softness", "precision")
#: What is tried after the defaults, one after the other.
STEPS: Final[tuple[Settings, ...]] = (
    {"dropout": 0.2}, {"layers": 1}, {"length": 20}, {"lr": 3e-3}, {"repeat": False},
)  # fmt: skip


def choose(
    model: type["Sequence"], graph: ShopGraph, question: Question, given: Settings, seed: int, seconds: float,
    progress: Progress,
) -> Choice:  # fmt: skip
    """Return the best settings found within `seconds`; those in `given` are never changed.

    Where the number of epochs is given nothing is searched.
    `size = "auto"` grows from the smallest size until validation gains no more than one standard error. The search ends
    before a step that might end too late: one may take twice as long as the longest so far.
    """
    weights = kind_weights(question.wishes) | dict(question.weights)
    start: Settings = {"target": question.target, "weights": weights} | given
    if "epochs" in given:
        return Choice(model.config_type.parse(start, "[model.settings]"), remarks=("epochs are given: nothing chosen",))
    mode = question.mode
    split = held_out(graph.history, question.target, mode, MOST_ASKED, rng_for(f"retrieve/sequences/{mode}", seed))
    if not split.held.counts.any():
        return Choice(model.config_type.parse(start, "[model.settings]"), remarks=("too few events to choose by",))
    search = _Search(model, graph.with_history(split.train), split, mode, seed, seconds, progress)
    if given.get("teacher"):  # who learns from a teacher learns as long
        search.gains({key: value for key, value in start.items() if key not in OF_PUPIL} | {"size": given["teacher"]})
        return search.choice(start | {"epochs": search.best.settings["epochs"]}, " of the teacher")
    for size in SIZES if given.get("size") == "auto" else ["given"]:
        if not search.gains(start | ({} if size == "given" else {"size": size})):
            break
    for step in STEPS[:-1] if question.repeat else STEPS:
        search.gains(search.best.settings | {key: value for key, value in step.items() if key not in given})
    return search.choice()


@dataclass
class _Search:
    """The best trial so far, and what was left untried when the time was up."""

    model: type["Sequence"]
    graph: ShopGraph
    split: Split
    mode: Mode
    seed: int
    seconds: float
    progress: Progress
    began: float = field(default_factory=monotonic)
    tried: int = 0
    untried: int = 0
    longest: float = 0.0
    found: Trial | None = None

    @property
    def best(self) -> Trial:
        """The best trial; the first is always made."""
        assert self.found is not None
        return self.found

    def gains(self, settings: Settings) -> bool:
        """Try settings where there is time and they are new; keep them where they are better, and say so."""
        began, ends = monotonic(), self.began + self.seconds
        if self.found is not None and settings.items() <= self.best.settings.items():
            return False
        if self.found is not None and began + 2 * self.longest > ends:
            self.untried += 1
            return False
        trial = self._trial(settings, max(ends - began, 1.0) / 60)
        self.tried, self.longest = self.tried + 1, max(self.longest, monotonic() - began)
        better = self.found is None or trial.beats(self.found)
        self.found = trial if better else self.found
        return better

    def choice(self, settings: Settings | None = None, whose: str = "") -> Choice:
        """Return the best settings, or those given, and tell what the best were measured at."""
        best = self.best
        short = ", cut by the time" if best.run and best.run["stopped"] == "minutes" else ""
        config = self.model.config_type.parse(settings or best.settings, "[model.settings]")
        cut = out_of_time(self.untried, self.seconds)
        return best.chosen(config, self.mode, self.tried, f"{whose}; {best.settings['epochs']} epochs{short}", cut)

    def _trial(self, settings: Settings, minutes: float) -> Trial:
        """Train on the split and stop early; the settings of the trial name the best epoch."""
        config = self.model.config_type.parse(settings | {"epochs": MOST_EPOCHS}, "[model.settings]")
        context = FitContext(self.progress, minutes=minutes)
        fitted = self.model.judged(
            self.graph, config, self.seed, context, lambda m: float(self._ndcg(m).mean()), PATIENCE
        )
        best = (fitted.run or {}).get("best_epoch") or 1
        return Trial(settings | {"epochs": best}, self._ndcg(fitted), fitted.run or None)

    def _ndcg(self, model: "Sequence") -> NDArray[np.float64]:
        return judged(model, self.split, self.split.target, self.mode, self.graph.items)
