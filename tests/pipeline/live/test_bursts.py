"""Bursts: what the binomial test says by hand, and what chance, a busy shop and one busy person do not set off."""

from math import comb, log

import numpy as np
import pytest

from paretail.core.clock import DAY_MS
from paretail.pipeline.live.bursts import BEFORE_DAYS, bursts

NOW = 1_700_000_000_000


def log_of(*visits: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build from (item, how many people a day, days ago); people are new each time."""
    item = np.concatenate([np.full(people, item) for item, people, _ in visits])
    ago = np.concatenate([np.full(people, ago) for _, people, ago in visits])
    return item, np.arange(len(item)), NOW - ago * DAY_MS


def steady(items: int, people: int = 4) -> list[tuple[int, int, int]]:
    return [(item, people, ago) for item in range(items) for ago in range(1 + BEFORE_DAYS)]


def test_a_burst_is_found_and_nothing_else() -> None:
    scores = bursts(*log_of(*steady(20), (3, 25, 0), (7, 12, 0)), 21)
    assert scores[3] == 1
    assert 0 < scores[7] < 1
    assert np.isneginf(np.delete(scores, [3, 7])).all()


def test_the_score_is_the_logarithm_of_a_binomial_tail() -> None:
    scores = bursts(*log_of(*steady(20), (3, 25, 0), (7, 12, 0)), 20)
    share = (20 * 4 + 37) / (20 * 4 * 29 + 37)

    def tail(recent: int, before: int) -> float:
        n = recent + before
        return log(sum(comb(n, x) * share**x * (1 - share) ** (n - x) for x in range(recent, n + 1)))

    assert scores[7] == pytest.approx(tail(16, 112) / tail(29, 112), rel=1e-4)


def test_a_busy_day_of_the_whole_shop_is_no_burst() -> None:
    assert np.isneginf(bursts(*log_of(*steady(20), *((item, 30, 0) for item in range(20))), 20)).all()


def test_one_person_who_comes_often_is_no_burst() -> None:
    item, user, ts_ms = log_of(*steady(20), (3, 60, 0))
    user[-60:] = 10**6
    assert np.isneginf(bursts(item, user, ts_ms, 20)).all()


def test_chance_sets_off_next_to_nothing() -> None:
    rng, days = np.random.default_rng(0), 1 + BEFORE_DAYS
    false = 0
    for _ in range(20):
        visits = [(item, int(n), ago) for item in range(300) for ago, n in enumerate(rng.poisson(2.0, days))]
        false += int((bursts(*log_of(*visits), 300) > 0).any())
    assert false <= 4  # each log has a burst by chance with probability .05 at most


def test_a_new_topic_bursts_and_old_days_count_nothing() -> None:
    scores = bursts(*log_of(*steady(5), (5, 9, 0), (4, 500, 60)), 6)
    assert scores[5] == 1
    assert np.isneginf(scores[:5]).all()


@pytest.mark.parametrize("visits", [[], [(0, 50, 0)], [(0, 3, 3)]])
def test_too_little_to_compare(visits: list[tuple[int, int, int]]) -> None:
    empty = np.empty(0, np.int64)
    assert np.isneginf(bursts(*(log_of(*visits) if visits else (empty, empty, empty)), 3)).all()
