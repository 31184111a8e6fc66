"""The sequence model as a torch module: it predicts the next item at each event of a sequence.

x_t = v_{i_t} + kind_{k_t} + place_t + gap_t,   h = Encoder(x) (causal),   v = own + Σ attributes' vectors
score(j) = (h_t + asked_{k_{t+1}})·v_j / τ + b_j,    L = Σ_t w(k_{t+1}) CE(scores, i_{t+1}) / Σ_t w

Where items come once, the cross-entropy may be over those that the user had not yet: what is drawn without
replacement follows taste among what is left (R. Plackett, "The analysis of permutations", 1975, doi:10.2307/2346567),
and nothing is spent on learning what was had, which no list holds. Deviations: 1. what an item is worth follows the
user's state, and changes from draw to draw; 2. draws weigh by their kind; 3. an event with an item that was had is
learned still, against those not had; 4. with negatives, the items left are those drawn.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from paretail.learn.device import full, unmixed
from paretail.learn.encoders import Encoder, EncoderConfig
from paretail.learn.products import Csr, propagate
from paretail.retrieve.sequences.start import Start

Scalar = Float[Tensor, ""]


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences with padding at their end, and of each event what came next: item, kind, weight in the loss.

    `negatives` are drawn for the whole batch, `log_q` is the log of how many of them are expected to be this item; both
    None where the loss goes over all items.
    """

    item: Int[Tensor, "users length"]
    kind: Int[Tensor, "users length"]
    gap: Int[Tensor, "users length"]
    real: Bool[Tensor, "users length"]
    next_item: Int[Tensor, " events"]
    next_kind: Int[Tensor, " events"]
    weight: Float[Tensor, " events"]
    negatives: Int[Tensor, " negs"] | None = None
    log_q: Float[Tensor, " negs"] | None = None


@dataclass(frozen=True, eq=False)
class Teacher:
    """A larger net that knows better: its scores have a `share` of the loss; both are divided by `softness` before."""

    net: "Net"
    share: float
    softness: float

    @torch.no_grad()
    def told(self, batch: Batch) -> Float[Tensor, "events cands"]:
        """Return the teacher's scores."""
        return self.net.to(batch.item.device).eval().scores(batch)


class Net(nn.Module):
    """The weights that are trained; the loss speaks of items with events alone."""

    def __init__(
        self, encoder: EncoderConfig, start: Start, kinds: int, temperature: float, teacher: Teacher | None = None,
        once: int | None = None,
    ) -> None:  # fmt: skip
        """`once` is the row of the kind under which a user has an item once."""
        super().__init__()
        self.once = once
        self.encoder, self.temperature, self.start, self.teacher = Encoder(encoder), temperature, start, teacher
        self.marks = Csr.of(start.marks)
        self.own, self.told, self.bias = (
            nn.Parameter(torch.from_numpy(part.copy())) for part in (start.own, start.told, start.bias)
        )
        self.kinds, self.asked = (nn.Parameter(torch.zeros(kinds, encoder.dim)) for _ in range(2))
        self.register_buffer("cands", torch.from_numpy(np.flatnonzero(start.known)), persistent=False)
        self.register_buffer("place", torch.from_numpy(np.cumsum(start.known) - 1), persistent=False)
        self.cands: Tensor
        self.place: Tensor

    def vectors(self) -> Float[Tensor, "items dim"]:
        """Return the vector of each item: its own, and the sum of its attributes'."""
        if not len(self.told):
            return self.own
        if self.marks.by_row.values.device != self.own.device:
            self.marks = Csr.of(self.start.marks, self.own.device)
        return self.own + propagate(self.marks, self.told)

    def loss(self, batch: Batch) -> Scalar:
        """Return the mean loss of the events that came next, by their weights."""
        scores = self.scores(batch)
        losses = cross_entropy(scores, self._wanted(batch), reduction="none")
        if self.teacher is not None:
            share, softness = self.teacher.share, self.teacher.softness
            losses = (1 - share) * losses + share * softened(scores, self.teacher.told(batch), softness)
        with unmixed(losses):  # a sum over the batch is too large for half precision
            return batch.weight @ full(losses) / batch.weight.sum()

    def scores(self, batch: Batch) -> Float[Tensor, "events cands"]:
        """Return scores of all items with events, or of what came next, first, and the batch's negatives."""
        items = self.vectors()
        asked = self.encode(batch, items)
        if batch.negatives is None or batch.log_q is None:
            scores = torch.addmm(self.bias[self.cands], asked, items[self.cands].T)
            had = self._had(batch, self.cands) & (self.cands != batch.next_item[:, None])
            return scores.masked_fill(had, -torch.inf)
        wanted = (asked * items[batch.next_item]).sum(1) + self.bias[batch.next_item]
        others = torch.addmm(self.bias[batch.negatives] - batch.log_q, asked, items[batch.negatives].T)
        left_out = self._had(batch, batch.negatives) | (batch.next_item[:, None] == batch.negatives)
        others = others.masked_fill(left_out, -torch.inf)
        return torch.cat([wanted[:, None], others], 1)

    def _had(self, batch: Batch, cands: Int[Tensor, " cands"]) -> Bool[Tensor, "events cands"]:
        """Say which items the user of each event had by then, under the kind that allows it once."""
        if self.once is None:
            return batch.real.new_zeros(1, 1).expand(len(batch.next_item), len(cands))
        counted = batch.real & (batch.kind == self.once)
        found = (batch.item[..., None] == cands) & counted[..., None]
        had: Tensor = found.cumsum(1, dtype=torch.int16)[batch.real] > 0
        return had

    def _wanted(self, batch: Batch) -> Int[Tensor, " events"]:
        return self.place[batch.next_item] if batch.negatives is None else torch.zeros_like(batch.next_item)

    def encode(self, batch: Batch, items: Float[Tensor, "all dim"]) -> Float[Tensor, "events dim"]:
        """Return what stands for the item that comes next, after each event."""
        tokens = items[batch.item] + self.kinds[batch.kind]
        gaps = batch.gap if self.encoder.gaps is not None else None
        found: Tensor = self.encoder(tokens, batch.real, gaps)[batch.real]
        return (found + self.asked[batch.next_kind]) / self.temperature


def softened(scores: Tensor, told: Tensor, softness: float) -> Float[Tensor, " events"]:
    """Return T² times the cross-entropy of the softened `scores` against those `told`: Hinton et al., section 2."""
    wanted = (told / softness).softmax(1)
    found = (scores / softness).log_softmax(1).masked_fill(wanted == 0, 0.0)
    return -(softness**2) * (wanted * found).sum(1)
