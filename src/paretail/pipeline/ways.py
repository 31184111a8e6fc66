"""Ways: the strongest ways through the shop's graph from somebody to a listed item, with exact counts, in words.

No model is asked (`graph/paths.py`). Friends are counted and never
named, but for lists of people, where who is known to both is an item that was had.
"""

from threading import Lock
from typing import Final

from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.graph.paths import Path, Paths
from paretail.pipeline.reasons import did, of_all, of_friends, others_too
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.regraph import graph_in

#: So many ways to an item are told.
MOST: Final = 3


class Ways:
    """The ways in what a bundle was trained on; the index of them is built at the first question, once."""

    def __init__(self, recommender: Recommender) -> None:
        self._bundle, self._building = recommender, Lock()
        self._built: Paths | None = None

    def to(self, rows: Rows, history: History, user_idx: int | None = None, most: int = MOST) -> list[list[Path]]:
        """Return up to `most` ways from the one user of `history` to each item: the best of each kind, then others.

        `user_idx` is the user's row in the bundle, None or below 0 for somebody new: they are not counted, and have
        friends. There is no way to an item that the user had under the target kind, or that the bundle does not know.
        """
        bundle, alone = self._bundle, None if user_idx is None or user_idx < 0 else user_idx
        target = bundle.history.kinds.index(bundle.target)
        had = {*history.item_idx[history.kind == target].tolist()}
        strange = [row in had or row >= len(bundle.items) for row in rows.tolist()]
        paths = self._paths
        return [[] if left else paths.to(row, history, most, alone)
                for row, left in zip(rows.tolist(), strange, strict=True)]  # fmt: skip

    def in_words(self, path: Path) -> str:
        """Return a way as one sentence, items called by their titles where there are any."""
        bundle = self._bundle
        if path.kind == "friend":
            return of_friends(path.count, path.out_of, bundle.target)
        if path.kind == "label":
            column, value = self.label(path)
            return f"same {column} ({value}): {of_all(path.count, path.out_of, bundle.target)}"
        name, kind = f'"{self._bundle.titles[path.row]}"', str(path.did)
        return f"you {did(kind, name)}: {others_too(path.count, kind, name, bundle.target)}"

    def label(self, path: Path) -> tuple[str, str]:
        """Return what a person calls the column of a label, and its value."""
        return self._bundle.called(path.node_type), self._paths.graph.nodes[path.node_type].name(path.row)

    @property
    def _paths(self) -> Paths:
        with self._building:
            if self._built is None:
                self._built = Paths.of(graph_in(self._bundle), self._bundle.target, self._bundle.evidence.index)
            return self._built
