"""What holds of every strategy in the table."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretail.core.errors import ConfigError, MissingExtraError, UsageError
from paretail.core.rng import rng_for
from paretail.search.base import Strategy
from paretail.search.standing import standing
from paretail.search.strategies import STRATEGIES, build
from paretail.search.strategies.hybrid import Hybrid
from tests.search.spaces import Branches, score, size

SPACE = Branches()
NEEDS = {"tpe": "optuna", "gan": "torch", "gan-mutation": "torch"}
SMALL = {"start": 10, "steps": 8, "width": 16, "members": 2, "updates": 2}
QUICK: dict[str, dict[str, Any]] = {"gan": SMALL, "gan-mutation": SMALL, "hybrid": {"drawn": 200}}
every = pytest.mark.parametrize("name", [name for name in STRATEGIES if find_spec(NEEDS.get(name, "numpy"))])


def run(
    name: str, space: Branches = SPACE, seed: int = 0, rounds: int = 4, count: int = 6, goals: int = 1,
    strategy: Strategy | None = None,
) -> tuple[Strategy, list[list[Any]]]:  # fmt: skip
    strategy = strategy or made(name, space, seed, goals)
    asked = []
    for _ in range(rounds):
        asked.append(strategy.ask(count))
        strategy.tell(asked[-1], scores_of(asked[-1], goals))
    return strategy, asked


def made(name: str, space: Branches = SPACE, seed: int = 0, goals: int = 1) -> Strategy:
    return build(name, space, seed=seed, goals=goals, settings=QUICK.get(name))


def best_of(asked: list[list[Any]]) -> float:
    return max(score(net) for nets in asked for net in nets)


def scores_of(asked: list[Any], goals: int = 1) -> list[Any]:
    return [score(net) for net in asked] if goals == 1 else [[score(net), size(net)] for net in asked]


@every
@pytest.mark.parametrize("goals", [1, 2])
def test_nothing_is_asked_for_twice(name: str, goals: int) -> None:
    strategy, asked = run(name, goals=goals)
    asked.append(strategy.ask(5))  # and not what waits to be told
    asked.append(strategy.ask(5))
    flat = [net for nets in asked for net in nets]
    assert len(flat) == len(set(flat)) == 34


@every
def test_the_same_seed_asks_the_same_and_another_seed_does_not(name: str) -> None:
    assert run(name)[1] == run(name)[1] != run(name, seed=1)[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from paretail.search import nothing", "cannot be imported: cannot import name 'nothing'"),
        ("def Mine(:", "cannot be imported: "),
        ("class Mine: pass", "lacks config_type, ask, tell, state, load_state"),
        (
            "from paretail.search.strategies.random import Random\nclass Mine(Random):\n    config_type = 3",
            "subclass of",
        ),
    ],
)
def test_a_class_that_is_no_strategy_is_refused_with_what_it_lacks(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"mine_{abs(hash(text))}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=f"{told}.*SRCH-02"):
        build(f"mine_{abs(hash(text))}:Mine", SPACE)


@every
def test_a_small_space_is_asked_for_whole_and_then_nothing(name: str) -> None:
    space = Branches(joins=2, width=2)
    _, asked = run(name, space, rounds=7, count=5)
    flat = [net for nets in asked for net in nets]
    assert sorted(flat) == sorted(space.all())
    assert asked[-1] == []


@every
def test_a_state_goes_through_json_and_goes_on_alike(name: str) -> None:
    before, _ = run(name)
    state = before.state()
    arrays = {key: state.pop(key) for key in list(state) if isinstance(state[key], np.ndarray)}
    after = made(name)
    after.load_state(json.loads(json.dumps(state)) | arrays)
    assert run(name, strategy=after, rounds=2)[1] == run(name, strategy=before, rounds=2)[1]


@every
def test_failed_trainings_are_borne(name: str) -> None:
    strategy = made(name)
    for failed in (slice(None), slice(0, 3), slice(2, 2)):
        asked = strategy.ask(6)
        scores = np.array(scores_of(asked))
        scores[failed] = np.nan
        strategy.tell(asked, scores)
    assert len(strategy.ask(6)) == 6


@every
def test_what_was_never_asked_for_may_be_told_and_a_later_score_replaces_an_earlier(name: str) -> None:
    known = SPACE.all()[:20]
    strategy = made(name)
    strategy.tell(known, np.zeros(20))
    strategy.tell(known, scores_of(known))
    assert not set(strategy.ask(30)) & set(known)


@every
def test_it_finds_more_than_chance_does(name: str) -> None:
    if name == "random":
        return
    space = Branches(joins=4, width=7)
    best = {each: [best_of(run(each, space, seed=s, rounds=8)[1]) for s in range(6)] for each in (name, "random")}
    assert np.mean(best[name]) > np.mean(best["random"])


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no strategy 'randum'.*did you mean 'random'.*SRCH-01"):
        build("randum", SPACE)
    with pytest.raises(ConfigError, match=r"cannot be imported.*SRCH-02"):
        build("no_such_module:Strategy", SPACE)
    with pytest.raises(ConfigError, match="CONF-01"):
        build("random", SPACE, settings={"sede": 3})
    assert type(build("gan_mutation", SPACE)) is type(build("gan-mutation", SPACE))
    assert type(build("paretail.search.strategies.random:Random", SPACE)) is type(build("random", SPACE))


def test_a_strategy_whose_extra_is_missing_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.core.errors.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"paretail\[search\].*SRCH-03"):
        build("tpe", SPACE)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
@settings(max_examples=60)
def test_standing_orders_by_front_and_then_by_crowding(points: list[tuple[int, int]]) -> None:
    scores = np.array(points, float)
    stand = standing(scores)
    for a, b in ((a, b) for a in range(len(points)) for b in range(len(points))):
        if (scores[a] >= scores[b]).all() and (scores[a] > scores[b]).any():
            assert stand[a] > stand[b]


def test_standing_of_one_goal_is_its_score_and_of_a_failure_the_worst() -> None:
    assert standing(np.array([[2.0], [np.nan], [-1.0]])).tolist() == [2.0, -np.inf, -1.0]
    assert standing(np.zeros((0, 1))).tolist() == []
    spread = standing(np.array([[0.0, 4], [1, 3], [2, 2], [4, 0], [0, 0]]))
    assert list(np.argsort(-spread)[:2]) in ([0, 3], [3, 0])
    assert spread[4] <= -1


@pytest.mark.parametrize(("goals", "scores"), [(1, [0.5]), (2, [0.5, 0.5]), (1, [[0.1, 0.2], [0.3, 0.4]])])
def test_scores_of_another_shape_are_refused(goals: int, scores: list[Any]) -> None:
    strategy = build("random", SPACE, goals=goals)
    with pytest.raises(UsageError, match=f"2 architectures, with {goals} .*SRCH-24"):
        strategy.tell(strategy.ask(2), scores)


def test_hybrid_begins_by_chance_and_beside_the_best_where_it_was_told_some() -> None:
    space, near = Branches(joins=8, width=7), np.random.default_rng(0)
    untold, told, again = (Hybrid(space) for _ in range(3))
    for number in range(2):  # six and then twelve known, of which `start` is 10
        drawn = untold.random(6, rng_for(f"search/hybrid/{number}", 0))
        asked = untold.ask(6)
        assert asked == drawn
        untold.tell(asked, scores_of(asked))
    best, other = sorted(space.sample(near, 2), key=score, reverse=True)
    told.tell([other, best], scores_of([other, best]))
    for _ in range(2):
        best = max(told.told, key=score)
        asked, beside = told.ask(6), set(space.neighbours(best, near, 1000))
        assert set(asked[:3]) <= beside
        assert not set(asked[3:]) <= beside
        again.load_state(told.state())
        told.tell(asked[:3], scores_of(asked[:3]))
        again.tell(asked[:3], scores_of(asked[:3]))
    assert again.ask(4) == told.ask(4)
