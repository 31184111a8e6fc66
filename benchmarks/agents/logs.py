"""Agents that learn from logs of an epsilon-greedy policy in the simulated shop, and what sequential estimates say.

    python benchmarks/agents/run.py logs [--seeds 0 1 2 3 4] [--visits 2000]

The log: visits of one half of the users of the frozen shops 21 to 25 (one a seed) under greed that knows the true
relevance (`relevant`), each slot a random item with probability .2. True values: visits of the other half with the same
luck for all. Estimates: as many visits of that other half are logged too; to half of its users the judge's model of
users is fitted, on the rest agents are judged. `mixed`: the first agent's slate in 15 of 100 steps, else the log's
policy.
"""

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import harness
import numpy as np

from paretail.data.odds import drawn
from paretail.policy.agents import FROM_LOGS
from paretail.policy.agents.judging import Judge, slates
from paretail.policy.agents.logs import replayed
from paretail.policy.agents.memory import picked
from paretail.policy.agents.users import UserModel
from paretail.sim import preset
from paretail.sim.environment import observation_space
from paretail.sim.logged import logged
from paretail.sim.observe import Observer
from paretail.sim.rivals import Informed, Relevant
from paretail.sim.rollout import rollout

EPSILON, MIXED, JUDGED = 0.2, 0.15, 250
#: Luck of the log on which is judged.
OTHERS = 1_000_000
#: Optimiser steps.
STEPS = {"cql": 100, "bcq": 100, "iql": 200}


class Logging(Informed):
    """The policy of the log."""

    def slate(self, state, rng):
        best, items = Relevant(self.shop).slate(state, rng), np.arange(self.shop.sizes.items)
        return np.stack([drawn(one, items, EPSILON, rng)[0] for one in best])


def rows(asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Return a row a policy, over all seeds, and a row an estimate."""
    found = [
        harness.kept(asked.keep, f"logs-{seed}-{asked.visits}", partial(_measured, seed, asked.visits))
        for seed in asked.seeds
    ]
    logging = np.array([one["true"]["logging"] for one in found])
    for name in found[0]["true"]:
        values = np.array([one["true"][name] for one in found])
        over = 100 * (values / logging - 1)
        yield {"policy": name, "visits of the log": asked.visits, "true value": student(values),
               "over the logging policy, %": student(over), "each seed": " ".join(f"{x:.2f}" for x in values),
               "CPU s": round(float(np.mean([one["cpu"].get(name, 0) for one in found])), 1)}  # fmt: skip
    for one, seed in zip(found, asked.seeds, strict=True):
        for name, told in one["estimates"].items():
            yield {"estimate of": name, "seed": seed, **told}


def _measured(seed: int, visits: int) -> dict[str, Any]:
    shop = preset.frozen_shop(preset.JUDGED_SHOPS[seed])
    log = logged(shop, Relevant(shop), visits, EPSILON, seed, preset.REWARD, preset.learners(shop))
    observer = Observer(shop)
    space, vectors, slots = observation_space(observer), observer.items, shop.config.slots
    true = {"logging": _true(shop, Logging(shop), seed), "relevant": _true(shop, Relevant(shop), seed)}
    cpu, agents = {}, {}
    for name, kind in FROM_LOGS.items():
        began = time.process_time()
        agents[name] = kind(space, vectors, slots)
        agents[name].learn(log, STEPS[name], seed)
        cpu[name] = time.process_time() - began
        true[name] = _true(shop, agents[name].crowd(), seed)
    others = logged(shop, Relevant(shop), visits, EPSILON, OTHERS + seed, preset.REWARD, preset.judges(shop))
    fitted, other = others.halves()
    judge = Judge(UserModel.fit(FROM_LOGS["iql"](space, vectors, slots), fitted, seed), other)
    users = {name: [[b.predicted, b.happened] for b in bins] for name, bins in judge.users.calibration(other).items()}
    told = {}
    for name, agent in agents.items():
        told[name] = _told(judge.estimate(agent), true[name])
    told["mixed"] = _mixed(shop, judge, next(iter(agents.values())), seed)
    return {"true": true, "cpu": cpu, "estimates": told, "users": users}


def _mixed(shop: Any, judge: Judge, agent: Any, seed: int) -> dict[str, object]:
    mine, rng = replayed(agent, judge.log), np.random.default_rng(seed)

    def acts(which: np.ndarray) -> np.ndarray:
        new = slates(agent, picked(mine.states, which))
        return np.where(rng.random(len(which))[:, None] < MIXED, new, judge.log.rows[which])

    crowd, logging = agent.crowd(), Logging(shop)

    class Both(Informed):
        def slate(self, state, rng):
            new, old = crowd(Observer_(state)), logging.slate(state, rng)
            return np.where(rng.random(len(new))[:, None] < MIXED, new, old)

    Observer_ = Observer(shop)
    truth = rollout(shop, _Reset(Both(shop), crowd), JUDGED * 2, seed, preset.REWARD, preset.judges(shop))
    return _told(judge.of(acts), truth.reward.mean())


class _Reset(Informed):
    """A policy whose agent begins anew with each block of visits, and sees what was really shown."""

    def __init__(self, inner: Informed, crowd: Any) -> None:
        super().__init__(inner.shop)
        self.inner, self.crowd = inner, crowd

    def reset(self) -> None:
        self.crowd.reset()

    def slate(self, state, rng):
        rows = self.inner.slate(state, rng)
        self.crowd._sessions.rows = rows.astype(np.int64)
        return rows


def _told(found: Any, truth: float) -> dict[str, object]:
    if found.refused:
        return {"truth": round(float(truth), 2), "estimate": "refused", "by": " ".join(p.code for p in found.refused)}
    return {"truth": round(float(truth), 2), "estimate": f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})",
            "off, %": round(float(100 * (found.value / truth - 1)), 1)}  # fmt: skip


def _true(shop: Any, policy: Any, seed: int) -> float:
    return float(rollout(shop, policy, JUDGED, seed, preset.REWARD, preset.judges(shop)).reward.mean())


def student(values: np.ndarray) -> str:
    """Mean over seeds and Student's 95 % interval."""
    from scipy.special import stdtrit

    half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{values.mean():.2f} ± {half:.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--visits", type=int, default=2000)
    parser.add_argument("--keep", type=Path)
    for row in rows(parser.parse_args()):
        print(row)
