"""A radio, a session environment of other dynamics than the shop's, from which only gymnasium's interface is used.

A listener has a taste t ~ N(0, I) that nobody sees, and satiety s_k of each of 20 genres. Songs have vectors v (a
genre's centre and noise), a soft membership m_k of genres and a quality. Each step a programme of `slots` songs is
played:

    P(like) = σ(1.6 t·v + quality - 1 - Σ_k m_k s_k - 3·[played in the last 20 steps])
    s <- .9 s + Σ_programme m / (1 + .6 slots)
    P(leave) = 1 - exp(-.003 - .25 b²),   b = mean over the programme of Σ_k m_k s_k

The reward is the number of likes. `seen="dict"`: {"shown": rows, "liked": bits}; `"box"`: one flat vector of the songs'
vectors and bits. Nothing of it is taken from `paretail.sim`.
"""

import gymnasium
import numpy as np
from gymnasium import spaces

GENRES, DIM = 20, 12


class Radio(gymnasium.Env):
    """One listener at a time."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, slots: int = 10, songs: int = 1000, seen: str = "dict", longest: int = 150, world: int = 0):
        rng = np.random.default_rng(world)
        self.slots, self.songs, self.seen, self.longest = slots, songs, seen, longest
        centre = rng.normal(size=(GENRES, DIM)) / np.sqrt(DIM)
        home = rng.integers(GENRES, size=songs)
        self.item_vectors = (centre[home] + 0.12 * rng.normal(size=(songs, DIM))).astype(np.float32)
        near = -8 * ((self.item_vectors[:, None] - centre) ** 2).sum(2)
        self.member = np.exp(near - near.max(1, keepdims=True))
        self.member /= self.member.sum(1, keepdims=True)
        self.quality = 0.5 * rng.normal(size=songs)
        if seen == "dict":
            bits = spaces.MultiBinary(slots)
            self.observation_space = spaces.Dict(
                {"shown": spaces.Box(-1, songs - 1, (slots,), np.int64), "liked": bits}
            )
        else:
            self.observation_space = spaces.Box(-5.0, 5.0, (slots * (DIM + 1),), np.float32)
        self.action_space = spaces.Discrete(songs) if slots == 1 else spaces.MultiDiscrete([songs] * slots)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.taste = self.np_random.normal(size=DIM)
        self.satiety, self.last = np.zeros(GENRES), np.full(self.songs, -99)
        self.step_, self.shown, self.liked = 0, np.full(self.slots, -1), np.zeros(self.slots, np.int8)
        return self._look(), {}

    def step(self, action):
        rows = np.atleast_1d(np.asarray(action))
        likes = self.p_like(rows)
        liked = self.np_random.random(self.slots) < likes
        _, first = np.unique(rows, return_index=True)
        once = np.zeros(self.slots, bool)
        once[first] = True
        liked &= once
        bored = float((self.member[rows] @ self.satiety).mean())
        self.satiety = 0.9 * self.satiety + self.member[rows].sum(0) / (1 + 0.6 * self.slots)
        self.last[rows], self.step_ = self.step_, self.step_ + 1
        self.shown, self.liked = rows, liked.astype(np.int8)
        left = bool(self.np_random.random() < 1 - np.exp(-0.003 - 0.25 * bored**2))
        return self._look(), float(liked.sum()), left, self.step_ >= self.longest, {}

    def p_like(self, rows):
        again = self.step_ - self.last[rows] < 20
        x = 1.6 * self.item_vectors[rows] @ self.taste + self.quality[rows] - 1 - 3 * again
        return 1 / (1 + np.exp(-(x - self.member[rows] @ self.satiety)))

    def _look(self):
        if self.seen == "dict":
            return {"shown": self.shown.astype(np.int64), "liked": self.liked}
        vectors = np.where(self.shown[:, None] >= 0, self.item_vectors[self.shown], 0)
        return np.concatenate([vectors.ravel(), self.liked]).astype(np.float32)


def greedy(env):
    """The songs of the largest true chance of being liked."""
    p = env.p_like(np.arange(env.songs))
    return np.argsort(-p)[: env.slots]


def informed(env, fade=1.0, rest=6.0):
    """Taste, and genres that fall with their satiety."""
    score = 1.6 * env.item_vectors @ env.taste + env.quality - rest * env.member @ env.satiety
    score = score - 9 * (env.step_ - env.last < 20)
    rows = []
    for _ in range(env.slots):
        rows.append(int(score.argmax()))
        score = score - fade * env.member @ env.member[rows[-1]]
        score[rows[-1]] = -99
    return np.array(rows)


def random(env):
    return env.np_random.integers(env.songs, size=env.slots)


def play(env, policy, episodes, seed=0):
    """Return the reward of each episode of a policy that may look into the environment."""
    totals = []
    for episode in range(episodes):
        env.reset(seed=seed + episode)
        total, over = 0.0, False
        while not over:
            rows = policy(env)
            _, reward, left, cut, _ = env.step(rows[0] if env.slots == 1 else rows)
            total, over = total + reward, left or cut
        totals.append(total)
    return np.array(totals)


if __name__ == "__main__":
    for slots in (1, 10):
        env = Radio(slots)
        for policy in (random, greedy, informed):
            found = play(env, policy, 100)
            print(slots, policy.__name__, f"{found.mean():.1f} ± {1.96 * found.std() / 10:.1f}")
