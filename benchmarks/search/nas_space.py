"""The space of NAS-Bench-Graph behind the protocol of a search: a foreign space, of which paretail knows nothing.

An architecture is its number in the tables. Its tokens are how four operations are joined (9 trees, `link_list` of the
package) and the operations (9). Many tokens mean one architecture: branches may be swapped, operations that only copy
moved to the front; the package's `valid_hash` says which number all of them have.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
from nas_bench_graph.architecture import Arch, gnn_list, link_list
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tokens = tuple[int, ...]
OPERATIONS = len(gnn_list)
SKIP = gnn_list.index("skip")


@cache
def _meanings() -> dict[Tokens, int]:
    """Return the architecture that each sequence of tokens means; four copies in a row are no network."""
    shape = (len(link_list), *[OPERATIONS] * 4)
    meant = {}
    for tokens in np.ndindex(*shape):
        if set(tokens[1:]) != {SKIP}:
            meant[tokens] = Arch(list(link_list[tokens[0]]), [gnn_list[o] for o in tokens[1:]]).valid_hash()
    return meant


class NasBenchGraph:
    """A `Space` of the architectures whose numbers are `keys`; `plain` encodes the tokens alone, one-hot."""

    choices = (len(link_list), *[OPERATIONS] * 4)

    def __init__(self, keys: NDArray[np.int64], plain: bool = False) -> None:
        known = set(keys.tolist())
        self._meant = {tokens: key for tokens, key in _meanings().items() if key in known}
        self._tokens: dict[int, Tokens] = {}
        for tokens, key in self._meant.items():
            self._tokens.setdefault(key, tokens)
        self._keys = np.array(sorted(self._tokens))
        self._row = {key: row for row, key in enumerate(self._keys.tolist())}
        encode = _one_hot if plain else _numbers
        self._encoded = np.array([encode(self._tokens[key]) for key in self._keys.tolist()])
        written = defaultdict(list)
        for tokens, key in self._meant.items():
            written[key].append(tokens)
        self._written = dict(written)

    def sample(self, rng: np.random.Generator, count: int) -> list[int]:
        return self._keys[rng.integers(len(self._keys), size=count)].tolist()

    def neighbours(self, architecture: int, rng: np.random.Generator, count: int) -> list[int]:
        """Change one token of any of the ways to write the architecture."""
        found = {}
        for tokens in self._written[architecture]:
            for field, options in enumerate(self.choices):
                for option in range(options):
                    key = self._meant.get((*tokens[:field], option, *tokens[field + 1 :]))
                    if key not in (None, architecture):
                        found[key] = None
        near = sorted(found)
        return [near[row] for row in rng.permutation(len(near))[:count]]

    def encode(self, architectures: Sequence[int]) -> Array:
        return self._encoded[self.rows(architectures)]

    def rows(self, architectures: Sequence[int]) -> list[int]:
        """Return where architectures stand in a table."""
        return [self._row[key] for key in architectures]

    def tokens(self, architecture: int) -> Tokens:
        return self._tokens[architecture]

    def from_tokens(self, tokens: Sequence[int]) -> int | None:
        return self._meant.get(tuple(tokens))


def _one_hot(tokens: Tokens) -> Array:
    return np.concatenate(
        [np.eye(options)[token] for token, options in zip(tokens, NasBenchGraph.choices, strict=True)]
    )


def _numbers(tokens: Tokens) -> Array:
    """Return what does not change when branches are swapped: the tree, operations, where they are, and which follow."""
    joins, operations = link_list[tokens[0]], tokens[1:]
    depth = [0, 0, 0, 0]
    for node, before in enumerate(joins):
        depth[node] = depth[before - 1] + 1 if before else 0
    ends = [node for node in range(4) if node + 1 not in joins]
    counts: Counter[int] = Counter(operations)
    tree = np.eye(len(link_list))[tokens[0]]
    where, follow, last = np.zeros((4, OPERATIONS)), np.zeros((OPERATIONS + 1, OPERATIONS)), np.zeros(OPERATIONS)
    for node, operation in enumerate(operations):
        where[depth[node], operation] += 1
        follow[operations[joins[node] - 1] if joins[node] else OPERATIONS, operation] += 1
        last[operation] += node in ends
    many = np.array([counts[o] for o in range(OPERATIONS)], float)
    return np.concatenate([tree, many, where.ravel(), follow.ravel(), last, [max(depth), len(ends)]])
