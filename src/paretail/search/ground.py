"""The ground of a search: what every trial shares, made once and kept in a folder that workers read.

The graph holds the training part of the split that copies the shop's question. Users whose later events are hidden are
parted in two: the search is told of the ones, what is chosen is judged on the others. The best of forty validations
looks better than it is; on users that no choice was made by, it does not.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from paretail.data.types import Catalogue
from paretail.evaluate.context import Context, labels
from paretail.graph.fingerprint import fingerprint
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.question import held_out

#: Users who are asked at most, the share of them that the search is told of, and with fewer none is kept apart.
MOST_ASKED: Final = 4000
TOLD_SHARE: Final = 0.6
FEWEST_TO_PART: Final = 100


@dataclass(frozen=True, eq=False)
class Ground:
    """`graph.history` is what may be learned from; rows of users `told`, whom the search may see, and `apart`."""

    graph: ShopGraph
    held: Held
    told: NDArray[np.int64]
    apart: NDArray[np.int64]
    question: Question
    mode: Mode
    fingerprint: str

    @classmethod
    def of(cls, graph: ShopGraph, question: Question, seed: int, mode: Mode | None = None) -> Self:
        """Split the events of `graph`; `mode` says what lists leave out, by default what the question does.

        Raises DataError (SRCH-13) where nobody can be asked.
        """
        mode = question.mode if mode is None or question.target == FRIEND else mode
        rng = rng_for("search/validation", seed)
        split = held_out(graph.history, question.target, mode, MOST_ASKED, rng)
        asked = np.flatnonzero(split.held.counts)
        if not len(asked):
            found = f"of {graph.users:,} users none can be asked for a held-out {question.target}"
            raise DataError(Problem("SRCH-13", found, "Users with two or more events", "Wait for more events"))
        told = np.sort(rng.permutation(asked)[: round(TOLD_SHARE * len(asked))])
        told, apart = (told, np.setdiff1d(asked, told)) if len(asked) >= FEWEST_TO_PART else (asked, asked)
        train = graph.with_history(split.train)
        return cls(train, split.held, told, apart, question, mode, _fingerprint(graph, question, mode, seed))

    @cached_property
    def split(self) -> Split:
        """The split as the search sees it."""
        return Split(self.graph.history, self.held.where(np.isin(self.held.user_idx, self.told)), self.question.target)

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
        graph = ShopGraph.load(folder / "graph")
        return cls(graph, held, arrays["told"], arrays["apart"], question, facts["mode"], facts["fingerprint"])


def _fingerprint(graph: ShopGraph, question: Question, mode: Mode, seed: int) -> str:
    """Return a SHA-256 of all that a trial learns from and is asked: the graph, the question, the split."""
    asked = [asdict(question), mode, seed, MOST_ASKED, TOLD_SHARE, fingerprint(graph)]
    return sha256(json.dumps(asked, default=dict).encode()).hexdigest()
