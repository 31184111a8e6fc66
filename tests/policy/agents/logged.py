"""A small shop's log for agents: forty items of five kinds; what was in the last slate bores, and bored users leave."""

import numpy as np

from paretail.data.odds import drawn
from paretail.data.sessions import SessionLog

from .worlds import Bored


class Leaving(Bored):
    """Users who leave, with chance .4, after a slate in which more than one item was of a kind."""

    def step(self, action):  # type: ignore[no-untyped-def]
        seen, reward, _, over, info = super().step(action)
        kinds = self.kind[np.atleast_1d(action)]
        left = len(set(kinds.tolist())) < len(kinds) and self.np_random.random() < 0.4
        return seen, reward, bool(left), over, info


def log_of(sessions: int, seed: int = 0, epsilon: float = 0.3, env: Bored | None = None) -> SessionLog:
    """Return visits under a policy that shows the best-liked items always, but for random ones."""
    env, rng = env or Leaving(), np.random.default_rng(seed)
    best = np.argsort(-env.like[env.kind], kind="stable")[: env.slots].astype(np.int32)
    columns: dict[str, list] = {name: [] for name in ("session", "rows", "clicks", "propensity", "reward", "ended")}
    seen: list[dict] = []
    after: list[dict] = []
    for session in range(sessions):
        now, over = env.reset(seed=seed * 10_000 + session)[0], False
        while not over:
            rows, odds = drawn(best, np.arange(env.items), epsilon, rng)
            then, reward, left, cut, _ = env.step(rows)
            values = (session, rows, env.clicked, odds, reward, left)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(np.copy(value))
            seen.append(now), after.append(then)  # type: ignore[func-returns-value]  # two lists, one line
            now, over = then, left or cut
    parts = [{key: np.stack([one[key] for one in told]) for key in told[0]} for told in (seen, after)]
    found = {name: np.stack(values) for name, values in columns.items()}
    return SessionLog(
        found["session"], found["session"] // 2, parts[0], parts[1], found["rows"].astype(np.int64),
        found["clicks"].astype(np.float32), found["propensity"], found["reward"].astype(np.float64), found["ended"],
    )  # fmt: skip
