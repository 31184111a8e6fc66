"""Fitting a ranker's network: the examples as tensors, and the epochs over them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paretail.core.progress import Progress
from paretail.data.features.pairs import PairFeatures
from paretail.learn import device
from paretail.learn.loop import LoopConfig, run
from paretail.rank import earlier
from paretail.rank.balance import balancer
from paretail.rank.checking import weights_of
from paretail.rank.config import RankConfig
from paretail.rank.examples import UNKNOWN, Examples
from paretail.rank.learned.inputs import width
from paretail.rank.learned.network import Answered, Batch, RankNet, Sizes

#: Weights by propensity end at so many times their mean.
HEAVIEST: Final = 10.0
WARMUP_STEPS: Final = 100
#: Batches of a small log are smaller, so that an epoch has about so many steps.
LEAST_BATCH, STEPS = 256, 64
#: Smaller batches are learned on one thread: on a busy machine two wait for each other ten times as long as they work.
THREADED: Final = 4096
#: Adam's memory: with a longer one of squares (.999) rows that are seen seldom jump when they are.
BETAS: Final = (0.9, 0.99)


@dataclass(frozen=True, eq=False)
class Frame:
    """The examples as tensors, oldest first; see `Batch`."""

    user: Tensor
    standing: Tensor
    item: Tensor
    position: Tensor
    weight: Tensor
    features: Tensor
    price: Tensor
    moment: Tensor
    labels: Mapping[str, Tensor]
    place: Tensor

    @classmethod
    def of(cls, examples: Examples, features: PairFeatures, raw: NDArray[np.float32], config: RankConfig,
           more: Sequence[NDArray[np.float32]] = (), moment: NDArray[np.int64] | None = None,
           standing: NDArray[np.int64] | None = None) -> Self:  # fmt: skip
        """Return examples as tensors: `raw` are features as they are, `more` columns that are standardised already.

        `standing` are rows of the columns of users; without them each user has one.
        """
        weight = weighed(examples.propensity, config.propensity_power)
        labels = dict(examples.labels)
        if "value" in labels:
            paid = np.where(labels["value"] > 0, labels["value"], UNKNOWN).astype(np.float32)  # 0: all came back
            labels["value"] = np.log(paid) - log_prices(features)[examples.item_idx].astype(np.float32)
        return cls(
            torch.from_numpy(examples.user_idx.astype(np.int64)),
            torch.from_numpy(examples.user_idx.astype(np.int64) if standing is None else standing),
            torch.from_numpy(examples.item_idx.astype(np.int64)),
            torch.from_numpy(examples.position.astype(np.int64)), torch.from_numpy(weight.astype(np.float32)),
            torch.from_numpy(np.concatenate([features.standard(raw), *more], 1)),
            torch.from_numpy(features.facts.price_ratio[examples.item_idx]),
            torch.from_numpy(np.zeros(len(examples), np.int64) if moment is None else moment),
            {task: torch.from_numpy(label) for task, label in labels.items()}, torch.arange(len(examples)),
        )  # fmt: skip

    def batch(self, rows: Any) -> Batch:
        """Return some examples."""
        labels = {task: label[rows] for task, label in self.labels.items()}
        return Batch(self.user[rows], self.standing[rows], self.item[rows], self.position[rows], self.weight[rows],
                     self.features[rows], self.price[rows], self.moment[rows], labels, self.place[rows])  # fmt: skip

    def answered(self, task: str) -> Answered:
        """Return what is known of a task that may follow a click: the newest label is where its answers end."""
        there = self.labels[task].isfinite()
        until = int(self.place[there].max()) + 1 if there.any() else 0
        clicks = (self.labels["click"] > 0) & (self.place < until)
        return Answered(until, float(clicks.sum() / there.sum().clamp(min=1)))

    def taught(self, apart: Mapping[str, int], held: NDArray[np.bool_]) -> Self:
        """Return the examples that no task is calibrated on (`held`), labels before the place of their task.

        A task that waits for its answers is calibrated on older lists than clicks are. What was clicked there teaches
        nothing either: vectors that have seen the click would know more of it than those of any later one.
        """
        rows = torch.from_numpy(np.flatnonzero(~held[: apart["click"]]))
        part = self.where(rows)
        labels = {task: label if apart[task] >= apart["click"] else torch.where(rows < apart[task], label, torch.nan)
                  for task, label in part.labels.items()}  # fmt: skip
        return replace(part, labels=labels)

    def where(self, rows: Any) -> Self:
        """Return some examples as a frame of their own."""
        return type(self)(**vars(self.batch(rows)))


def weighed(propensity: NDArray[Any], power: float) -> NDArray[np.float64]:
    """Return weights by propensity to the power of -`power`, of mean 1 before the heaviest are cut.

    What has no propensity (NaN) weighs 1, as those that have one do in the mean.
    """
    weight = propensity.astype(np.float64) ** -power
    known = np.isfinite(weight)
    mean = weight[known].mean() if known.any() else 1.0
    return np.where(known, np.minimum(weight / mean, HEAVIEST), 1.0)


def balance_of(config: RankConfig, tasks: tuple[str, ...]) -> Any:
    """Return the balancer that the settings ask for; None where every loss counts as it is."""
    plain = config.balance == "weighted" and not config.balance_settings
    return None if plain else balancer(config.balance, tasks, weights_of(config, tasks)[0])


def learn(net: RankNet, frame: Frame, config: RankConfig, epochs: int, lr: float, seed: int,
          progress: Progress) -> dict[str, Any]:  # fmt: skip
    """Go over the examples `epochs` times, and return the curves."""
    net.examples = len(frame.user)
    net.answered = {task: frame.answered(task) for task in net.spaces}
    for rows, name in ((frame.user, "user_counts"), (frame.item, "item_counts")):
        counts = net.get_buffer(name)
        counts.copy_(torch.bincount(rows, minlength=len(counts)))
    logged = int(frame.position.max())
    if logged < 1:
        net.see_everything()
    size = batch_size(config, len(frame.user))
    loop = LoopConfig(
        epochs=epochs, batch_size=size, lr=lr, schedule="cosine", warmup_steps=WARMUP_STEPS, seed=seed,
        device="cpu",  # steps are small, and tables are read as numpy between them
    )  # fmt: skip

    def batches(epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        order = _order(frame, rng, by_moment=net.recent is not None)
        return (frame.batch(order[start : start + size]) for start in range(0, len(order), size))

    balance = balance_of(config, net.tasks)
    optimise = partial(optimiser, lr=lr)
    with device.threads(None if size >= THREADED else 1):
        curves = run(net, batches, None, loop, None, progress, optimise=optimise, balance=balance).to_json()
    net.see_beyond(logged)
    return curves


def _order(frame: Frame, rng: np.random.Generator, by_moment: bool) -> Tensor:
    """Return the examples in a random order, those of a moment together where one encoding serves them all."""
    if not by_moment:
        return torch.from_numpy(rng.permutation(len(frame.user)))
    moment = frame.moment.numpy()
    return torch.from_numpy(np.argsort(rng.permutation(int(moment.max()) + 1)[moment], kind="stable"))


def batch_size(config: RankConfig, examples: int) -> int:
    """Return how many examples a step has."""
    return min(config.batch_size, max(LEAST_BATCH, examples // STEPS))


def optimiser(net: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    """Return the optimiser of a ranker's network."""
    return torch.optim.Adam(net.parameters(), lr, BETAS, fused=True)


def network_of(config: RankConfig, tasks: tuple[str, ...], user_columns: Tensor, item_columns: Tensor,
               seed: int, user_of: Tensor | None = None, users: int = 0,
               retrieved: tuple[str, ...] = earlier.NAMES) -> RankNet:  # fmt: skip
    """Return a fresh network over users and items that have these columns.

    `user_of` says whose the rows of columns are, of so many `users`; without it each user has one. `retrieved` names
    what the retriever tells, where the settings ask for it.
    """
    user_of, users = (torch.arange(len(user_columns)), len(user_columns)) if user_of is None else (user_of, users)
    sizes = Sizes(users, 0, len(item_columns), user_columns.shape[1], item_columns.shape[1],
                  width(config, retrieved))  # fmt: skip
    with device.seeded("rank/start", seed):
        net = RankNet(config, tasks, sizes)
    net.retrieved = retrieved
    net.item_columns, net.user_columns, net.user_of = item_columns, user_columns, user_of
    return net


def log_prices(features: PairFeatures) -> NDArray[np.float64]:
    """Return the logarithm of each item's price in minor units, the median where it has none, 0 without any."""
    logs = features.facts.log_price.astype(np.float64)
    known = np.isfinite(logs)
    return np.where(known, logs, np.median(logs[known]) if known.any() else 0.0)
