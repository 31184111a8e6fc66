"""Held-out questions: each mode asks what it will be asked, at every kind of time."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from paretail.core.rng import rng_for
from paretail.data.held import Mode, pair_keys
from paretail.data.splits import HIDDEN_SHARE, Split, random_pairs
from paretail.data.types import History, Time
from paretail.retrieve import question
from paretail.retrieve.base import Question
from paretail.retrieve.models import hybrid
from paretail.retrieve.question import held_out, newcomers

from .histories import KINDS, copy_of, history_of, random_history

ITEMS = 12
MODES: tuple[Mode, ...] = ("none", "target", "all")
TIMES: tuple[Time, ...] = ("clock", "order", "none")
CASES = list(product(MODES, TIMES))


def log(time: Time, users: int = 60, seed: int = 3) -> History:
    return random_history(np.random.default_rng(seed), users, ITEMS, 20, time)


def split_of(history: History, mode: Mode, most_users: int = 1000) -> Split:
    return held_out(history, "purchase", mode, most_users, rng_for("test", 0))


def keys(user: np.ndarray, item: np.ndarray) -> set[int]:
    return set(pair_keys(user, item, ITEMS).tolist())


def pairs(history: History, kind: str | None = None) -> set[int]:
    events = history if kind is None else history.where(history.kind == KINDS.index(kind))
    return keys(events.user_idx, events.item_idx)


@pytest.mark.parametrize(("mode", "time"), CASES)
def test_what_is_held_out_was_wanted_and_is_not_given_away(mode: Mode, time: Time) -> None:
    history = log(time)
    before = copy_of(history)
    split = split_of(history, mode)
    held = keys(split.held.user_idx, split.held.item_idx)
    assert held
    assert held <= pairs(history, "purchase")
    if mode == "all":
        assert not held & pairs(split.train)
    elif mode == "target" or time == "none":
        assert not held & pairs(split.train, "purchase")
    assert split.train.users == split.held.users == history.users
    assert copy_of(history) == before


@pytest.mark.parametrize("time", ["clock", "order"])
def test_repeats_are_asked_where_items_may_come_back(time: Time) -> None:
    split = split_of(log(time), "none")
    assert split.held.repeat.any()
    assert not split.held.repeat.all()
    assert not split_of(log(time), "target").held.repeat.any()


@pytest.mark.parametrize(("mode", "time"), CASES)
def test_no_more_users_than_wanted_are_asked(mode: Mode, time: Time) -> None:
    history = log(time)
    everyone, few = split_of(history, mode), split_of(history, mode, most_users=7)
    asked = few.held.counts > 0
    assert asked.sum() == 7
    assert (everyone.held.counts[asked] > 0).all()
    again = split_of(history, mode, most_users=7)
    assert again.held.item_idx.tobytes() == few.held.item_idx.tobytes()
    assert copy_of(again.train) == copy_of(few.train)
    if (mode, time) == ("none", "clock"):  # one cut for all: what comes after it is nobody's to learn from
        assert copy_of(few.train) == copy_of(everyone.train)
        return
    others = np.flatnonzero(~asked)
    assert copy_of(few.train.of_users(others)) == copy_of(history.of_users(others))


@pytest.mark.parametrize("mode", ["target", "all"])
@pytest.mark.parametrize("time", ["clock", "order"])
def test_only_the_past_of_a_held_out_event_stays(mode: Mode, time: Time) -> None:
    history = log(time)
    split = split_of(history, mode)
    for user in np.flatnonzero(split.held.counts):
        mine = history.of_users(np.array([user]))
        wanted = (mine.item_idx == split.held.item_idx[split.held.indptr[user]]) & (
            mine.kind == KINDS.index("purchase")
        )
        stays = split.train.of_users(np.array([user]))
        assert len(stays.ts_ms)
        assert stays.ts_ms.max() < mine.ts_ms[wanted].max()


@pytest.mark.parametrize(("days", "window"), [(20, 4), (100, 20), (400, 30)])
def test_the_window_of_repeat_purchases_fits_the_log(days: int, window: int) -> None:
    """The last 30 days, or the last fifth of a shorter log, which still leaves something to learn from."""
    history = history_of([[("purchase", day % ITEMS, day) for day in range(days + 1)]])
    split = split_of(history, "none")
    learnt = np.unique(history.ts_ms).size - window - 1
    assert len(split.train.ts_ms) == learnt
    late = {day % ITEMS for day in range(days - window, days + 1)}
    assert split.held.item_idx.tolist() == sorted(late)


def natives_and_others(natives: int) -> History:
    """Users 0.. buy item 1 out of the blue, the rest viewed it before; all of them bought item 0 first."""
    blue = [("purchase", 0, 0), ("view", 2, 1), ("purchase", 1, 2)]
    seen = [("purchase", 0, 0), ("view", 1, 1), ("view", 2, 1), ("purchase", 1, 2)]
    return history_of([blue] * natives + [seen] * 5)


def test_where_enough_users_took_something_out_of_the_blue_they_alone_are_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(question, "ENOUGH_USERS", 6)
    assert split_of(natives_and_others(6), "all").held.counts.tolist() == [1] * 6 + [0] * 5


def test_otherwise_all_are_asked_and_what_gave_the_answer_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question, "ENOUGH_USERS", 6)
    split = split_of(natives_and_others(5), "all")
    assert split.held.counts.tolist() == [1] * 10
    assert split.held.item_idx.tolist() == [1] * 10
    assert split.train.item_idx.tolist() == [0, 2] * 10


@pytest.mark.parametrize(("mode", "time"), CASES)
def test_logs_that_leave_nothing_to_ask(mode: Mode, time: Time) -> None:
    """No user, users without events, one event each, all at one moment."""
    for did in ([], [[], []], [[("purchase", 1, 0)], [("view", 2, 0)]], [[("purchase", 0, 5), ("purchase", 1, 5)]] * 2):
        split = split_of(history_of(did, time), mode)
        assert split.held.users == split.train.users == len(did)
        assert np.isin(split.held.item_idx, [0, 1]).all()


def test_a_gap_before_the_newest_events_leaves_a_question() -> None:
    """A few events after a year without any, such as live ones beside an old log, are no weeks to ask about."""
    rng = np.random.default_rng(0)
    users = [
        [("purchase", int(item), float(day)) for day, item in enumerate(rng.integers(0, 40, 20))] for _ in range(300)
    ]
    users[0].append(("purchase", 3, 500.0))
    history = history_of(users)
    for mode in ("none", "target"):
        split = held_out(history, "purchase", mode, 2000, np.random.default_rng(1))
        asked = int((split.held.counts > 0).sum())
        assert asked > 250
        assert split.train.ts_ms.max() < history.ts_ms.max()


@cache
def links() -> np.ndarray:
    known = np.triu(np.random.default_rng(5).random((40, 40)) < 0.2, 1)
    return known | known.T


def people() -> History:
    """Forty people, each tied to themself and in both directions to those whom they know."""
    did = [[("self", person, 0.0), *(("friend", int(other), 0.0) for other in np.flatnonzero(links()[person]))]
           for person in range(40)]  # fmt: skip
    return history_of(did, "none", kinds=("friend", "self"))


def hidden(split: Split) -> set[tuple[int, int]]:
    return set(zip(split.held.user_idx.tolist(), split.held.item_idx.tolist(), strict=True))


SPLITTERS = {
    "random pairs": lambda rng: random_pairs(people(), "friend", rng),
    "random pairs, a share": lambda rng: random_pairs(people(), "friend", rng, share=HIDDEN_SHARE, forget="target"),
    "hybrid": lambda rng: hybrid._split(people(), "friend", "target", 1000, rng),
    **{f"held out, {mode}": lambda rng, mode=mode: held_out(people(), "friend", mode, 1000, rng) for mode in MODES},
}


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_links_are_hidden_in_both_directions(splitter: str) -> None:
    split = SPLITTERS[splitter](rng_for("test", 1))
    held = hidden(split)
    kept = split.train.where(split.train.kind == 0)
    left = set(zip(kept.user_idx.tolist(), kept.item_idx.tolist(), strict=True))
    everything = set(zip(*(side.tolist() for side in np.nonzero(links())), strict=True))
    assert held
    assert held | left == everything
    assert {(other, person) for person, other in held} == held
    assert (split.train.kind == 1).sum() == 40
    assert len(held) / len(everything) == pytest.approx(hybrid.FIFTH if "hybrid" in splitter else 0.15, abs=0.05)


def test_as_many_people_are_asked_as_may_be_and_none_who_would_keep_no_link() -> None:
    assert (held_out(people(), "friend", "all", 3, rng_for("test", 1)).held.counts > 0).sum() == 3
    alone = history_of([[("friend", 1, 0.0)], [("friend", 0, 0.0)]], "none", kinds=("friend", "self"))
    assert not held_out(alone, "friend", "all", 9, rng_for("test", 2)).held.counts.any()


def test_lists_of_people_leave_out_oneself_and_all_who_are_known() -> None:
    assert [Question("friend", repeat, ("friend",)).mode for repeat in (False, True)] == ["all", "all"]
    assert [Question("purchase", repeat, ("purchase",)).mode for repeat in (False, True)] == ["target", "none"]


def test_newcomers_are_asked_with_nothing_known_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users 0 to 59 began on day 0, users 60 to 119 in the last weeks; both buy all the time."""
    old = [[("purchase", (user + day) % 9, day) for day in range(0, 100, 10)] for user in range(60)]
    new = [[("view", 3, 90), ("purchase", user % 9, 91), ("purchase", 8, 99)] for user in range(60)]
    history = history_of(old + new)
    split = newcomers(history, "purchase", 1000, np.random.default_rng(0))
    assert split is not None
    assert np.flatnonzero(split.held.counts).tolist() == list(range(60, 120))
    assert not np.diff(split.train.indptr)[60:].any()
    assert split.train.ts_ms.max() < history.ts_ms[history.kind == KINDS.index("view")].min()
    assert pairs(history, "purchase") >= keys(split.held.user_idx, split.held.item_idx)
    few = newcomers(history, "purchase", 20, np.random.default_rng(0))
    assert few is not None
    assert (few.held.counts > 0).sum() == 20
    assert newcomers(history_of(old), "purchase", 1000, np.random.default_rng(0)) is None
    assert newcomers(history_of(old + new, "order"), "purchase", 1000, np.random.default_rng(0)) is None
    assert newcomers(history_of([]), "purchase", 1000, np.random.default_rng(0)) is None
