"""Slates: drawn by Plackett and Luce's model or composed greedily, their exact log-probabilities, and SlateQ's best
one.

    P(slate) = Π_j exp s_j(i_j) / Σ_{i not above} exp s_j(i)

s_j may depend on the slots above. Sources: R. L. Plackett, 1975, doi:10.2307/2346567; W. Kool et al., 2019,
arXiv:1903.06059 (draws by Gumbel noise); E. Ie et al., "SlateQ", 2019, arXiv:1905.12767, section 5 (top-k, greedy,
exact). Deviations: 1. The exact slate comes from the ratio's parametric form (W. Dinkelbach, "On nonlinear fractional
programming", 1967, doi:10.1287/mnsc.13.7.492) in place of a linear program: max Σ v_i (q_i - λ) is a top-k for each λ.
2. The entropy is that of each slot given those above it, an unbiased estimate of the slate's where slates are drawn.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from paretail.policy.agents.networks import Scorer, Scores, Seen

Rows = Int[Tensor, "batch slots"]
BySlot = Float[Tensor, "batch slots"]


class Scoring(Protocol):
    """What scores the items of a state: some scorers, and how their scores are mixed."""

    scorers: Sequence[Scorer]

    def mix(self, parts: Sequence[Any]) -> Any:
        """Return the scores by which slots are filled, from those of each scorer."""
        ...


@torch.no_grad()
def composed(model: Scoring, seen: Seen, slots: int, noise: Tensor | None = None) -> tuple[Rows, BySlot]:
    """Return slates filled from the top, each slot with the best item left, and the log-probabilities of their slots.

    `noise[batch, slots, items]`, of Gumbel's distribution, makes it a draw.
    """
    known = [scorer.prepared(seen) for scorer in model.scorers]
    parts = [scorer.first(one) for scorer, one in zip(model.scorers, known, strict=True)]
    lanes, phi = torch.arange(len(seen.x)), model.scorers[0].phi
    gone, counts = torch.zeros_like(parts[0]), torch.zeros(len(lanes), seen.groups.shape[1])
    rows, logs = [], []
    for slot in range(slots):
        scores = model.mix(parts) + gone
        best = (scores if noise is None else scores + noise[:, slot]).argmax(1)
        rows.append(best)
        logs.append(scores[lanes, best] - scores.logsumexp(1))
        gone[lanes, best] = -torch.inf
        if slot + 1 < slots:
            moved = [scorer.moved(one, best, counts) for scorer, one in zip(model.scorers, known, strict=True)]
            parts = [part + more for part, more in zip(parts, moved, strict=True)]
            counts = counts + phi[best, model.scorers[0].components :]
    return torch.stack(rows, 1), torch.stack(logs, 1)


def free(scores: Scores, rows: Rows) -> Scores:
    """Return the scores with -inf, in each slot, for the items that stand above it."""
    batch, slots, items = scores.shape
    above_it = torch.ones(slots, slots, dtype=torch.bool).tril(-1)
    index = rows[:, None, :].expand(-1, slots, -1).masked_fill(~above_it, items)
    gone = torch.zeros(batch, slots, items + 1).scatter_(2, index, -torch.inf)
    return scores + gone[:, :, :items]


def log_prob(scores: Scores, rows: Rows) -> BySlot:
    """Return the log-probability of each slot's item given those above; `scores` as from `slate_scores`."""
    return scores.gather(2, rows[:, :, None])[:, :, 0] - scores.logsumexp(2)


def entropy(scores: Scores) -> BySlot:
    """Return the entropy of each slot given those above."""
    log_p = scores - scores.logsumexp(2, keepdim=True)
    return -(log_p.exp() * log_p.masked_fill(log_p == -torch.inf, 0)).sum(2)


def greedy_slate(v: Float[Tensor, "batch items"], q: Float[Tensor, "batch items"], slots: int,
                 v_none: Tensor, q_none: Tensor) -> Rows:  # fmt: skip
    """Return the slates filled one by one, each time with the item that makes (Σ v q) / (Σ v) largest."""
    up, down = v_none * q_none, v_none.clone()
    lanes, taken, rows = torch.arange(len(v)), torch.zeros_like(v), []
    for _ in range(slots):
        best = ((up[:, None] + v * q) / (down[:, None] + v) + taken).argmax(1)
        rows.append(best)
        taken[lanes, best] = -torch.inf
        up, down = up + (v * q)[lanes, best], down + v[lanes, best]
    return torch.stack(rows, 1)


def exact_slate(v: Float[Tensor, "batch items"], q: Float[Tensor, "batch items"], slots: int,
                v_none: Tensor, q_none: Tensor) -> Rows:  # fmt: skip
    """Return the slates of the largest (v_none q_none + Σ v q) / (v_none + Σ v)."""
    rows = greedy_slate(v, q, slots, v_none, q_none)
    for _ in range(50):
        worth = _worth(v, q, rows, v_none, q_none)
        better = (v * (q - worth[:, None])).topk(slots, 1).indices
        gain = _worth(v, q, better, v_none, q_none) > worth + 1e-9
        if not gain.any():
            break
        rows = torch.where(gain[:, None], better, rows)
    return rows


def _worth(v: Tensor, q: Tensor, rows: Rows, v_none: Tensor, q_none: Tensor) -> Tensor:
    mine, its = v.gather(1, rows), q.gather(1, rows)
    return ((mine * its).sum(1) + v_none * q_none) / (mine.sum(1) + v_none)
