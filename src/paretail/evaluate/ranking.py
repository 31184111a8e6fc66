"""Ranking metrics over full lists: Recall, NDCG, hit rate, MRR and MAP of each user, never their mean.

Source: K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002,
doi:10.1145/582415.582418 (NDCG); E. Voorhees, "The TREC-8 question answering track report", 1999 (MRR);
C. Manning, P. Raghavan, H. Schütze, "Introduction to Information Retrieval", 2008, chapter 8 (the others).

Every function takes `hit[users, k]`, whether the item at that position is held out, and `held[users]`, the number
of held-out items, and returns `values[users]`, NaN for a user without held-out items. No negatives are sampled.
Where libraries differ: Recall divides by all held-out items, not by at most k; the ideal of NDCG and the divisor
of MAP are min(k, held-out items).
Deviations: 1. NDCG has gains of 0 or 1 and divides by log2(rank + 1) from the first rank on, where the paper divides by
log_b(rank) from rank b on; 2. MRR and MAP end at k, and so does what they are divided by.
"""

import numpy as np
from numpy.typing import NDArray

from paretail.core.ids import Rows
from paretail.data.held import Held, pair_keys

Hit = NDArray[np.bool_]
Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def pair_positions(lists: Rows, held: Held) -> NDArray[np.int64]:
    """Return for each cell of `lists[users, k]` the position of its pair in `held`, -1 where it is not held out.

    Row u of `lists` is user u of `held`; item -1 means that the list has ended. An item must occur once a list.
    """
    if lists.shape[0] != held.users:
        raise ValueError(f"{lists.shape[0]} lists for {held.users} users")
    width = 1 + int(max(lists.max(initial=-1), held.item_idx.max(initial=-1)))
    asked = pair_keys(np.arange(held.users, dtype=np.int32)[:, None], lists, width)
    known = pair_keys(held.user_idx, held.item_idx, width)  # ascending, as Held is
    at = np.searchsorted(known, asked)
    found = (lists >= 0) & (np.append(known, -1)[at] == asked)
    return np.where(found, at, -1)


def hits(lists: Rows, held: Held) -> Hit:
    """Return whether each cell of `lists[users, k]` is one of the user's held-out items."""
    return pair_positions(lists, held) >= 0


def recall(hit: Hit, held: Counts) -> Values:
    """Recall@k = hits / held-out items."""
    return _share(hit.sum(axis=1), held)


def ndcg(hit: Hit, held: Counts) -> Values:
    """NDCG@k = Σ_r hit_r / log2(r + 1) over the same sum of an ideal list of min(k, held-out items) hits."""
    k = hit.shape[1]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    return _share(hit @ discount, ideal[np.minimum(held, k)])


def hit_rate(hit: Hit, held: Counts) -> Values:
    """HR@k = 1 if any item of the list is held out, else 0."""
    return np.where(held > 0, hit.any(axis=1), np.nan)


def mrr(hit: Hit, held: Counts) -> Values:
    """MRR@k = 1 / rank of the first hit, 0 without a hit (mean reciprocal rank, once averaged)."""
    first = np.where(hit.any(axis=1), 1.0 / (1 + hit.argmax(axis=1)), 0.0)
    return np.where(held > 0, first, np.nan)


def average_precision(hit: Hit, held: Counts) -> Values:
    """AP@k = Σ_r hit_r · precision@r / min(k, held-out items) (MAP, once averaged)."""
    k = hit.shape[1]
    precision = np.cumsum(hit, axis=1) / np.arange(1, k + 1)
    return _share((precision * hit).sum(axis=1), np.minimum(held, k))


def _share(part: NDArray[np.integer] | Values, whole: Counts | Values) -> Values:
    """Divide; NaN where the user is not asked anything."""
    share: Values = np.full(len(whole), np.nan)
    np.divide(part, whole, out=share, where=np.asarray(whole > 0))
    return share
