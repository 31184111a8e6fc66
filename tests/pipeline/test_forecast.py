"""`paretail forecast` and `release`: estimates hold a truth that is known, and say where a log cannot tell."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import DataError
from paretail.data.stores.lists import impressions
from paretail.data.types import EVENT_COLUMNS, Events
from paretail.pipeline.forecast import Forecasts
from paretail.pipeline.listed import NOTHING, Lists, alone, placements
from paretail.policy import PolicyError
from paretail.policy.compositions import GREEDY
from paretail.policy.explore import draw
from paretail.policy.objectives import objective
from paretail.policy.pool import Pool
from tests.policy.pools import pool

from ..trained import DemoShop, paretail

USERS, CANDS, SLOTS, LISTS = 300, 12, 3, 6000
#: In units of the chance of a click: items at the top of a slate change places, others are seldom seen.
HEAT = 0.05


def _steering(explore: float) -> SimpleNamespace:
    goals = {"clicks": objective("clicks")}
    return SimpleNamespace(
        goal=goals.__getitem__, available=goals, per=lambda _: 1.0, how=GREEDY, config=SimpleNamespace(explore=explore),
        segments=lambda past: np.zeros(past.users, np.intp),
        setting=lambda goals, *_: SimpleNamespace(weights={"clicks": -1.0 if goals == "worst" else 1.0}),
        heat=lambda *_: HEAT if explore else 0.0,
    )  # fmt: skip


def _log(wrong: float, seed: int, told: bool = True, explore: float = 0.0,
         short: float = 0.0) -> tuple[Forecasts, Pool, np.ndarray]:  # fmt: skip
    """Return a log, whose ranker is off by a factor, and the true P(click).

    Its lists are drawn as served where `explore` is set, else uniformly; a share of them has one place alone.
    """
    rng = np.random.default_rng(seed)
    found = pool(users=USERS, cands=CANDS, seed=1)
    truth = found.p_click.astype(np.float64)
    noise = np.random.default_rng(3).uniform(0.6, 1.4, truth.shape) if explore else 1.0
    off = Pool(**{**vars(found), "p_click": (found.p_click * wrong * noise).astype(np.float32)})
    user = rng.integers(0, USERS, LISTS)
    steering = _steering(explore)
    if explore:
        drawn = draw(off.rows(user), steering.available, {"clicks": 1.0}, SLOTS, HEAT, rng)
        places, odds = drawn.places, drawn.propensity
    else:
        places = np.array([rng.permutation(CANDS)[:SLOTS] for _ in range(LISTS)])
        odds = np.tile(1 / (CANDS - np.arange(SLOTS)), (LISTS, 1))
    there = (rng.random(LISTS) >= short)[:, None] | (np.arange(SLOTS) == 0)
    clicked = there & (rng.random((LISTS, SLOTS)) < truth[user[:, None], places] * found.attention[:SLOTS])
    items = np.where(there, found.item_idx[user[:, None], places], NOTHING)
    odds = np.where(there, odds if told else np.nan, np.nan)
    lists = Lists(pl.Series([f"u{u}" for u in user]), items, odds, {"clicks": clicked.astype(np.float64)})
    ready = Forecasts(steering, lists, off, user.astype(np.int64), np.zeros(CANDS, bool))  # type: ignore[arg-type]
    return ready, off, truth


@pytest.mark.parametrize("wrong", [1.0, 0.5, 1.6])
def test_intervals_hold_the_truth_though_the_ranker_is_off(wrong: float) -> None:
    held = 0
    for seed in range(20):
        ready, off, truth = _log(wrong, seed)
        target = np.argsort(-off.p_click, axis=1)[:, :SLOTS].astype(np.int32)
        told = ready.lines({"best": None})[0].estimate
        assert not told.refused
        value = (np.take_along_axis(truth, target, 1) @ off.attention[:SLOTS])[ready.user].mean()
        held += told.low <= value <= told.high
    assert held >= 17


@pytest.mark.parametrize("short", [0.0, 0.3])
def test_what_is_served_is_worth_what_its_own_lists_brought(short: float) -> None:
    ready, _, _ = _log(1.3, 0, explore=0.1, short=short)
    live = ready.live()[0].estimate
    told = ready.lines({"today": None})[0].estimate
    assert not told.refused
    assert abs(told.value / live.value - 1) < 0.01
    assert ready.release(None, "clicks", 0.02).verdict == "ship"


def test_a_candidate_is_judged_as_it_would_be_drawn() -> None:
    ready, off, truth = _log(1.0, 1)
    drawn = replace(ready, steering=_steering(0.1))
    slates = [draw(off, drawn.steering.available, {"clicks": 1.0}, SLOTS, HEAT, np.random.default_rng(seed)).places
              for seed in range(50)]  # fmt: skip
    value = np.mean([(np.take_along_axis(truth, one, 1) @ off.attention[:SLOTS])[ready.user].mean() for one in slates])
    found = drawn.lines({"best": None})[0]
    assert found.estimate.low <= value <= found.estimate.high
    assert found.model == pytest.approx(value, rel=0.005)
    assert found.model < 0.99 * ready.lines({"best": None})[0].model


def test_what_is_worse_is_kept() -> None:
    ready, _, _ = _log(1.0, 0)
    assert ready.release("worst", "clicks", 0.02).verdict == "keep"  # type: ignore[arg-type]  # all that it asks


def test_a_goal_that_the_bundle_does_not_predict_is_refused_by_name() -> None:
    ready, _, _ = _log(1.0, 0)
    with pytest.raises(PolicyError, match=r"does not predict revenue.* Expected clicks\. .*--goal.*POL-02"):
        ready.release(None, "revenue", 0.02)


def test_items_that_were_never_shown_are_refused() -> None:
    ready, _, _ = _log(1.0, 0)
    never = np.zeros(CANDS, bool)
    never[:6] = True
    blind = replace(ready, never=never)
    assert "OFFP-07" in [one.code for one in blind.lines({"best": None})[0].estimate.refused]


def test_items_that_their_user_was_never_shown_are_refused_though_others_were() -> None:
    ready, off, _ = _log(1.0, 0)
    best = np.take_along_axis(off.item_idx, off.p_click.argmax(1)[:, None], 1)[ready.user]
    keep = ~(ready.lists.item_idx == best).any(axis=1)
    odds = np.tile(1 / (CANDS - 1 - np.arange(SLOTS)), (keep.sum(), 1))
    lists = replace(ready.lists.of_lists(keep), propensity=odds)
    told = replace(ready, lists=lists, user=ready.user[keep]).lines({"best": None})[0].estimate
    assert "OFFP-07" in [one.code for one in told.refused]
    assert not ready.never.any()


def test_a_log_without_propensities_is_known_as_one() -> None:
    assert _log(1.0, 0)[0].is_logged
    assert not _log(1.0, 0, told=False)[0].is_logged


@pytest.fixture(scope="module")
def log(shop: DemoShop) -> Path:
    return shop.folder / "events.csv.gz"


def test_the_verb_tells_every_setting_beside_today(shop: DemoShop, log: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "settings.txt"
    file.write_text("clicks=1\ndiversity=1\n")
    asked = ("--bundle", shop.bundle, "--log", log, "-k", 6)
    told = json.loads(paretail("forecast", *asked, "--settings", file, "--json").out)
    assert {line["setting"] for line in told} == {"live", "today", "clicks=1", "diversity=1"}
    assert all(line["value"] > 0 and line["model"] is None for line in told if line["setting"] == "live")
    assert all("OFFP-11" in line["remarks"][0] for line in told)  # the bundle was trained on this log
    assert all((line["value"] is None) == bool(line["refused"]) for line in told)
    assert all(line["value"] is None or line["low"] <= line["value"] <= line["high"] for line in told)
    seen = paretail("forecast", *asked, "--goals", "clicks=1")
    assert seen.code == 0, seen.err
    assert "today" in seen.out
    assert "Mind: " in seen.out
    untold = all(line["refused"] for line in told if line["setting"] in ("today", "clicks=1"))
    assert ("an experiment on a few users does" in seen.out) == untold


def test_a_log_that_never_explored_says_what_it_can_tell_and_how_to_start(shop: DemoShop, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    events = pl.read_csv(shop.holdout, infer_schema_length=None)
    logs = {"OFFP-02": events.drop("propensity"), "OFFP-12": events.with_columns(propensity=1.0)}
    for code, frame in logs.items():
        frame.write_csv(tmp_path / "log.csv")
        asked = ("--bundle", shop.bundle, "--log", tmp_path / "log.csv", "-k", 6)
        done = paretail("forecast", *asked, "--goals", "diversity=1")
        assert done.code == 0, done.err
        assert done.out.count("cannot tell (2 settings, such as today)") == 1
        assert all(words in done.out for words in (code, "live", "[policy] explore", "in brackets"))
        assert "an experiment on a few users does" in done.out
    done = paretail("release", *asked, "--setting", "diversity=1", "--json")
    told = json.loads(done.out)
    assert (done.code, told["verdict"], [one["code"] for one in told["refused"]]) == (3, "experiment", ["OFFP-12"])
    assert told["low"] is None
    assert told["incumbent"] > 0


def test_lists_without_odds_are_left_out_where_others_have_them() -> None:
    lists = _log(1.0, 0)[0].lists
    odds = lists.propensity.copy()
    odds[:40, 1] = np.nan
    kept = replace(lists, propensity=odds).with_odds()
    assert (len(kept.user_ids), len(kept.item_idx)) == (LISTS - 40, LISTS - 40)
    assert kept.remarks == ("40 lists are left out: their odds are not told",)
    assert kept.brought["clicks"].sum() == lists.brought["clicks"][40:].sum()
    odds[: LISTS - 50] = np.nan
    assert not replace(lists, propensity=odds).with_odds().remarks  # too few are left: none can be judged


def test_a_page_has_a_list_a_placement() -> None:
    ids = [f"v{row % 9}" for row in range(130)]
    columns = {"request_id": [f"r{row}" for row in range(130)], "user_id": ids, "session_id": ids, "ts_ms": range(130)}
    answers = pl.DataFrame(columns).with_columns(propensities=pl.lit(None, dtype=pl.List(pl.Float64)))
    page = [answers.with_columns(placement=pl.lit(name), item_ids=pl.lit(items, dtype=pl.List(pl.String)))
            for name, items in (("for-you", ["a", "b"]), ("new/er", ["c", "d", "z"]))]  # fmt: skip
    shown = impressions(pl.concat(page))
    nameless = shown.head(5).with_columns(pl.lit(None, pl.String).alias("request_id"))
    events = Events(pl.concat([shown, shown.head(3), nameless]).select(list(EVENT_COLUMNS)), "clock")
    rows = {name: row for row, name in enumerate("abcd")}
    known = SimpleNamespace(
        items=SimpleNamespace(rows=lambda ids: np.array([rows.get(name, -1) for name in ids], np.int32)),
        steering=SimpleNamespace(wares=SimpleNamespace(margin=np.ones(4))),
    )
    every = Lists.of(events, known, 24, 10)  # type: ignore[arg-type]  # all that it asks
    assert every.item_idx.shape == (260, 3)
    assert (every.item_idx >= 0).sum() == 4 * 130  # "z" is none of the bundle's, and has its place
    assert every.there.sum() == 5 * 130
    assert [remark.split()[0] for remark in every.remarks] == ["5", "3"]
    assert Lists.of(events, known, 24, 10, "new/er").item_idx.shape == (130, 3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="for-you"):
        Lists.of(events, known, 24, 10, "trending")  # type: ignore[arg-type]
    named = events.frame.with_columns(pl.col("event_id").str.replace("new/er", "new 2", literal=True))
    of_pages = Lists.of(Events(named, "clock"), known, 24, 10)  # type: ignore[arg-type]
    assert of_pages.item_idx.shape == (130, 2)  # "new" chooses among other candidates than those that are judged
    assert "candidates of their own" in of_pages.remarks[1]
    assert placements(Events(named, "clock"), own=False) == {"for-you": 130}
    asked = named.filter(pl.col("request_id").is_not_null())
    assert alone(Events(named, "clock"), "for-you") == "for-you"  # five name no request, and so no placement
    assert alone(Events(asked, "clock"), "for-you") is None  # lists of "new" are made in their own way
    assert alone(Events(named, "clock"), "new 2") == "new 2"
    assert alone(Events(named, "clock"), None) is None
    of_home = events.frame.with_columns(pl.col("event_id").str.replace("for-you", "home", literal=True))
    assert alone(Events(of_home, "clock"), "home") == "home"
    unknown = asked.with_columns(event_id=pl.when(pl.col("event_id").str.contains("/new ")).then(pl.lit("e1"))
                                 .otherwise("event_id"))  # fmt: skip
    assert alone(Events(unknown, "clock"), "for-you") == "for-you"  # lists of a placement that is not told
    with pytest.raises(DataError, match="candidates of their own"):
        Lists.of(Events(named.filter(pl.col("event_id").str.contains("/new ")), "clock"), known, 24, 10)  # type: ignore[arg-type]


def test_a_release_is_a_verdict_and_an_exit_code(shop: DemoShop, log: Path) -> None:
    pytest.importorskip("torch")
    asked = ("--bundle", shop.bundle, "--log", log, "-k", 6, "--setting", "today", "--goal", "clicks")
    done = paretail("release", *asked, "--json")
    told = json.loads(done.out)
    assert done.code == {"ship": 0, "experiment": 3, "keep": 4}[told["verdict"]]
    assert told["incumbent"] > 0
    assert told["verdict"] in paretail("release", *asked).out


@pytest.mark.parametrize(("verb", "more", "code"), [
    ("forecast", ("--goals", "clicks=1", "--settings", "settings.txt"), "CLI-28"),
    ("forecast", ("--goals", "likes=1"), "POL-01"),
    ("release", ("--setting", "today", "--margin", "-1"), "CLI-29"), ("release", ("--setting", "much"), "POL-03"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused(
    shop: DemoShop, log: Path, verb: str, more: tuple[str, ...], code: str
) -> None:
    pytest.importorskip("torch")
    done = paretail(verb, "--bundle", shop.bundle, "--log", log, *more)
    assert done.code != 0
    assert code in done.err


def test_a_log_of_few_lists_is_refused(shop: DemoShop, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    events = pl.read_csv(shop.folder / "events.csv.gz")
    events.head(200).write_csv(tmp_path / "few.csv")
    done = paretail("forecast", "--bundle", shop.bundle, "--log", tmp_path / "few.csv", "--goals", "clicks=1")
    assert "POL-11" in done.err
