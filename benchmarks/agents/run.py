"""What agents are worth: CartPole, the shop with boredom, an environment that the package does not know, speed.

    python benchmarks/agents/run.py cartpole shop foreign speed logs [--seeds 0 1 2 3 4] [--steps 100000] [--agents
    ppo]

`shop`: the frozen preset (slates of 10 of 1,000 items); an agent learns on half of the users of shops 21 to 25, one a
seed, and is judged by 250 visits of the other half with the same luck for all. `foreign`: `foreign.py`, single items
and slates of 10, 60 sessions; greedy and informed know what agents cannot see. Of stable-baselines3, if it is
installed, PPO with its defaults gets as many steps. ± is 1.96 standard errors over users or sessions of all seeds.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
import foreign  # noqa: E402  # a benchmark is a script: the harness lies one folder up
import harness  # noqa: E402
import logs  # noqa: E402

from paretail.policy.agents import AGENTS  # noqa: E402
from paretail.sim import preset  # noqa: E402
from paretail.sim.environment import ShopEnv, ShopVectorEnv  # noqa: E402
from paretail.sim.oracle import Greedy  # noqa: E402
from paretail.sim.rivals import Popular, Random, Relevant, Rested  # noqa: E402
from paretail.sim.rollout import rollout  # noqa: E402

Rows = Iterator[dict[str, object]]
LANES, VISITS, SESSIONS = 8, 250, 60


def main() -> None:
    """Run the parts that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--agents", nargs="+", default=["ppo", "dqn"])
    parser.add_argument("--visits", type=int, default=2000, help="visits of the log")
    parser.add_argument("--keep", type=Path, help="a folder where each seed's figures of `logs` are kept")
    asked = parser.parse_args()
    for part in asked.parts:
        about = harness.circumstances()
        rows = list(PARTS[part](asked))
        harness.record(HERE, part, about, rows)
        print(*rows, sep="\n", flush=True)


def cartpole(asked: argparse.Namespace) -> Rows:
    for name in asked.agents:
        steps = min(asked.steps, {"dqn": 100_000}.get(name, 150_000))
        found = []
        for seed in asked.seeds:
            env = gymnasium.make("CartPole-v1")
            agent = AGENTS[name](env.observation_space)
            agent.learn(env, steps, seed)
            found.append(played(agent, env, 20).mean())
        yield {"agent": name, "steps": steps, "mean return of 20 greedy episodes": " ".join(f"{x:.0f}" for x in found)}


def shop(asked: argparse.Namespace) -> Rows:
    shops = [preset.frozen_shop(preset.JUDGED_SHOPS[seed]) for seed in asked.seeds]
    judged: dict[str, list[np.ndarray]] = {}
    for seed, one in zip(asked.seeds, shops, strict=True):
        users = preset.judges(one)
        for rival in (Random, Popular, Greedy, Relevant, Rested):
            judged.setdefault(rival.__name__.lower(), []).append(
                rollout(one, rival(one), VISITS, seed, users=users).reward
            )
        for name in asked.agents:
            env = ShopVectorEnv(LANES, one, preset.REWARD, preset.learners(one))
            agent = AGENTS[name](env.single_observation_space, env.item_vectors, one.config.slots)
            agent.learn(env, asked.steps, seed)
            judged.setdefault(name, []).append(rollout(one, agent.crowd(), VISITS, seed, users=users).reward)
        if find_spec("stable_baselines3"):
            policy = baseline(ShopEnv(one), asked.steps, seed)
            judged.setdefault("stable-baselines3 ppo", []).append(
                rollout(one, policy, VISITS, seed, users=users).reward
            )
    relevant = np.concatenate(judged["relevant"])
    for name, parts in judged.items():
        reward = np.concatenate(parts)
        over = figure(reward - relevant)
        yield {
            "policy": name,
            "seeds": len(parts),
            "steps": asked.steps,
            "reward": figure(reward),
            "over relevant": over,
        }


def away(asked: argparse.Namespace) -> Rows:
    for slots in (1, 10):
        env = foreign.Radio(slots)
        for policy in (foreign.random, foreign.greedy, foreign.informed):
            yield {
                "slots": slots,
                "policy": policy.__name__,
                "return": figure(foreign.play(env, policy, SESSIONS, 10_000)),
            }
        for name in asked.agents:
            found = []
            for seed in asked.seeds:
                agent = AGENTS[name](env.observation_space, env.item_vectors, slots)
                agent.learn(env, asked.steps, seed)
                found.append(played(agent, env, SESSIONS))
            yield {"slots": slots, "policy": name, "steps": asked.steps, "return": figure(np.concatenate(found))}


def speed(asked: argparse.Namespace) -> Rows:
    one = preset.frozen_shop(1)
    for name in asked.agents:
        env = ShopVectorEnv(LANES, one, preset.REWARD, preset.learners(one))
        agent = AGENTS[name](env.single_observation_space, env.item_vectors, one.config.slots)
        began, cpu = time.perf_counter(), time.process_time()
        agent.learn(env, 5000, 0)
        learned = (time.perf_counter() - began, time.process_time() - cpu)
        fewer = foreign.Radio(10, songs=500)
        acting = AGENTS[name](fewer.observation_space, fewer.item_vectors, 10, {"probe": 100})
        acting.learn(fewer, 400, 0)
        seen, took = fewer.reset(seed=0)[0], []
        for _ in range(600):
            start = time.perf_counter()
            rows = acting.act(seen)
            took.append(1000 * (time.perf_counter() - start))
            seen, _, left, cut, _ = fewer.step(rows)
            if left or cut:
                seen = fewer.reset()[0]
                acting.reset()
        p50, p99 = np.percentile(took[50:], [50, 99])
        yield {
            "agent": name, "100,000 steps of slates, minutes": f"{learned[0] / 3:.1f} (CPU {learned[1] / 3:.1f})",
            "act, 500 candidates, ms": f"p50 {p50:.2f}, p99 {p99:.2f}",
        }  # fmt: skip


def played(agent: Any, env: gymnasium.Env, episodes: int) -> np.ndarray:
    """Return the returns of greedy episodes."""
    totals = []
    for episode in range(episodes):
        seen, _ = env.reset(seed=10_000 + episode)
        agent.reset()
        total, over = 0.0, False
        while not over:
            seen, reward, left, cut, _ = env.step(agent.act(seen))
            total, over = total + reward, left or cut
        totals.append(total)
    return np.array(totals)


def baseline(env: gymnasium.Env, steps: int, seed: int) -> Callable[[Any], np.ndarray]:
    """Return stable-baselines3's PPO after as many steps, as a policy for many visits."""
    from stable_baselines3 import PPO

    agent = PPO("MultiInputPolicy", env, seed=seed, device="cpu")
    agent.learn(steps)
    return lambda seen: agent.predict(seen, deterministic=True)[0].astype(np.int32)


def figure(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {1.96 * values.std() / len(values) ** 0.5:.2f}"


PARTS = {"cartpole": cartpole, "shop": shop, "foreign": away, "speed": speed, "logs": logs.rows}

if __name__ == "__main__":
    main()
