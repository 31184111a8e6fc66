"""What agents are worth: CartPole, the shop with boredom, an environment that the package does not know, speed.

    python benchmarks/agents/run.py cartpole shop foreign goals speed acting logs loop [--seeds 0 1 2 3 4]
        [--steps 100000] [--agents ppo] [--keep FOLDER]

`shop`: the frozen preset (slates of 10 of 1,000 items); an agent learns on half of the users of shops 21 to 25, one a
seed, and is judged by 250 visits of the other half with the same luck for all. `foreign`: `foreign.py`, single items
and slates of 10, 60 sessions; greedy and informed know what agents cannot see. Of stable-baselines3 (extra `peers`),
if it is installed, PPO with its defaults gets as many steps of the same users, item rows divided by their number. ±
is 1.96 standard errors over users or sessions of all seeds, with `shops` in the column's name Student's t over the
seeds' means, which is what other shops and seeds differ by. What is in `--keep` is not learned again. `goals`: clicks
and revenue in frozen shop 1; an agent a weighting, and one that is told the weights and learns a tenth of their
steps. `speed`: `--steps` of the frozen shop, 20,000 at most, told for 100,000; `acting`: 1,000 slates of 10 of 500
candidates, by starts that draw tastes and by those that do not.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
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
import loops  # noqa: E402

from paretail.moo.hypervolume import hypervolume  # noqa: E402
from paretail.policy.agents import AGENTS  # noqa: E402
from paretail.policy.agents.trials import DOUBT, Start  # noqa: E402
from paretail.sim import preset  # noqa: E402
from paretail.sim.environment import ShopEnv, ShopVectorEnv  # noqa: E402
from paretail.sim.oracle import Greedy  # noqa: E402
from paretail.sim.rivals import Popular, Random, Relevant, Rested  # noqa: E402
from paretail.sim.rollout import rollout  # noqa: E402
from paretail.sim.visits import GOALS, Reward  # noqa: E402

Rows = Iterator[dict[str, object]]
LANES, VISITS, SESSIONS = 8, 250, 60
#: What clicks and revenue count.
WEIGHTS = [np.array([share, 1 - share]) for share in (1.0, 0.75, 0.5, 0.25, 0.0)]


def main() -> None:
    """Run the parts that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=list(PARTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--agents", nargs="+", default=["ppo", "dqn"])
    parser.add_argument("--visits", type=int, default=2000, help="visits of the log")
    parser.add_argument("--days", type=int, default=30, help="days of the loop")
    parser.add_argument("--keep", type=Path, help="a folder where what took long to measure is kept")
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
            one = kept(asked, f"cartpole-{name}-{seed}-{steps}", partial(balanced, name, steps, seed))
            found.append(one.mean())
        yield {"agent": name, "steps": steps, "mean return of 20 greedy episodes": " ".join(f"{x:.0f}" for x in found)}


def balanced(name: str, steps: int, seed: int) -> np.ndarray:
    """Return what an agent that learned CartPole balances, of 20 episodes."""
    env = gymnasium.make("CartPole-v1")
    agent = AGENTS[name](env.observation_space)
    agent.learn(env, steps, seed)
    return played(agent, env, 20)


def shop(asked: argparse.Namespace) -> Rows:
    judged: dict[str, list[np.ndarray]] = {}
    for seed in asked.seeds:
        one = preset.frozen_shop(preset.JUDGED_SHOPS[seed])
        users = preset.judges(one)

        def reward(policy: Any, one: Any = one, seed: int = seed, users: Any = users) -> np.ndarray:
            return rollout(one, policy, VISITS, seed, users=users).reward

        for rival in (Random, Popular, Greedy, Relevant, Rested):
            name = rival.__name__.lower()
            found = kept(asked, f"shop-{name}-{seed}", lambda: reward(rival(one)))  # noqa: B023  # it is called at once
            judged.setdefault(name, []).append(found)
        for name in [*asked.agents, *(["stable-baselines3 ppo"] if find_spec("stable_baselines3") else [])]:
            learn = baseline if name not in AGENTS else learned
            found = kept(
                asked,
                f"shop-{name}-{seed}-{asked.steps}",
                lambda: reward(learn(one, name, asked.steps, seed)),  # noqa: B023  # it is called at once
            )
            judged.setdefault(name, []).append(found)
    relevant = judged["relevant"]
    for name, parts in judged.items():
        over = [part - beside for part, beside in zip(parts, relevant, strict=True)]
        seeds = " ".join(f"{part.mean():.2f}" for part in parts)
        yield {
            "policy": name, "steps": asked.steps if name in (*asked.agents, "stable-baselines3 ppo") else "",
            "reward": figure(np.concatenate(parts)), "over relevant": figure(np.concatenate(over)), "by seed": seeds,
            **by_shop(np.array([part.mean() for part in parts]), np.array([part.mean() for part in over])),
        }  # fmt: skip


def by_shop(reward: np.ndarray, over: np.ndarray) -> dict[str, object]:
    """Return what means of shops say of other shops, and of other seeds: ± of Student's t."""
    return {"reward, shops": logs.student(reward), "over relevant, shops": logs.student(over)}


def learned(one: Any, name: str, steps: int, seed: int) -> Any:
    """Return an agent of ours that learned on the shop's first half of users, as a policy for many visits."""
    env = ShopVectorEnv(LANES, one, preset.REWARD, preset.learners(one))
    agent = AGENTS[name](env.single_observation_space, env.item_vectors, one.config.slots)
    agent.learn(env, steps, seed)
    return agent.crowd()


def kept(asked: argparse.Namespace, name: str, measure: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what was measured, now or before."""
    return np.array(harness.kept(asked.keep, name, lambda: measure().tolist()))


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
                what = f"foreign-{slots}-{name}-{seed}-{asked.steps}"
                found.append(kept(asked, what, partial(heard, name, env, asked.steps, seed)))
            yield {"slots": slots, "policy": name, "steps": asked.steps, "return": figure(np.concatenate(found))}


def heard(name: str, env: foreign.Radio, steps: int, seed: int) -> np.ndarray:
    """Return the sessions of an agent that learned the radio."""
    agent = AGENTS[name](env.observation_space, env.item_vectors, env.slots)
    agent.learn(env, steps, seed)
    return played(agent, env, SESSIONS)


class TwoGoals(gymnasium.vector.VectorWrapper):
    """The shop whose goals are clicks, and revenue in units of `worth`."""

    def __init__(self, one: Any, worth: float, weights: np.ndarray) -> None:
        reward = Reward(clicks=weights[0], purchases=0.0, revenue=weights[1] / worth, profit=0.0, staying=0.0)
        super().__init__(ShopVectorEnv(LANES, one, reward, preset.learners(one)))
        self.worth = worth

    def step(self, actions):
        *rest, info = self.env.step(actions)
        return *rest, {"goals": two_goals(info["goals"], self.worth)}


def two_goals(goals: np.ndarray, worth: float) -> np.ndarray:
    return goals[:, [GOALS.index("clicks"), GOALS.index("revenue")]] / [1.0, worth]


def goals(asked: argparse.Namespace) -> Rows:
    one = preset.frozen_shop(1)
    users = preset.judges(one)
    clicks, revenue = two_goals(rollout(one, Popular(one), VISITS, 0, users=users).goals, 1.0).mean(0)
    worth = revenue / clicks

    def reached(agent: Any) -> np.ndarray:
        return two_goals(rollout(one, agent.crowd(), VISITS, 0, users=users).goals, worth).mean(0)

    def alone(weights: np.ndarray) -> np.ndarray:
        env = TwoGoals(one, worth, weights)
        agent = AGENTS["ppo"](env.single_observation_space, env.unwrapped.item_vectors, one.config.slots)
        agent.learn(env, asked.steps, 0)
        return reached(agent)

    def told() -> np.ndarray:
        env = TwoGoals(one, worth, WEIGHTS[0])
        agent = AGENTS["ppo"](env.single_observation_space, env.unwrapped.item_vectors, one.config.slots, {"goals": 2})
        agent.learn(env, len(WEIGHTS) * asked.steps // 10, 0)
        found = []
        for weights in WEIGHTS:
            agent.aim(weights)
            found.append(reached(agent))
        return np.array(found)

    many = [kept(asked, f"goals-{w[0]:.2f}-{asked.steps}", lambda: alone(w)) for w in WEIGHTS]  # noqa: B023  # at once
    found = {"an agent a weighting": np.array(many), "one agent": kept(asked, f"goals-one-{asked.steps}", told)}
    volumes = {name: hypervolume(points, np.zeros(2)) for name, points in found.items()}
    for name, points in found.items():
        yield {
            "who": name, "steps": len(WEIGHTS) * asked.steps // (10 if name == "one agent" else 1),
            "clicks, revenue by weighting": " · ".join(f"{c:.2f} {r:.2f}" for c, r in points),
            "hypervolume": round(volumes[name], 2),
            "of many agents'": f"{volumes[name] / volumes['an agent a weighting']:.3f}",
        }  # fmt: skip


def speed(asked: argparse.Namespace) -> Rows:
    one, steps = preset.frozen_shop(1), min(asked.steps, 20_000)
    for name in asked.agents:
        env = ShopVectorEnv(LANES, one, preset.REWARD, preset.learners(one))
        agent = AGENTS[name](env.single_observation_space, env.item_vectors, one.config.slots)
        began, cpu = time.perf_counter(), time.process_time()
        agent.learn(env, steps, 0)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        yield {
            "agent": name, "steps of slates": steps, "CPU s per 1,000": round(1000 * cpu / steps, 2),
            "100,000 steps, minutes": f"{wall * 100_000 / steps / 60:.1f} (CPU {cpu * 100_000 / steps / 60:.1f})",
        }  # fmt: skip


def acting(asked: argparse.Namespace) -> Rows:
    for name in asked.agents:
        env = foreign.Radio(10, songs=500)
        agent = AGENTS[name](env.observation_space, env.item_vectors, 10, {"probe": 100})
        agent.learn(env, 400, 0)
        for draws in (False, True):
            agent.start = Start(doubt=DOUBT if draws else 0.0)
            p50, p99 = np.percentile(timed(agent, env), [50, 99], axis=0)
            yield {
                "agent": name, "draws tastes": draws, "candidates": 500, "slots": 10,
                "act, ms wall": f"p50 {p50[0]:.2f}, p99 {p99[0]:.2f}",
                "thread CPU": f"p50 {p50[1]:.2f}, p99 {p99[1]:.2f}",
            }  # fmt: skip


def timed(agent: Any, env: gymnasium.Env) -> np.ndarray:
    """Return the milliseconds of each act, `[acts, (wall, thread CPU)]`."""
    seen, took = env.reset(seed=0)[0], []
    agent.reset()
    for _ in range(1050):
        start = time.perf_counter(), time.thread_time()
        rows = agent.act(seen)
        took.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
        seen, _, left, cut, _ = env.step(rows)
        if left or cut:
            seen = env.reset()[0]
            agent.reset()
    return 1000 * np.array(took[50:])


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


class Peer(gymnasium.Wrapper):
    """The shop for stable-baselines3: its users are the learners, item rows are divided by their number."""

    def __init__(self, one: Any) -> None:
        super().__init__(ShopEnv(one, preset.REWARD))
        self.users, self.items = preset.learners(one), one.sizes.items
        slate = gymnasium.spaces.Box(-1.0, 1.0, (one.config.slots,), np.float32)
        self.observation_space = gymnasium.spaces.Dict({**self.env.observation_space.spaces, "slate": slate})

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.env.reset(seed=seed)
        user = int(self.users[self.unwrapped.np_random.integers(len(self.users))])
        seen, info = self.env.reset(options={"user": user})
        return self.of(seen), info

    def step(self, action):
        seen, *rest = self.env.step(action)
        return self.of(seen), *rest

    def of(self, seen: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {**seen, "slate": (seen["slate"] / self.items).astype(np.float32)}


def baseline(one: Any, name: str, steps: int, seed: int) -> Callable[[Any], np.ndarray]:
    """Return stable-baselines3's PPO after as many steps, as a policy for many visits."""
    from stable_baselines3 import PPO

    env = Peer(one)
    agent = PPO("MultiInputPolicy", env, seed=seed, device="cpu")
    agent.learn(steps)
    return lambda seen: agent.predict(env.of(seen), deterministic=True)[0].astype(np.int32)


def figure(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ± {1.96 * values.std() / len(values) ** 0.5:.2f}"


PARTS = {
    "cartpole": cartpole, "shop": shop, "foreign": away, "goals": goals, "speed": speed, "acting": acting,
    "logs": logs.rows, "loop": loops.rows,
}  # fmt: skip

if __name__ == "__main__":
    main()
