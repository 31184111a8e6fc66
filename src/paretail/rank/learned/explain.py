"""Why a prediction is what it is: what each group of what the ranker knows adds to a task's log-odds.

    L(u, i) - L(usual) = Σ_g φ_g,    L = logit p of click, cart and purchase,  log of the order's value

The usual pair is the mean user and the item as usually shown, with average features. With Δp = p_u - p̄ = own + traits
and Δq = q_i - q̄ = own + attributes, the vectors' part of a logit's mean splits without a rest:

    taste       Σ w Δp_own Δq_own
    attributes  Σ w (p̄ + Δp_own + ½ Δp_traits) Δq_attributes, and their part of the item's bias
    traits      Σ w (q̄ + Δq_own + ½ Δq_attributes) Δp_traits, and their part of the user's bias
    popularity  Σ w p̄ Δq_own, and the item's own bias;    activity  Σ w q̄ Δp_own, and the user's own bias
    price       slope · price; of an order's value also the logarithm of the price

The network of the features is split by integrated gradients from the average features, φ_j = x_j ∫ ∂net(αx)/∂x_j dα, by
the midpoint rule, and summed over the columns of each group. `certainty` is what the spread of the beliefs does: the
mean of σ(η) lies nearer a half than σ of the mean. What follows a click is told as `p_purchase` is, of all who would
click alike and not of those alone who do. `calibration` is what calibrating moves.

Source: M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017, arXiv:1703.01365; the
halves of a product of two ends are its integrated gradient. Deviations: 1. What the midpoint rule misses (up to .002
at 64 steps) is spread over the columns by the size of what each adds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretail.rank.isotonic import logit
from paretail.rank.learned.inputs import groups_of, width
from paretail.rank.learned.network import SIGMA, SMALL, Beliefs, RankNet
from paretail.rank.tables import expected, sigmoid

#: Steps of the integral: a network of rectifiers is bent at some places of the way.
STEPS: Final = 64
VECTORS: Final = ("taste", "popularity", "activity", "attributes", "traits")
CERTAINTY: Final = ("certainty", "calibration")

Floats = NDArray[np.float64]
#: Task, probabilities and items (-1 none of them) to calibrated probabilities.
Calibrate = Callable[[str, Floats, NDArray[Any]], Floats]


@dataclass(frozen=True, eq=False)
class Halves:
    """Means of users' or items' rows in two parts: their own, and what follows from known columns; variances of all."""

    own: Tensor
    known: Tensor
    variance: Tensor

    @property
    def both(self) -> tuple[Tensor, Tensor]:
        """Means and variances, as `RankNet.beliefs` wants them."""
        return self.own + self.known, self.variance

    def at(self, rows: Tensor) -> "Halves":
        """Return some rows."""
        return Halves(self.own[rows], self.known[rows], self.variance[rows])


@dataclass(frozen=True, eq=False)
class Explainer:
    """Splits predictions of a network from those of the usual pair.

    `log_price` is the logarithm of each item's price, `log_ratio` that of the factor that calibrates values.
    """

    net: RankNet
    items: Halves
    log_price: Floats
    calibrate: Calibrate
    log_ratio: float
    user: Halves
    item: Halves
    usual_log_price: float
    share: Floats  # of each item among what is shown

    @classmethod
    def of(cls, net: RankNet, things: tuple[Tensor, Tensor], log_price: Floats, shown: Floats, sides: Tensor,
           calibrate: Calibrate, log_ratio: float) -> Self:  # fmt: skip
        """Take the usual pair: items weigh by how often they were `shown`, `sides` are the mean columns of users."""
        own = net.item_own.mean.detach()
        items = Halves(own, things[0] - own, things[1])
        shares = shown / shown.sum()
        share = torch.from_numpy(shares).float()[None]
        item = Halves(share @ items.own, share @ items.known, share @ items.variance)
        user = Halves(
            net.user_own.mean.detach().mean(0, keepdim=True), (sides @ net.user_side.mean.detach())[None],
            (net.user_own.variance.mean(0) + sides**2 @ net.user_side.variance).detach()[None],
        )  # fmt: skip
        usual = float(shares @ log_price)
        return cls(net, items, log_price, calibrate, log_ratio, user, item, usual, shares)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of what adds something."""
        return (*VECTORS, *groups_of(self.net.config, self.net.retrieved), *CERTAINTY)

    @property
    def usual(self) -> Floats:
        """What is predicted of the usual pair, `[tasks]`."""
        usual: Floats = self._outcome(self._usual)[0]
        return usual

    def split(self, users: Halves, item_idx: NDArray[Any], features: Tensor, price: Tensor) -> tuple[Floats, Floats]:
        """Return predictions `[pairs, tasks]` and contributions `[pairs, tasks, groups]`; `users` has a row a pair."""
        net, items = self.net, self.items.at(torch.from_numpy(item_idx.astype(np.int64)))
        with torch.no_grad():
            levels = self._levels(
                net.beliefs(users.both, items.both, features, price), self.log_price[item_idx], item_idx
            )
            parts = self._vectors(users, items) | _features(net, features)
            slopes = net.slope + users.both[0][:, net.columns + len(net.tasks) :]
            parts["price"] = parts["price"] + slopes * price[:, None]
        found = {name: part.double().numpy() for name, part in parts.items()}
        if "value" in net.tasks:
            found["price"][:, net.tasks.index("value")] += self.log_price[item_idx] - self.usual_log_price
        moved = levels - self._usual
        found |= {"certainty": moved[1] - moved[0], "calibration": moved[2] - moved[1]}
        return self._outcome(levels), np.stack([found[name] for name in self.groups], 2)

    def _vectors(self, users: Halves, items: Halves) -> dict[str, Tensor]:
        """Return what the vectors and biases add, `[pairs, tasks]` a group."""
        net, k = self.net, self.net.columns
        until, mix = k + len(net.tasks), net.weights().T
        p_own, p_known = users.own - self.user.own, users.known - self.user.known
        q_own, q_known = items.own - self.item.own, items.known - self.item.known
        p, q = (end.both[0][:, :k] for end in (self.user, self.item))
        half_p, half_q = 0.5 * p_known[:, :k], 0.5 * q_known[:, :k]
        return {
            "taste": (p_own[:, :k] * q_own[:, :k]) @ mix,
            "popularity": (p * q_own[:, :k]) @ mix + q_own[:, k:],
            "activity": (q * p_own[:, :k]) @ mix + p_own[:, k:until],
            "attributes": ((p + p_own[:, :k] + half_p) * q_known[:, :k]) @ mix + q_known[:, k:],
            "traits": ((q + q_own[:, :k] + half_q) * p_known[:, :k]) @ mix + p_known[:, k:until],
        }

    @cached_property
    def _usual(self) -> Floats:
        nothing = torch.zeros(1, width(self.net.config, self.net.retrieved)), torch.zeros(1)
        with torch.no_grad():
            told = self.net.beliefs(self.user.both, self.item.both, *nothing)
        return self._levels(told, np.array([self.usual_log_price]), None)

    def _levels(self, told: Beliefs, log_price: Floats, item_idx: NDArray[Any] | None) -> Floats:
        """Return `[3, pairs, tasks]`: L by the means alone, with the spread of the beliefs, and calibrated.

        The usual pair is no item, and is told by the mean of what calibrates all.
        """
        found = []
        for task in self.net.tasks:
            mean, variance = told.mean[task], told.variance[task]
            alone = mean.double().numpy()
            if task == "value":
                sigma = float(self.net.log_sigma.detach().exp().clamp(*SIGMA))
                spread = 0.5 * (variance.double().numpy() + sigma**2)
                levels = [alone + log_price + of for of in (0.0, spread, spread + self.log_ratio)]
            else:
                p = self._expected(task, told)
                levels = [alone, logit(p), self._calibrated(task, p, item_idx)]
            found.append(np.stack(levels))
        return np.stack(found, 2)

    def _expected(self, task: str, told: Beliefs) -> Floats:
        """Return what `ranker.py` tells of a probability before it is calibrated."""
        mean, variance = (part[task].double().numpy() for part in (told.mean, told.variance))
        return expected(sigmoid, mean, variance)

    def _calibrated(self, task: str, p: Floats, item_idx: NDArray[Any] | None) -> Floats:
        """Return calibrated logits; without items their mean over all, as they are shown."""
        if item_idx is not None:
            return logit(self.calibrate(task, p, item_idx))
        every = np.arange(len(self.share))
        return np.atleast_1d(logit(self.calibrate(task, np.repeat(p, len(every)), every)) @ self.share)

    def _outcome(self, levels: Floats) -> Floats:
        """Return probabilities, and values in minor units, of calibrated levels."""
        values = np.array([task == "value" for task in self.net.tasks])
        calibrated = levels[2]
        return np.where(values, np.exp(np.where(values, calibrated, 0.0)), 1 / (1 + np.exp(-calibrated)))


def _features(net: RankNet, features: Tensor) -> dict[str, Tensor]:
    """Return what each group of features adds to each task's logit, `[pairs, tasks]`, by integrated gradients."""
    ways = (torch.arange(STEPS) + 0.5) / STEPS
    with torch.enable_grad():
        along = (features[:, None] * ways[:, None]).flatten(0, 1).requires_grad_()
        logits = net.net(along).logits
        slopes = [torch.autograd.grad(logits[task].sum(), along, retain_graph=True)[0] for task in net.tasks]
    each = [slope.reshape(len(features), STEPS, -1).mean(1) * features for slope in slopes]
    parts = torch.stack(each, 1)
    with torch.no_grad():
        ends = net.net(torch.cat([features, torch.zeros_like(features[:1])])).logits
        moved = torch.stack([ends[task][:-1] - ends[task][-1] for task in net.tasks], 1)
        rest, size = moved - parts.sum(2), parts.abs().sum(2).clamp(min=SMALL)
        parts = (parts + parts.abs() * (rest / size)[:, :, None]) * net.gain[:, None]
    groups = groups_of(net.config, net.retrieved)
    sizes = [len(names) for names in groups.values()]
    return {group: part.sum(2) for group, part in zip(groups, torch.split(parts, sizes, 2), strict=True)}
