"""The environments: gymnasium's own check, same seed same bytes, lanes as single users, the vector of goals."""

from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from paretail.core.errors import DataError
from paretail.core.rng import rng_for
from paretail.sim.environment import ShopEnv, ShopVectorEnv, visited
from paretail.sim.observe import Observer
from paretail.sim.truth import SimConfig
from paretail.sim.visits import Reward, VisitConfig, Visits

SIZES = SimConfig(users=60, items=150)


@lru_cache
def shop(life: bool = False) -> Visits:
    return visited(SIZES, VisitConfig(slots=5, life=life), seed=2)


def trace(env: Any, seed: int, steps: int = 40) -> list[bytes]:
    seen, _ = env.reset(seed=seed)
    rows, rng = [], rng_for("test", seed)
    for _ in range(steps):
        action = rng.integers(150, size=env.action_space.shape)
        rows.append(b"".join(np.asarray(seen[name]).tobytes() for name in sorted(seen)))
        seen, reward, left, over, info = env.step(action)
        rows[-1] += np.asarray(reward).tobytes() + info["goals"].tobytes()
        if isinstance(env, ShopEnv) and (left or over):
            seen, _ = env.reset()
    return rows


@pytest.mark.parametrize("life", [False, True])
def test_the_environment_passes_gymnasiums_check(life: bool) -> None:
    check_env(ShopEnv(shop(life)), skip_render_check=True)


@pytest.mark.parametrize("life", [False, True])
def test_same_seed_same_bytes(life: bool) -> None:
    for env in (ShopEnv(shop(life)), ShopVectorEnv(7, shop(life))):
        assert trace(env, 3) == trace(env, 3)
        assert trace(env, 3) != trace(env, 4)


def test_the_reward_is_the_weighted_sum_of_the_goals() -> None:
    reward = Reward(clicks=0.5, purchases=2.0, revenue=0.1, profit=0.3, staying=0.25)
    env = ShopEnv(shop(), reward)
    env.reset(seed=1, options={"user": 17})
    done = False
    while not done:
        seen, value, left, over, info = env.step(env.action_space.sample())
        assert value == pytest.approx(info["goals"] @ [0.5, 2.0, 0.1, 0.3, 0.25])
        assert info["goals"][4] == (not left)
        assert env.observation_space.contains(seen)
        done = left or over
    assert not over
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())


def test_lanes_get_new_users_the_step_after_at_no_reward() -> None:
    env = ShopVectorEnv(9, shop())
    env.reset(seed=0)
    ended, turns = np.zeros(9, dtype=bool), 0
    for _ in range(40):
        seen, reward, left, over, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert not reward[ended].any()
        assert not info["goals"][ended].any()
        assert not (left | over)[ended].any()
        assert (seen["slate"][ended] == -1).all()
        assert not seen["session"][ended].any()
        ended, turns = left | over, turns + left.sum()
    assert turns > 9


def test_a_life_has_visits_and_is_truncated_when_its_days_are_over() -> None:
    env = ShopVectorEnv(60, visited(SIZES, VisitConfig(slots=5, life=True, churn=-9.0, days=5.0)))
    env.reset(seed=0)
    later = over = left = 0
    for _ in range(40):
        seen, _, gone, ends, _ = env.step(env.action_space.sample())
        later, over, left = later + seen["session"][:, -1].sum(), over + ends.sum(), left + gone.sum()
    assert later > 0
    assert over > 10 * left


def test_clicks_of_the_last_slate_of_a_visit_are_seen_in_a_life_too() -> None:
    env = ShopVectorEnv(20, visited(SIZES, VisitConfig(slots=5, life=True)))
    env.reset(seed=0)
    ended = np.zeros(20, bool)
    for _ in range(40):
        seen, _, left, over, info = env.step(env.action_space.sample())
        assert (seen["clicked"].sum(1) == info["goals"][:, 0])[~ended].all()
        ended = (left | over) & ~ended


def test_an_observation_shows_tastes_with_an_error_and_never_the_hidden_state() -> None:
    visits = shop()
    observer = Observer(visits)
    seen = observer(visits.start(np.arange(60, dtype=np.int32)))
    truth = np.hstack([visits.truth.people.likes, visits.truth.people.wants])
    assert (seen["user"][:, :16] - truth).std() == pytest.approx(visits.config.blur, rel=0.15)
    assert set(seen) == {"user", "session", "last", "slate", "clicked"}
    assert observer.items.shape == (150, 16 + 3 + visits.categories)
    np.testing.assert_array_equal(ShopEnv(visits).item_vectors, observer.items)


def test_a_slate_of_strangers_is_refused() -> None:
    env = ShopEnv(shop())
    env.reset(seed=0)
    with pytest.raises(DataError, match="the row 150"):
        env.step(np.array([1, 2, 3, 4, 150]))
