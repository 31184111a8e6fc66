"""`paretail forecast` and `release`: estimates hold a truth that is known, and say where a log cannot tell."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from paretail.evaluate.offpolicy.estimate import judged
from paretail.pipeline.forecast import Forecasts, Lists
from paretail.policy.objectives import objective
from paretail.policy.pool import Pool
from tests.policy.pools import pool

from ..trained import DemoShop, paretail

USERS, CANDS, SLOTS, LISTS = 300, 12, 3, 6000


def _log(wrong: float, seed: int, told: bool = True) -> tuple[Forecasts, Pool, np.ndarray]:
    """Return a log of a uniform policy, whose ranker is off by a factor, and the true P(click)."""
    rng = np.random.default_rng(seed)
    found = pool(users=USERS, cands=CANDS, seed=1)
    truth = found.p_click.astype(np.float64)
    off = Pool(**{**vars(found), "p_click": (found.p_click * wrong).astype(np.float32)})
    user = rng.integers(0, USERS, LISTS)
    places = np.array([rng.permutation(CANDS)[:SLOTS] for _ in range(LISTS)])
    seen = found.attention[:SLOTS]
    clicked = rng.random((LISTS, SLOTS)) < truth[user[:, None], places] * seen
    items = found.item_idx[user[:, None], places]
    odds = np.tile(1 / (CANDS - np.arange(SLOTS)), (LISTS, 1))
    lists = Lists(pl.Series([f"u{u}" for u in user]), items, odds if told else odds * np.nan,
                  {"clicks": clicked.astype(np.float64)})  # fmt: skip
    goals = {"clicks": objective("clicks")}
    steering = SimpleNamespace(goal=goals.__getitem__, available=goals, per=lambda _: 1.0)
    return Forecasts(steering, lists, off, user.astype(np.int64), np.zeros(CANDS, bool)), off, truth  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [1.0, 0.5, 1.6])
def test_intervals_hold_the_truth_though_the_ranker_is_off(wrong: float) -> None:
    held = 0
    for seed in range(20):
        ready, off, truth = _log(wrong, seed)
        target = np.argsort(-off.p_click, axis=1)[:, :SLOTS].astype(np.int32)
        terms, seen, _ = ready._terms(target, "clicks")

        told = judged(terms, seen, groups=ready.user)
        assert not told.refused
        value = (np.take_along_axis(truth, target, 1) @ off.attention[:SLOTS])[ready.user].mean()
        held += told.low <= value <= told.high
    assert held >= 17


def test_items_that_were_never_shown_are_refused() -> None:
    ready, off, _ = _log(1.0, 0)
    never = np.zeros(CANDS, bool)
    never[:6] = True
    blind = Forecasts(ready.steering, ready.lists, off, ready.user, never)
    target = np.argsort(-off.p_click, axis=1)[:, :SLOTS].astype(np.int32)
    _, seen, _ = blind._terms(target, "clicks")
    assert seen.unsupported > 0.2


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
    assert (kept.left_out, len(kept.user_ids), len(kept.item_idx)) == (40, LISTS - 40, LISTS - 40)
    assert kept.brought["clicks"].sum() == lists.brought["clicks"][40:].sum()
    odds[: LISTS - 50] = np.nan
    assert replace(lists, propensity=odds).with_odds().left_out == 0  # too few are left: none can be judged


def test_a_release_is_a_verdict_and_an_exit_code(shop: DemoShop, log: Path) -> None:
    pytest.importorskip("torch")
    asked = ("--bundle", shop.bundle, "--log", log, "-k", 6, "--setting", "today", "--goal", "clicks")
    done = paretail("release", *asked, "--json")
    told = json.loads(done.out)
    assert done.code == {"ship": 0, "experiment": 3, "keep": 4}[told["verdict"]]
    assert told["incumbent"] > 0
    assert told["verdict"] in paretail("release", *asked).out


@pytest.mark.parametrize(("verb", "more", "code"), [
    ("forecast", (), "CLI-28"), ("forecast", ("--goals", "likes=1"), "POL-01"),
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
