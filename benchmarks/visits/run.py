"""What policies are worth in the visited shop, by the truth: five shops of 1,000 items, slates of 10.

    python benchmarks/visits/run.py [visit] [life]

The policies are those of `sim/rivals.py` and `sim/oracle.py`; `rested, observed` is `Rested` without the truth: it has
the tastes of the observation. Reward: a click 1, a kept purchase 1. Means over the shops; ± is 1.96 standard errors, of
`over relevant` and `over greedy` those of the differences user by user. Luck and users are the same for all;
250 visits, or 50 lives, a shop.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.rng import rng_for  # noqa: E402
from paretail.sim.observe import Observation, item_vectors  # noqa: E402
from paretail.sim.oracle import Greedy, Planner  # noqa: E402
from paretail.sim.rivals import Constant, Informed, Popular, Random, Relevant, Rested, best  # noqa: E402
from paretail.sim.rollout import Policy, Rollout, rollout  # noqa: E402
from paretail.sim.truth import SimConfig, grow  # noqa: E402
from paretail.sim.visits import VisitConfig, Visits  # noqa: E402

EPISODES, SHOPS = 250, (1, 2, 3, 4, 5)
Build = Callable[[Visits], Policy | Informed]


class Observed:
    """`Rested` from what a shop observes: appeal by the learnt tastes, what is shown by the session."""

    def __init__(self, shop: Visits) -> None:
        self.shop, self.items, self.shown = shop, item_vectors(shop), np.zeros((0, 0), dtype=bool)

    def reset(self) -> None:
        self.shown = np.zeros((0, 0), dtype=bool)

    def __call__(self, seen: Observation) -> NDArray[np.int32]:
        lanes, categories = len(seen["user"]), self.shop.categories
        if len(self.shown) != lanes:
            self.shown = np.zeros((lanes, len(self.items)), dtype=bool)
        begun = seen["session"][:, -3] > 0  # a visit's first slate follows none of its own
        self.shown[~begun] = False
        self.shown[np.flatnonzero(begun)[:, None], seen["slate"][begun]] = True
        slots = np.round(seen["session"][:, :categories] * seen["session"][:, -3:-2] * self.shop.config.longest
                         * self.shop.config.slots)  # fmt: skip
        liking = seen["user"][:, :8] @ self.items[:, :8].T / np.sqrt(8)
        score = 1 / (1 + np.exp(3.1 - 0.9 * liking - 0.5 * self.items[:, 16])) * 0.6 ** slots[:, self.shop.leaf]
        return varied(self.shop, np.where(self.shown | ~self.shop.truth.on_sale(), -1.0, score))


def varied(shop: Visits, score: NDArray[np.float64]) -> NDArray[np.int32]:
    """Fill the slots, each with the best left, whose category then falls."""
    rows = np.empty((len(score), shop.config.slots), dtype=np.int32)
    for slot in range(rows.shape[1]):
        rows[:, slot] = best(score, 1)[:, 0]
        score = np.where((shop.leaf == shop.leaf[rows[:, slot]][:, None]) & (score > 0), score * 0.6, score)
        score[np.arange(len(score)), rows[:, slot]] = -1.0
    return rows


POLICIES: dict[str, Build] = {
    "constant": Constant, "random": Random, "popular": Popular, "relevant": Relevant, "greedy": Greedy,
    "rested, observed": Observed, "rested": Rested, "planner": Planner,
}  # fmt: skip


def main() -> None:
    """Run the kinds of episode that the arguments name, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[[], "visit", "life"])
    for kind in parser.parse_args().kinds or ("visit", "life"):
        about = harness.circumstances()
        rows = table(kind == "life")
        harness.record(HERE, kind, about, rows)
        print(*rows, sep="\n", flush=True)


def table(life: bool) -> list[dict[str, object]]:
    """Return one row a policy; a life is as long as ten visits, so fewer are run and none is planned."""
    episodes = EPISODES // 5 if life else EPISODES
    names = [name for name in POLICIES if not (life and name == "planner")]
    shops = [visited(seed, life) for seed in SHOPS]
    runs = {
        name: [rollout(shop, POLICIES[name](shop), episodes, seed) for seed, shop in enumerate(shops)] for name in names
    }
    return [row(name, runs, life) for name in names]


def visited(seed: int, life: bool) -> Visits:
    return Visits(grow(SimConfig(users=2000, items=1000), rng_for("sim/truth", seed)), VisitConfig(life=life))


def row(name: str, runs: dict[str, list[Rollout]], life: bool) -> dict[str, object]:
    mine = runs[name]
    reward = {other: np.concatenate([run.reward for run in several]) for other, several in runs.items()}
    goals = np.concatenate([run.goals for run in mine]).mean(axis=0)
    told = {"visits": f"{np.concatenate([run.visits for run in mine]).mean():.1f}"} if life else {}
    return {
        "policy": name, "reward": figure(reward[name]), "clicks": f"{goals[0]:.2f}", "purchases": f"{goals[1]:.2f}",
        "revenue": f"{goals[2]:.0f}", "slates": f"{np.concatenate([run.slates for run in mine]).mean():.1f}", **told,
        "boredom": f"{np.concatenate([run.boredom for run in mine]).mean():.2f}",
        "over relevant": figure(reward[name] - reward["relevant"]),
        "over greedy": figure(reward[name] - reward["greedy"]),
    }  # fmt: skip


def figure(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.2f} ± {1.96 * values.std() / len(values) ** 0.5:.2f}"


if __name__ == "__main__":
    main()
