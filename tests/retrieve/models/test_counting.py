"""Popular, trending and neighbours, by hand."""

import numpy as np
import pytest

from paretail.core.errors import ConfigError, DataError
from paretail.retrieve.models.knn import Knn, KnnConfig
from paretail.retrieve.models.popular import Popular, PopularConfig
from paretail.retrieve.models.trending import Trending, TrendingConfig, best_half_life

from ..shops import Event, graph, shop


def test_popular_counts_each_users_strongest_wish_once() -> None:
    events: list[Event] = [("u", "a", "view", 0), ("u", "a", "view", 1), ("u", "a", "purchase", 2),
                           ("v", "a", "cart", 0), ("v", "b", "impression", 0), ("v", "c", "view", 5)]  # fmt: skip
    made = graph(shop(events), "abcd")
    scores = Popular.fit(made, PopularConfig(), 0).score(made.history)
    assert scores == pytest.approx(np.array([[1.6, 0, 0.3, 0]] * 2))
    weighted = Popular.fit(made, PopularConfig(weights={"view": 1.0}), 0).score(made.history)
    assert weighted[0].tolist() == [1, 0, 1, 0]


def test_popular_forgets_by_half_life_or_window() -> None:
    made = graph(shop([("u", "a", "purchase", 0), ("v", "b", "purchase", 10)]))
    assert Popular.fit(made, PopularConfig(half_life_days=5), 0).popularity.tolist() == [0.25, 1]
    assert Popular.fit(made, PopularConfig(window_days=9), 0).popularity.tolist() == [0, 1]
    assert Popular.fit(made, PopularConfig(window_days=10), 0).popularity.tolist() == [1, 1]
    timeless = graph(shop([("u", "a", "purchase", 0)], time="none"))
    with pytest.raises(DataError, match="GRAPH-02"):
        Popular.fit(timeless, PopularConfig(window_days=9), 0)


def test_trending_forgets_and_equals_popular_without_time() -> None:
    events: list[Event] = [("u", "a", "purchase", 0), ("v", "a", "purchase", 0), ("w", "b", "purchase", 8)]
    made = graph(shop(events))
    assert Trending.fit(made, TrendingConfig(half_life_days=4), 0).trend.tolist() == [0.5, 1]
    for time in ("order", "none"):
        other = graph(shop(events, time=time))  # type: ignore[arg-type]
        trend = Trending.fit(other, TrendingConfig(half_life_days=4), 0).trend
        assert trend.tolist() == Popular.fit(other, PopularConfig(), 0).popularity.tolist() == [2, 1]


def test_the_half_life_is_the_one_that_foretells() -> None:
    """A fashion of the last weeks wants a short memory; a taste that never changes wants a long one."""
    fashion = [(f"u{day}-{n}", "abcdefghij"[day // 21], "purchase", day) for day in range(200) for n in range(5)]
    steady = [(f"u{day}-{n}", "abcdefghij"[(day * n) % 10], "purchase", day) for day in range(200) for n in range(5)]
    short, long = (best_half_life(graph(shop(events)).history, 10, {"purchase": 1.0}) for events in (fashion, steady))
    assert short is not None
    assert short <= 3, "the fashion of day 189 has a week to be seen in"
    assert long is None or long >= 30
    assert best_half_life(graph(shop(steady[:3])).history, 10, {"purchase": 1.0}) is None


def test_trending_in_a_category() -> None:
    made = graph(shop([("u", "a", "purchase", 0), ("v", "b", "purchase", 9), ("w", "c", "purchase", 9)]), "abcd")
    model = Trending(np.array([1, 2, 3, 0], np.float32), np.array([0, 3, 4]), np.array([0, 1, 3, 2], np.int32))
    assert [part.tolist() for part in model.top(0)] == [[1, 0], [2, 1]]
    assert [part.tolist() for part in model.top(1, k=1)] == [[2], [3]]
    assert model.top(None, k=2)[0].tolist() == [2, 1]
    again = Trending.from_arrays(model.arrays(), TrendingConfig())
    assert again.top(0)[0].tolist() == [1, 0]
    assert len(Trending.fit(made, TrendingConfig(), 0).top()[0]) == 3, "an item without events does not trend"


def test_neighbours_by_hand() -> None:
    """a and b share two of three users, a and c one; c is had by two."""
    events: list[Event] = [(user, item, "purchase", 0) for user, items in
                           (("u", "ab"), ("v", "ab"), ("w", "ac"), ("x", "c")) for item in items]  # fmt: skip
    made = graph(shop(events), "abcd")
    model = Knn.fit(made, KnnConfig(damping=0.0, power=1.0), 0)
    cosine = np.array([[0, 2 / 6**0.5, 1 / 6**0.5, 0]])
    only_a = made.history.where(made.history.item_idx == 0).of_users(np.array([0]))
    assert model.score(only_a) == pytest.approx(cosine)
    jaccard = Knn.fit(made, KnnConfig(measure="jaccard"), 0)
    assert jaccard.score(only_a) == pytest.approx(np.array([[0, 2 / 3, 1 / 4, 0]]))
    assert Knn.fit(made, KnnConfig(neighbours=1, damping=0.0, power=1.0), 0).score(only_a)[0, 2] == 0
    soft = Knn.fit(made, KnnConfig(damping=0.0, power=0.5), 0)
    assert soft.score(only_a) == pytest.approx(np.array([[0, 2 / 6**0.25, 1 / 6**0.25, 0]]))
    shrunk = Knn.fit(made, KnnConfig(shrinkage=2.0, damping=0.0, power=1.0), 0)
    assert shrunk.score(only_a) == pytest.approx(np.array([[0, 2 / (6**0.5 + 2), 1 / (6**0.5 + 2), 0]]))


def test_the_profile_of_neighbours_forgets() -> None:
    events: list[Event] = [("u", "a", "purchase", 0), ("u", "b", "purchase", 8)]
    made = graph(shop(events))
    model = Knn.fit(made, KnnConfig(half_life_days=4, damping=0.0), 0)
    assert model.score(made.history)[0] == pytest.approx([1.0, 0.25])
    later = 16 * 86_400_000
    assert model.score(made.history, now_ms=later)[0] == pytest.approx([0.25, 0.0625])


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="half_life_days"):
        TrendingConfig.parse({"half_life": 3.0})
    with pytest.raises(ConfigError, match="neighbours"):
        KnnConfig.parse({"neighbours": 0})
