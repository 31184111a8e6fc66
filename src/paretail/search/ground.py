"""The ground of a search: what every trial shares, made once and kept in a folder that workers read.

The graph holds the training part of the split that copies the shop's question. Users whose later events are hidden are
parted in two: the search is told of the ones, what is chosen is judged on the others. The best of forty validations
looks better than it is; on users that no choice was made by, it does not.

A model that chooses its own settings (`blend`, `mf`) does so by hidden events too. What is hidden already leaves it too
few: on a shop of 875 such users it found 252 others, too few to learn from. So it chooses on `shown`, which has the
hidden events of the users told again, by which architectures are chosen too, and none of those kept apart.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import DataError, Problem
from paretail.core.rng import rng_for
from paretail.data.held import Held, Mode
from paretail.data.kinds import FRIEND
from paretail.data.splits import Split
from paretail.data.types import Catalogue, History
from paretail.evaluate.context import Context, labels
from paretail.graph.fingerprint import fingerprint
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.question import held_out

#: Users who are asked at most, the share of them that the search is told of, and with fewer none is kept apart.
MOST_ASKED: Final = 4000
TOLD_SHARE: Final = 0.6
FEWEST_TO_PART: Final = 100
#: The arrays of a history.
EVENTS: Final = ("indptr", "item_idx", "kind", "ts_ms", "quantity")


@dataclass(frozen=True)
class Excluding(Question):
    """The shop's question, asked with another `exclude` than follows from it."""

    exclude: Mode = "target"

    @property
    def mode(self) -> Mode:
        """What lists leave out."""
        return self.exclude


@dataclass(frozen=True, eq=False)
class Ground:
    """`graph.history` is what may be learned from; rows of users `told`, whom the search may see, and `apart`.

    `shown` is the history with what is hidden of users told, by which models choose their own settings.
    """

    graph: ShopGraph
    held: Held
    told: NDArray[np.int64]
    apart: NDArray[np.int64]
    question: Question
    mode: Mode
    fingerprint: str
    shown: History

    @classmethod
    def of(cls, graph: ShopGraph, question: Question, seed: int, mode: Mode | None = None) -> Self:
        """Split the events of `graph`; `mode` says what lists leave out, by default what the question does.

        Raises DataError (SRCH-13) where nobody can be asked.
        """
        mode = question.mode if mode is None or question.target == FRIEND else mode
        rng = rng_for("search/validation", seed)
        whole = graph.history
        places: Any = np.arange(len(whole.item_idx))
        numbered = replace(whole, quantity=places)  # at which no split looks
        split = held_out(numbered, question.target, mode, MOST_ASKED, rng)
        asked = np.flatnonzero(split.held.counts)
        if not len(asked):
            found = f"of {graph.users:,} users none can be asked for a held-out {question.target}"
            raise DataError(Problem("SRCH-13", found, "Users with two or more events", "Wait for more events"))
        told = np.sort(rng.permutation(asked)[: round(TOLD_SHARE * len(asked))])
        told, apart = (told, np.setdiff1d(asked, told)) if len(asked) >= FEWEST_TO_PART else (asked, asked)
        learned = np.zeros(len(whole.item_idx), bool)
        learned[np.asarray(split.train.quantity, np.int64)] = True
        known = learned | _shown(whole, question.target, apart if apart is not told else apart[:0])
        parts = (split.held.indptr, split.held.item_idx, told, learned)
        made = _fingerprint(graph, question, mode, seed, parts)
        train = graph.with_history(whole.where(learned))
        return cls(train, split.held, told, apart, question, mode, made, whole.where(known))

    @cached_property
    def split(self) -> Split:
        """The split as the search sees it."""
        return Split(self.graph.history, self.held.where(np.isin(self.held.user_idx, self.told)), self.question.target)

    @property
    def choosing(self) -> tuple[ShopGraph, Question]:
        """The graph on which models choose their own settings, and the question that they choose for."""
        repeat = self.question.repeat or self.mode == "none"
        asked = {**vars(self.question), "repeat": repeat, "exclude": self.mode}
        return self.graph.with_history(self.shown), Excluding(**asked)

    @cached_property
    def context(self) -> Context:
        """What metrics beyond accuracy know, for the users `told`."""
        tables = self.graph.tables
        told = labels(Catalogue(tables["item"]), self.graph.nodes["item"]) if "item" in tables else None
        return Context.of(self.graph.history, self.graph.items, rows=self.told, categories=told)

    def save(self, folder: Path) -> None:
        """Write to the new folder `folder`."""
        folder.mkdir(parents=True)
        self.graph.save(folder / "graph")
        np.savez(
            folder / "held.npz", indptr=self.held.indptr, item_idx=self.held.item_idx, repeat=self.held.repeat,
            told=self.told, apart=self.apart,
        )  # fmt: skip
        np.savez(folder / "shown.npz", **{name: getattr(self.shown, name) for name in EVENTS})
        asked = {**asdict(self.question), "weights": dict(self.question.weights)}
        facts = {"question": asked, "mode": self.mode, "fingerprint": self.fingerprint}
        (folder / "ground.json").write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the graph's arrays stay on disk until they are touched."""
        facts: Mapping[str, Any] = json.loads((folder / "ground.json").read_text(encoding="utf-8"))
        asked, arrays = facts["question"], np.load(folder / "held.npz")
        question = Question(**{**asked, "wishes": tuple(asked["wishes"])})
        held = Held(arrays["indptr"], arrays["item_idx"], arrays["repeat"])
        graph, told = ShopGraph.load(folder / "graph"), (arrays["told"], arrays["apart"])
        with np.load(folder / "shown.npz") as events:
            shown = replace(graph.history, **{name: events[name] for name in EVENTS})
        return cls(graph, held, *told, question, facts["mode"], facts["fingerprint"], shown)


def _shown(history: History, target: str, apart: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the events that tell nothing hidden of the users kept apart; links tell of both whom they join."""
    shown = ~np.isin(history.user_idx, apart)
    return shown & ~np.isin(history.item_idx, apart) if target == FRIEND else shown


def _fingerprint(graph: ShopGraph, question: Question, mode: Mode, seed: int, parts: Sequence[NDArray[Any]]) -> str:
    """Return a SHA-256 of all that a trial learns from and is asked: the graph, the question, the split in `parts`."""
    asked = [asdict(question), mode, seed, MOST_ASKED, TOLD_SHARE, fingerprint(graph)]
    split = [sha256(part.astype(np.int64).tobytes()).hexdigest() for part in parts]
    return sha256(json.dumps([*asked, *split], default=dict).encode()).hexdigest()
