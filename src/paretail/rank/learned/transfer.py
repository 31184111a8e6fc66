"""Transfer: a ranker that starts from what another bundle's ranker believes, instead of from nothing.

    p(θ) = N(μ', σ'² + δ_k²) for what has the same name there, N(0, τ_k²) for the rest

Its posterior is the prior here: of the columns of attributes and traits by their names, of the network of features by
its parts, of tasks by their names, and, where an item is the same thing in both (a new country of one shop), of the
items' own vectors. How far the columns drift from it, δ_k, is learned with the rest (`gaussian.py`), so that a shop of
other tastes leaves it behind. Users are never taken over: theirs is the shop's own log.

Sources: T. Evgeniou, M. Pontil, "Regularized multi-task learning", KDD 2004, doi:10.1145/1014052.1014067 (a penalty on
the distance from another task); C. Nguyen et al., "Variational continual learning", ICLR 2018, arXiv:1710.10628 (the
posterior as the next prior). Deviations: 1. The drift is learned by column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.ids import Vocabulary
from paretail.rank import RankError
from paretail.rank.learned.gaussian import Gaussian
from paretail.rank.learned.network import RankNet

#: Settings that must be those of the other bundle: its numbers fit no other network.
SAME: Final = ("dim", "own_dim", "sharing", "sharing_settings", "shared_vectors", "retrieved", "recent")


@dataclass(frozen=True, eq=False)
class Origin:
    """What is known of another ranker: its network, the names of its columns, the standard of its features.

    `items` are its items where they are the same things here, None where equal ids mean nothing.
    """

    net: RankNet
    names: Mapping[str, Sequence[str]]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    items: Vocabulary | None


def started(net: RankNet, origin: Origin, names: Mapping[str, Sequence[str]], items: Vocabulary) -> str:
    """Let a fresh network start from another, and return what was taken over, for people."""
    _check(net, origin.net, origin.names)
    _tables(net, origin)
    taken = {end: _rows(origin.names[end], names[end]) for end in ("users", "items")}
    _follow(net, origin, "user_side", taken["users"])
    _follow(net, origin, "item_side", taken["items"])
    same = np.full(len(items), -1)
    if origin.items is not None:
        same = origin.items.rows(items.ids).astype(np.int64)
        _follow(net, origin, "item_own", same)
    counts = [int((rows >= 0).sum()) for rows in (taken["items"], taken["users"], same)]
    return (
        f"starts from another bundle: {counts[0]} of {len(names['items'])} columns of items, {counts[1]} of "
        f"{len(names['users'])} of users, {counts[2]:,} of {len(items):,} items, the network of features"
    )


def _check(net: RankNet, origin: RankNet, there: Mapping[str, Sequence[str]]) -> None:
    """Raise RankError (RANK-16) where the settings, or the parts of the retriever's score, make another network."""
    config, other = net.config, origin.config
    if not there:
        found, do = "the other bundle does not name its columns", "Train it again with this version"
        raise RankError(Problem("RANK-16", found, "A bundle of this version", do))
    apart = {name: (getattr(other, name), getattr(config, name)) for name in SAME}
    apart["what the retriever tells"] = origin.retrieved, net.retrieved
    apart = {name: both for name, both in apart.items() if both[0] != both[1]}
    if apart:
        found = ", ".join(f"{name} = {theirs!r} there, {ours!r} here" for name, (theirs, ours) in apart.items())
        do = "Set [rank] as the other bundle was trained, or start from nothing"
        raise RankError(Problem("RANK-16", f"the rankers differ: {found}", "The same settings", do))


@torch.no_grad()
def _tables(net: RankNet, origin: Origin) -> None:
    """Take over what belongs to tasks and columns, and the network of features, which stays the centre of its prior."""
    there = [origin.net.tasks.index(task) if task in origin.net.tasks else -1 for task in net.tasks]
    for here, place in enumerate(there):
        if place >= 0:
            for name in ("mix", "bias", "slope", "gain"):
                getattr(net, name)[here] = getattr(origin.net, name)[place]
    net.unseen.copy_(origin.net.unseen)
    net.log_sigma.copy_(origin.net.log_sigma)
    others = dict(origin.net.net.named_parameters())
    for name, param in net.net.named_parameters():
        if name in others and others[name].shape == param.shape:
            param.copy_(others[name])
            net.anchors[name] = others[name].detach().clone()
    for table in ("user_own", "user_side", "item_own", "item_side"):
        mine, theirs = _columns(net, origin.net, slopes=table.startswith("user"))
        getattr(net, table).log_prior[mine] = getattr(origin.net, table).log_prior[theirs]


@torch.no_grad()
def _follow(net: RankNet, origin: Origin, table: str, rows: NDArray[np.int64]) -> None:
    """Let the rows of a table start from those `rows` of the other's, -1 for none."""
    mine: Gaussian = getattr(net, table)
    other: Gaussian = getattr(origin.net, table)
    mean, variance = mine.mean.detach().clone(), (2 * mine.log_spread).exp().detach()
    known = torch.from_numpy((rows >= 0).astype(np.float32))
    here, there = _columns(net, origin.net, slopes=table.startswith("user"))
    at, source = torch.from_numpy(np.flatnonzero(rows >= 0)), torch.from_numpy(rows[rows >= 0])
    mean[at[:, None], torch.tensor(here)] = other.mean[source][:, there]
    variance[at[:, None], torch.tensor(here)] = other.variance[source][:, there]
    mine.follow(mean, variance, known)


def _columns(net: RankNet, other: RankNet, slopes: bool) -> tuple[list[int], list[int]]:
    """Return the columns of a table here and there: those of vectors, then each task's bias, and slope."""
    here, there, k = [*range(net.columns)], [*range(net.columns)], net.columns
    for block in range(2 if slopes else 1):
        for place, task in enumerate(net.tasks):
            if task in other.tasks:
                here.append(k + block * len(net.tasks) + place)
                there.append(k + block * len(other.tasks) + other.tasks.index(task))
    return here, there


def _rows(there: Sequence[str], here: Sequence[str]) -> NDArray[np.int64]:
    """Return the place of each name among the others, -1 for none."""
    places = {name: at for at, name in enumerate(there)}
    return np.array([places.get(name, -1) for name in here], np.int64)
