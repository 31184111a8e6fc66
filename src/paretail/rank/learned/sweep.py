"""The sweep behind the trade-off report: the ranker's network, trained anew for each way to weigh its losses.

Users are drawn at random until they have so many impressions as were asked for. A network learns from the older ones
and is judged on the newer ones. Columns of users are as of windows of time, the last of which begins at the cut
(`rank/standings.py`); scales of features, shares of labels and rates are as of the cut. What came of an item of late is
counted of all users, those not drawn too, and strictly before each moment, so that the newer ones read no answer. The
single-task models are one network in which the tasks have nothing in common, each as wide as the shared one: their
gradients then touch no number of each other's.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from paretail.core.errors import Problem
from paretail.core.progress import Progress, silent
from paretail.core.rng import rng_for
from paretail.data.features.pairs import PairFeatures
from paretail.data.types import Events
from paretail.graph.shopgraph import ShopGraph
from paretail.learn import LearnError, device
from paretail.learn.step import step
from paretail.rank import RankError
from paretail.rank.balance import BALANCERS
from paretail.rank.config import RankConfig
from paretail.rank.control import revenue_found
from paretail.rank.examples import Examples, learnable
from paretail.rank.learned.fitting import THREADED, Frame, balance_of, batch_size, learn, network_of, optimiser
from paretail.rank.learned.gaussian import expected
from paretail.rank.learned.network import Beliefs, RankNet, gaussian_loss, readers
from paretail.rank.sides import UserSides, item_sides
from paretail.rank.spaces import SPACES
from paretail.rank.standings import Standings, cuts_of
from paretail.rank.tradeoff import Kind, Tradeoff, Tried

#: Steps of which a method's cost is the median, each beside a plain one.
ROUNDS: Final = 15
CLIP: Final = 1e-7
#: Settings of an architecture that single-task networks have too.
COMMON: Final = ("dim", "layers", "dropout")


def sweep(graph: ShopGraph, events: Events, config: RankConfig, seed: int = 0, progress: Progress = silent) -> Tradeoff:
    """Train and judge the single-task models, each point of the weighted sum and each method.

    Cost: of 60,000 impressions about 5 s for each of some 30, on a core. Raises RankError: RANK-04 where the older or
    the newer part has too few clicks, RANK-09 where no two groups of tasks are left.
    """
    bench = Bench.of(graph, events, config, seed)
    ways = _ways(config, bench.tasks)
    single = bench.tried("single-task", "weighted", None, single_of(config, bench.tasks))
    found = []
    for number, (name, (kind, weight, settings)) in enumerate(ways.items()):
        progress(f"Sweep: {name}", number / len(ways))
        found.append(bench.tried(name, kind, weight, settings))
    progress("Sweep: what a step costs", 1.0)
    costs = bench.costs({name: settings for name, (kind, _, settings) in ways.items() if kind != "weighted"})
    found = [replace(one, cost=costs.get(one.name, 1.0)) for one in found]
    return Tradeoff.of(single, found, config.sweep.group, bench.about, bench.remarks)


def _ways(config: RankConfig, tasks: tuple[str, ...]) -> dict[str, tuple[Kind, float | None, RankConfig]]:
    """Return what is tried by name: points of the weighted sum, the methods of the table and the shop's own, spaces."""
    given: Mapping[str, float] = config.balance_settings.get("weights", {}) if config.balance == "weighted" else {}
    ways: dict[str, tuple[Kind, float | None, RankConfig]] = {}
    for weight in np.linspace(0, 1, config.sweep.points).tolist():
        most = max(weight, 1 - weight)
        weights = {task: (weight if task in config.sweep.group else 1 - weight) / most for task in tasks}
        settings = {"weights": {task: given.get(task, 1.0) * value for task, value in weights.items()}}
        ways[f"weighted {weight:.2f}"] = "weighted", weight, _balanced(config, "weighted", settings)
    for name in dict.fromkeys([*BALANCERS, config.balance]):
        if name != "weighted":
            settings = config.balance_settings if name == config.balance else {}
            ways[name] = "method", None, _balanced(config, name, settings)
    for name in SPACES:
        if name != config.space:
            other = _balanced(config, "weighted", {"weights": dict(given)})
            ways[name] = "space", None, other.model_copy(update={"space": name, "space_settings": {}})
    return ways


def _balanced(config: RankConfig, name: str, settings: Mapping[str, Any]) -> RankConfig:
    return config.model_copy(update={"balance": name, "balance_settings": dict(settings)})


def single_of(config: RankConfig, tasks: Sequence[str]) -> RankConfig:
    """Return the settings of a network in which each task has as much for itself as the shared one has for all."""
    times = len(readers(tasks))
    alone = {name: value for name, value in config.sharing_settings.items() if name in COMMON}
    apart = {"sharing": "single", "sharing_settings": alone, "shared_vectors": False, "task_weights": {},
             "space": "conditional", "space_settings": {}, "relation": 0.0}  # fmt: skip
    return _balanced(config, "weighted", {}).model_copy(
        update=apart | {"dim": times * config.dim, "own_dim": times * config.own_dim}
    )


@dataclass(frozen=True, eq=False)
class Bench:
    """What all are trained and judged on: the older and the newer examples, and the columns that vectors start from.

    Rows of `user_columns` are standings, `user_of` says whose, of so many `users`.
    """

    tasks: tuple[str, ...]
    early: Frame
    late: Frame
    user_columns: Tensor
    item_columns: Tensor
    user_of: Tensor
    users: int
    config: RankConfig
    seed: int
    about: Mapping[str, Any]
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, graph: ShopGraph, events: Events, config: RankConfig, seed: int) -> Self:
        """Draw users, cut their impressions by time, and compute features."""
        config = config.model_copy(update={"retrieved": False, "recent": 0})  # of the tasks, not of these features
        seed = seed if config.seed is None else config.seed
        every = Examples.of(events, graph.nodes["user"], graph.nodes["item"], config.attribution_hours,
                            config.long_view_seconds).settled()  # fmt: skip
        sample, users = _drawn(every, config.sweep.impressions, rng_for("rank/sweep", seed))
        first = min(sample.apart(config.sweep.later).values())
        cut = int(sample.ts_ms[min(first, len(sample) - 1)]) if len(sample) else 0
        tasks, remarks = _judged(sample.where(sample.ts_ms < cut), sample.where(sample.ts_ms >= cut), config)
        log = graph.history
        history = log.of_users(users)
        before = history.where(history.ts_ms < cut)
        is_early = sample.ts_ms < cut
        features = replace(PairFeatures.of(graph.tables["item"], before),
                           demand=PairFeatures.of(graph.tables["item"], log).demand)  # fmt: skip
        raw = features.raw(history, sample.user_idx, sample.item_idx, sample.ts_ms)
        cuts = np.append(cuts_of(sample.ts_ms[is_early], int(is_early.sum())), cut)
        standings = Standings.of(UserSides.of(before, features.facts), history, sample.user_idx, sample.ts_ms, cuts)
        frame = Frame.of(sample.with_tasks(tasks), features.standardised_by(raw[is_early]), raw, config,
                         standing=standings.of_example)  # fmt: skip
        about = {"users": len(users), "impressions": len(sample), "of": len(every), "learned": int(is_early.sum()),
                 "judged": int((~is_early).sum()), "epochs": config.sweep.epochs, "seed": seed,
                 "batch": batch_size(config, int(is_early.sum())), "cut_ms": cut,
                 "control": revenue_found(sample, cut),
                 "balance": config.balance, "balance_settings": config.balance_settings}  # fmt: skip
        early, late = frame.where(torch.from_numpy(is_early)), frame.where(torch.from_numpy(~is_early))
        columns = torch.from_numpy(standings.columns), torch.from_numpy(item_sides(graph))
        return cls(tasks, early, late, *columns, torch.from_numpy(standings.user), len(users), config, seed, about,
                   remarks)  # fmt: skip

    def tried(self, name: str, kind: Kind, weight: float | None, config: RankConfig) -> Tried:
        """Train a network as `config` says, and judge it; a failure is told and no error."""
        settings = config.space_settings if kind == "space" else config.balance_settings
        told = name, kind, config.balance, settings
        try:
            net = self.network(config)
            learn(net, self.early, config, config.sweep.epochs, config.lr, self.seed, silent)
        except (LearnError, RankError) as error:
            return Tried(*told, {}, weight, failed="; ".join(problem.found for problem in error.problems))
        omega = net.covariance().tolist() if config.relation else None
        beliefs = self._beliefs(net)
        return Tried(*told, self._shares(net, beliefs), weight, covariance=omega, correlation=self._bought(beliefs))

    def costs(self, ways: Mapping[str, RankConfig]) -> dict[str, float]:
        """Return what a step of each costs relative to a plain one: the median of pairs that follow each other."""
        size = batch_size(self.config, len(self.early.user))
        batch = self.early.batch(slice(0, size))
        plain = _Timed(self.network(_balanced(self.config, "weighted", {})), self.config)
        found = {}
        with device.threads(None if size >= THREADED else 1):
            for name, config in ways.items():
                timed = _Timed(self.network(config), config)
                pairs = [(timed.seconds(batch), plain.seconds(batch)) for _ in range(ROUNDS)]
                found[name] = median(one / other for one, other in pairs)
        return found

    def network(self, config: RankConfig) -> RankNet:
        """Return a fresh network of the sample's users."""
        columns = self.user_columns, self.item_columns
        return network_of(config, self.tasks, *columns, self.seed, self.user_of, self.users)

    @torch.inference_mode()
    def _beliefs(self, net: RankNet) -> Beliefs:
        """Return what a network believes of the newer examples."""
        net.eval()
        late, people, things = self.late, net.users(self.user_of, self.user_columns), net.items()
        user = people[0][late.standing], people[1][late.standing]
        item = things[0][late.item], things[1][late.item]
        return net.beliefs(user, item, late.features, late.price)

    def _bought(self, told: Beliefs) -> float | None:
        """Return how P(purchase | click) correlates with the purchases that followed the newer clicks.

        None where either is the same for all, as in a log in which every click that it knows of was a purchase.
        """
        if "purchase" not in self.tasks:
            return None
        label = self.late.labels["purchase"].double()
        there = label.isfinite()
        p = expected(torch.sigmoid, told.mean["purchase"][there], told.variance["purchase"][there])
        both = np.stack([p.double().numpy(), label[there].numpy()])
        return float(np.corrcoef(both)[0, 1]) if (np.ptp(both, axis=1) > 0).all() else None

    @torch.inference_mode()
    def _shares(self, net: RankNet, told: Beliefs) -> dict[str, NDArray[Any]]:
        """Return each user's part of each task's mean loss on the newer examples."""
        late, shares = self.late, {}
        for task in self.tasks:
            label = late.labels[task].double()
            there = label.isfinite()
            mean, variance = told.mean[task][there].double(), told.variance[task][there].double()
            seen = net.seen(late.position)[there].exp().double() if task == "click" else torch.ones(())
            loss = _loss(task, label[there], mean, variance, seen, net.log_sigma)
            weight = late.weight[there].double()
            shares[task] = np.bincount(late.user[there], (loss * weight / weight.sum()).numpy(), self.users)
        return shares


class _Timed:
    """A network, its balancer and its optimiser, for steps whose time is taken."""

    def __init__(self, net: RankNet, config: RankConfig) -> None:
        self.net, self.balance = net, balance_of(config, net.tasks)
        self.params, self.optimiser = list(net.parameters()), optimiser(net, config.lr)

    def seconds(self, batch: Any) -> float:
        """Take a step and return how long it took."""
        start = time.perf_counter()
        step(self.net.loss(batch), self.params, self.optimiser, self.balance)
        return time.perf_counter() - start


def _loss(task: str, label: Tensor, mean: Tensor, variance: Tensor, seen: Tensor, log_sigma: Tensor) -> Tensor:
    """Return each example's loss: of yes and no the log-loss, of values what training minimises."""
    if task == "value":
        return gaussian_loss(label, mean, variance, log_sigma)
    p = (expected(torch.sigmoid, mean, variance) * seen).clamp(CLIP, 1 - CLIP)
    return functional.binary_cross_entropy(p, label, reduction="none")


def _drawn(every: Examples, most: int, rng: np.random.Generator) -> tuple[Examples, NDArray[np.int64]]:
    """Return the examples of users drawn at random until there are `most`, users as rows among those; and which."""
    counts = np.bincount(every.user_idx, minlength=1)
    order = rng.permutation(np.flatnonzero(counts))
    enough = int(np.searchsorted(np.cumsum(counts[order]), most)) + 1
    users = np.sort(order[:enough])
    sample = every.where(np.isin(every.user_idx, users))
    return replace(sample, user_idx=np.searchsorted(users, sample.user_idx).astype(np.int32)), users


def _judged(early: Examples, late: Examples, config: RankConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tasks that both parts have enough examples of, and what there is to say of the others."""
    told = []
    kept = []
    for part, name in ((early, "older"), (late, "newer")):
        found, remarks = learnable(part)
        kept.append(found.tasks)
        told += [f"{remark} among the {name} examples" for remark in remarks]
    tasks = tuple(task for task in kept[0] if task in kept[1])
    if len({task in config.sweep.group for task in tasks}) < len(("group", "others")):
        problem = f"the tasks {', '.join(tasks)} are no two groups by [rank.sweep] group = {config.sweep.group}"
        do = "Name other tasks there, raise [rank.sweep] impressions, or train without --sweep"
        raise RankError(Problem("RANK-09", problem, "Expected a task at least on each side", do))
    return tasks, tuple(told)
