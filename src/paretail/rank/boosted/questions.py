"""Questions: lists that a retriever would have made at an earlier moment, and what the users did next.

    w(u, i) = 1 / P(pair is drawn | what followed),   so that  Σ_drawn w f(u, i) = Σ_all f(u, i)  in expectation

Of each user asked the NEAR best are all taken, of those behind them and of all other items a known part, of what
followed everything; users who did nothing are a known part as well. Weighted by w, a loss over what was drawn is that
over all pairs of everybody: probabilities are learned right although negatives are sampled.

Sources: D. Horvitz, D. Thompson, 1952, doi:10.2307/2280784 (weights by inverse inclusion); X. Ma et al., "Entire Space
Multi-Task Model", SIGIR 2018, doi:10.1145/3209978.3210104 (levels of a funnel, each over all pairs).
Deviations: 1. There is no space of impressions: the space is all pairs of users asked and items that lists may hold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.ids import Rows
from paretail.data.types import History
from paretail.rank.boosted.columns import REACH, Columns, Dense, Retrieved

#: Levels of the funnel, and the kinds that say that a pair reached it.
LEVELS: Final = ("click", "cart", "purchase")
#: So many of the retriever's best are all taken; it is also how many a list is drawn from.
NEAR: Final = 100
#: The part of those behind them, and how many of all other items, that are taken.
BEHIND: Final = 0.05
OTHERS: Final = 20

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Moment:
    """A moment: the `log` before it, whom to ask (`rows` of the log, each standing for `stands_for`), what they did.

    `followed` are the events after it, of the same users; `left_out[users, items]` what lists do not hold.
    """

    log: History
    rows: NDArray[np.int64]
    stands_for: NDArray[np.float64]
    followed: History
    left_out: sparse.csr_array

    @property
    def at_ms(self) -> int:
        """Right after the log."""
        return int(self.log.ts_ms.max(initial=0)) + 1


@dataclass(frozen=True, eq=False)
class Asked:
    """Pairs drawn: what is read of them, `[pairs, columns]`, the levels they reached, weights; `question` is a user's.

    `wanted[questions]` counts the pairs that reached the level `main`, which lists are for.
    """

    x: Dense
    reached: Mapping[str, Bools]
    weight: NDArray[np.float64]
    question: NDArray[np.int64]
    place: NDArray[np.int32]
    wanted: NDArray[np.int64]
    main: str

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def questions(self) -> int:
        """How many there are."""
        return len(self.wanted)

    def of(self, questions: Bools) -> Self:
        """Return the pairs of some questions."""
        keep = questions[self.question]
        number = np.cumsum(questions) - 1
        reached = {level: label[keep] for level, label in self.reached.items()}
        return type(self)(self.x[keep], reached, self.weight[keep], number[self.question[keep]], self.place[keep],
                          self.wanted[questions], self.main)  # fmt: skip

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Return many as one."""
        first = np.cumsum([0, *(part.questions for part in parts)])
        return cls(
            np.concatenate([part.x for part in parts]),
            {level: np.concatenate([part.reached[level] for part in parts]) for level in parts[0].reached},
            np.concatenate([part.weight for part in parts]),
            np.concatenate([part.question + start for part, start in zip(parts, first, strict=False)]),
            np.concatenate([part.place for part in parts]), np.concatenate([part.wanted for part in parts]),
            parts[0].main,
        )  # fmt: skip


def kinds_of(level: str, kinds: Sequence[str], target: str) -> tuple[str, ...]:
    """Return the kinds that reach a level; a click is any wish, or the target where that is weaker than a cart."""
    if level == "purchase":
        return ("purchase",)
    carts = tuple(kind for kind in ("cart", "purchase") if kind in kinds)
    if level == "cart":
        return carts if "cart" in kinds else ()
    wishes = tuple(kind for kind in kinds if kind not in ("impression", "refund", "self"))
    return wishes if target in carts else (target, *carts)


def level_of(target: str) -> str:
    """Return the level that lists are for."""
    return target if target in LEVELS else "click"


def drawn(moment: Moment, block: NDArray[np.int64], retrieved: Retrieved, columns: Columns, target: str,
          rng: np.random.Generator) -> Asked:  # fmt: skip
    """Draw pairs of the users `moment.rows[block]`, of whom `retrieved` tells."""
    rows, items = moment.rows[block], retrieved.scores.shape[1]
    free = np.ones((len(block), items), bool)
    free[_cells(sparse.csr_array(moment.left_out[rows]))] = False
    dense = {level: found & free for level, found in _reached(moment.followed.of_users(rows), items, target).items()}
    chance = np.where(dense[LEVELS[0]], 1.0, _chances(retrieved.place, items)) * free
    user, item = (part.astype(np.int32) for part in np.nonzero(rng.random(chance.shape) < chance))
    own = columns.matrix(moment.log.of_users(rows), user, item, moment.at_ms)
    x = np.concatenate([retrieved.columns(user, item), own], axis=1, dtype=np.float32)
    reached = {level: label[user, item] for level, label in dense.items()}
    weight = moment.stands_for[block][user] / chance[user, item]
    main = level_of(target)
    wanted = dense[main].sum(axis=1)
    return Asked(x, reached, weight, user.astype(np.int64), retrieved.place[user, item], wanted, main)


def _reached(followed: History, items: int, target: str) -> dict[str, Bools]:
    """Return which pairs `[users, items]` reached each level."""
    found = {}
    for level in LEVELS:
        kinds = kinds_of(level, followed.kinds, target)
        did = np.isin(followed.kind, [number for number, kind in enumerate(followed.kinds) if kind in kinds])
        found[level] = np.zeros((followed.users, items), bool)
        found[level][followed.user_idx[did], followed.item_idx[did]] = True
    return found


def blocks(count: int, cells: int, at_once: int = 32 << 20) -> Iterator[NDArray[np.int64]]:
    """Yield numbers below `count` in blocks whose matrices of `cells` a row fit into memory."""
    size = max(1, at_once // max(1, cells))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def _chances(place: NDArray[np.int32], items: int) -> NDArray[np.float64]:
    rest = min(1.0, OTHERS / max(1, items - REACH))
    return np.where(place < NEAR, 1.0, np.where(place < REACH, BEHIND, rest))


def _cells(matrix: sparse.csr_array) -> tuple[Rows, Rows]:
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr)), matrix.indices
