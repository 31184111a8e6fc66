"""Forms: what compiled composition (`policy/compiled.py`) reads of gains that depend on the other items of a slate."""

from typing import NamedTuple

from paretail.core.ids import Rows
from paretail.policy.pool import Floats


class Differing(NamedTuple):
    """`per_pair` for each item of the slate with another code; `codes[users, cands]`, -1 differs from all."""

    codes: Rows
    per_pair: float


class Apart(NamedTuple):
    """`per_pair` (1 - cosine) / 2 for each item of the slate; `vectors[items, dim]` have length 1 or 0."""

    vectors: Floats
    per_pair: float


class Matching(NamedTuple):
    """`steps[users, labels, held]` for the next item of a label that the slate holds so often; codes of -1 gain 0."""

    codes: Rows
    steps: Floats


class First(NamedTuple):
    """`p[users, cands]` times the probability that no item of the slate was clicked."""

    p: Floats


Form = Differing | Apart | Matching | First
