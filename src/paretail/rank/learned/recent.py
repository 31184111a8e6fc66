"""Recent: what a user turned to last, through the Transformer encoder, beside the item that is asked for.

    h(u, t) = norm(W last(Encoder(tokens)))   over the newest events of u before t,   token = A q_j + kind + age
    x_m = h_m · norm(V q_i)_m                 the columns that the network of the features reads

q are what is believed of items (means without the bias, no gradient), so that new items are tokens too. `age` is the
time from the event to the moment, in powers of two of seconds. Without events all columns are 0.

Sources: W.-C. Kang, J. McAuley, "Self-attentive sequential recommendation", ICDM 2018, arXiv:1808.09781; Q. Chen et
al., "Behavior sequence transformer", 2019, arXiv:1905.06874 (a Transformer of recent events as input of a ranker).
Deviations: 1. The item asked for is no token: it meets the encoded events in products, so that one encoding serves all
items of a moment. 2. `norm` has no weights, so that the columns are as large as standardised features.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm

from paretail.core.ids import Rows
from paretail.data.features.pairs import wished
from paretail.data.kinds import TARGETS
from paretail.data.types import History
from paretail.learn.encoders import Encoder, EncoderConfig, last_of

DIM: Final = 16
#: Columns that the network of the features reads.
MATCHES: Final = 8
NAMES: Final = tuple(f"recent {column}" for column in range(MATCHES))
#: Buckets of the time since an event: the last begins after two years.
AGES: Final = 28


@dataclass(frozen=True, eq=False)
class Moments:
    """What is encoded once: `user[moments]`, the `end` of their events before it in `turned`, the time `at_ms`.

    Moments of a user with the same events before them, the newest of which is as old in powers of two of seconds, are
    one: items that were shown together share it. `place[pairs]` is the moment of each pair that was asked for.
    """

    turned: History
    user: NDArray[np.int64]
    end: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, history: History, user: Rows, ts_ms: NDArray[np.int64]) -> Self:
        """Find the moments of pairs of users of `history`; events at `ts_ms[pairs]` or after it do not count."""
        turned, who = history.where(wished(history)), user.astype(np.int64)
        end = _ends(turned, who, ts_ms)
        newest = np.append(turned.ts_ms, 0)[np.maximum(end - 1, 0)]
        some = end > turned.indptr[who]
        seconds = np.where(some, (ts_ms - newest) / 1000, 0.0)
        bucket = np.where(some, np.minimum(np.log2(1 + seconds), AGES).astype(np.int64), 0)
        keys = (who * (len(turned.ts_ms) + 1) + end) * (AGES + 1) + bucket
        _, first, place = np.unique(keys, return_index=True, return_inverse=True)
        at = np.where(some, newest + 1000 * (2**bucket - 1), 0)
        return cls(turned, who[first], end[first], at[first], place)


@dataclass(frozen=True, eq=False)
class Sequences:
    """The newest events before some moments, oldest first, `[moments, length]` each; `item` is -1 behind the last."""

    item: Tensor
    kind: Tensor
    age: Tensor

    @classmethod
    def of(cls, moments: Moments, length: int) -> Self:
        """Take the newest events by which the users turned to items."""
        turned, end = moments.turned, moments.end
        count = np.minimum(end - turned.indptr[moments.user], length)
        there = np.arange(length) < count[:, None]
        at = np.where(there, (end - count)[:, None] + np.arange(length), 0)
        item, kind, when = (np.append(column, 0)[at] for column in (turned.item_idx, _strength(turned), turned.ts_ms))
        seconds = np.where(there, moments.at_ms[:, None] - when, 0) / 1000
        age = np.minimum(1 + np.floor(np.log2(1 + seconds)), AGES - 1)
        parts = (np.where(there, item, -1), np.where(there, kind, 0), np.where(there, age, 0))
        return cls(*(torch.from_numpy(part.astype(dtype)) for part, dtype in
                     zip(parts, (np.int32, np.uint8, np.uint8), strict=True)))  # fmt: skip

    def at(self, rows: Tensor) -> Self:
        """Return some moments."""
        return type(self)(self.item[rows].long(), self.kind[rows].long(), self.age[rows].long())


class Recent(nn.Module):
    """See the module; `length` events at most, of items whose vectors have so many `columns`."""

    def __init__(self, length: int, columns: int) -> None:
        super().__init__()
        self.length = length
        self.token = nn.Linear(columns, DIM, bias=False)
        self.kind = nn.Embedding(len(TARGETS) + 1, DIM)
        self.encoder = Encoder(
            EncoderConfig(dim=DIM, layers=1, heads=2, widening=2, dropout=0.0, length=length, gap_buckets=AGES)
        )
        self.asked = nn.Linear(DIM, MATCHES, bias=False)
        self.item = nn.Linear(columns, MATCHES, bias=False)

    def forward(self, told: Sequences, place: Int[Tensor, " pairs"], items: Float[Tensor, "items columns"],
                item: Int[Tensor, " pairs"]) -> Float[Tensor, "pairs matches"]:  # fmt: skip
        """Return the columns of pairs: of the moments `told[place]` and the rows `item` of the items' vectors."""
        real = told.item >= 0
        tokens = embedding(told.item.clamp(min=0), self.token(items)) + self.kind(told.kind)
        encoded = last_of(self.encoder(tokens, real, told.age), real)
        mine = layer_norm(self.asked(encoded), (MATCHES,))
        return embedding(place, mine) * embedding(item, layer_norm(self.item(items), (MATCHES,)))

    @torch.no_grad()
    def matrix(self, history: History, user: Rows, item: Rows, ts_ms: NDArray[np.int64],
               items: NDArray[np.float32]) -> NDArray[np.float32]:  # fmt: skip
        """Return the columns of pairs of users of `history` and items as of `ts_ms[pairs]`."""
        moments = Moments.of(history, user, ts_ms)
        told = Sequences.of(moments, self.length).at(torch.arange(len(moments.user)))
        place, rows = torch.from_numpy(moments.place), torch.from_numpy(item.astype(np.int64))
        return np.asarray(self(told, place, torch.from_numpy(items), rows).numpy())


def _ends(turned: History, user: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place behind the last event of each user before each time, by one search in user and time at once."""
    start, last = (int(turned.ts_ms.min()), int(turned.ts_ms.max())) if len(turned.ts_ms) else (0, 0)
    span = last - start + 2
    keys = turned.user_idx.astype(np.int64) * span + (turned.ts_ms - start)
    return np.searchsorted(keys, user * span + np.clip(ts_ms - start, 0, span - 1)).astype(np.int64)


def _strength(history: History) -> NDArray[np.int64]:
    """Return the place of each event's kind among our words, that after the last for a shop's own."""
    places: dict[str, int] = {kind: place for place, kind in enumerate(TARGETS)}
    codes: NDArray[Any] = np.array([places.get(kind, len(TARGETS)) for kind in history.kinds] or [0])
    return np.asarray(codes[history.kind], np.int64)
