"""What a step costs with each balancer, in plain steps: `python benchmarks/rank/balancers.py SHOP` prints JSON.

Gradients are taken at what the tasks share of the forward pass (`Losses.shared`: vectors of the batch, what the
architecture shares), and, as papers have it, at all parameters, tables of users and items among them. Those cost more
the more users a shop has: the same is measured with USERS rows, most of whom are in no batch. A round takes a plain
step and one of each kind after each other; figures are medians over ROUNDS of the ratios, one thread.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from paretail.learn.step import step
from paretail.pipeline.config import load_config
from paretail.pipeline.train import asked, target_of
from paretail.rank.balance import BALANCERS, balancer
from paretail.rank.learned.fitting import optimiser
from paretail.rank.learned.sweep import Bench

ROUNDS, WARM = 5, 1
ALL = 1_000_000_000
USERS = 200_000


class Way:
    """A network of its own that takes steps, balanced or not, at the shared tensors or at all parameters."""

    def __init__(self, bench: Bench, name: str | None, everywhere: bool) -> None:
        self.net = bench.network(bench.config)
        self.balance = None if name is None else balancer(name, bench.tasks)
        self.everywhere, self.params = everywhere, list(self.net.parameters())
        self.optimiser = optimiser(self.net, bench.config.lr)

    def seconds(self, batch: object) -> float:
        """Take a step and return how long it took."""
        began = time.perf_counter()
        losses = self.net.loss(batch)
        losses = replace(losses, shared=()) if self.everywhere else losses
        step(losses, self.params, self.optimiser, self.balance)
        return time.perf_counter() - began


def main(shop: Path) -> None:
    """Measure each balancer on a batch of the shop's impressions."""
    torch.set_num_threads(1)
    config = load_config(shop / "shop.toml")
    target = target_of(config, shop)
    graph, _ = asked(target, config)
    rank = config.rank.model_copy(update={"sweep": config.rank.sweep.model_copy(update={"impressions": ALL})})
    bench = Bench.of(graph, target.shop.events, rank, 0)
    batch = bench.early.batch(slice(0, rank.batch_size))
    rows = []
    for users in (bench.users, USERS):
        large = replace(bench, users=users)
        about = {"tasks": len(bench.tasks), "batch": len(batch.user), "users": users}
        rows += [{**about, **_cost(large, name, batch)} for name in BALANCERS]
    print(json.dumps(rows))


def _cost(bench: Bench, name: str, batch: object) -> dict[str, object]:
    """Return the costs of one; a balancer that looks at losses alone takes no gradients of its own anywhere."""
    ways = [Way(bench, None, False), Way(bench, name, False)]
    ways += [Way(bench, name, True)] if balancer(name, bench.tasks).needs_gram else []
    rounds = [[way.seconds(batch) for way in ways] for _ in range(WARM + ROUNDS)][WARM:]
    ratios = [round(median(one[way] / one[0] for one in rounds), 2) for way in range(1, len(ways))]
    return {"balancer": name, "plain step (ms)": round(1000 * median(one[0] for one in rounds), 1),
            **dict(zip(("at what is shared", "at all parameters"), ratios, strict=False))}  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
