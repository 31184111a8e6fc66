"""`paretail experiment`: what it prints, its exit codes, and what it refuses."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import polars as pl
import pytest

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.errors import UsageError
from paretail.data.documents import ItemDocument
from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.bundle import Draft, current, point, publish
from paretail.pipeline.config import load_config
from paretail.pipeline.experiments import ending
from paretail.pipeline.experiments.looking import Effect, Status

from ..trained import paretail

INLINE = "[{name = 'live', share = 0.5}, {name = 'bold', share = 0.5}]"
ITEMS = pl.DataFrame({"item_id": ["i"]})

SHOP = """
[data]
events = "events.csv"
[serve]
store = "store"
[[experiments]]
name = "spring"
users = 300
arms = [{name = "live", share = 0.5}, {name = "bold", share = 0.5, order = "purchase"}]
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "shop.toml").write_text(SHOP, encoding="utf-8")
    first = now_ms() - DAY_MS
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        users = [(f"u{number}", "bold" if number % 2 else "live") for number in range(240)]
        store.shown([Shown(f"r{user}", first, user, None, "p", "v", "p", ["i"], None, "spring", arm)
                     for user, arm in users])  # fmt: skip
        store.append([StoredEvent(user, "i", "purchase", first + 1000, f"e{user}", quantity=1.0,
                                  price_minor=(1000 if arm == "live" else 4000) + int(user[1:]) % 7)
                      for user, arm in users])  # fmt: skip
        store.append([StoredEvent(user, "i", "click", first + 500, f"c{user}") for user, arm in users if arm == "bold"])
    return tmp_path


def test_it_says_where_experiments_stand(here: Path) -> None:
    done = paretail("experiment", "--config", here / "shop.toml", "--json")
    assert (done.code, done.err) == (0, "")
    (told,) = json.loads(done.out)
    assert (told["experiment"], told["arm"], told["verdict"]) == ("spring", "bold", "ship")
    (revenue, clicks) = told["effects"]
    assert revenue["difference"] == pytest.approx(30, abs=0.1)
    assert revenue["low"] < 30 < revenue["high"]
    assert clicks["metric"] == "clicks"
    done = paretail("experiment", "--config", here / "shop.toml", "--name", "spring")
    assert done.code == 0
    assert "ship" in done.out


GUARDED = SHOP.replace(
    "users = 300\n",
    """users = 300
goal = "revenue"
guardrails = ["profit", "refunds", "diversity", "coverage"]
""",
)


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """Let `bold` sell more of what has no margin, of one category, and of what is sent back."""
    (tmp_path / "shop.toml").write_text(GUARDED, encoding="utf-8")
    first, held = now_ms() - DAY_MS, {"a": ("Shoes", 0.5), "b": ("Hats", 0.5), "c": ("Hats", 0.1), "d": ("Hats", 0.1)}
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        store.put("items", {item: msgspec.json.encode(ItemDocument(category=["All", category], margin=margin))
                            for item, (category, margin) in held.items()})  # fmt: skip
        users = [(f"u{number}", "bold" if number % 2 else "live") for number in range(240)]
        lists = {"live": ["a", "b", "c"], "bold": ["c", "d"]}
        store.shown([Shown(f"r{user}", first, user, None, "p", "v", "p", lists[arm], None, "spring", arm)
                     for user, arm in users])  # fmt: skip
        sold = {"live": ("a", 1000), "bold": ("c", 3000)}
        store.append([StoredEvent(user, sold[arm][0], "purchase", first + 1000, f"e{user}", quantity=2.0,
                                  price_minor=sold[arm][1] + int(user[1:]) % 7) for user, arm in users])  # fmt: skip
        store.append([StoredEvent(user, "c", "refund", first + 2000, f"b{user}", quantity=1.0)
                      for user, arm in users if arm == "bold" and int(user[1:]) % 3])  # fmt: skip
    return tmp_path


def test_guardrails_tell_money_kept_and_what_was_shown(guarded: Path) -> None:
    done = paretail("experiment", "--config", guarded / "shop.toml", "--json")
    assert (done.code, done.err) == (4, "")
    (status,) = json.loads(done.out)
    told = {one["metric"]: one for one in status["effects"]}
    assert {name: (one["unit"], one["better"]) for name, one in told.items()} == {
        "revenue": ("money", "more"), "profit": ("money", "more"), "refunds": ("refunds", "less"),
        "diversity": ("share of pairs", "more"), "coverage": ("items", "more"),
    }  # fmt: skip
    assert (status["verdict"], set(status["because"])) == ("stop", {"profit", "refunds", "diversity", "coverage"})
    bold = {name: one["candidate"] for name, one in told.items()}
    assert bold["refunds"] == pytest.approx(2 / 3)
    assert bold["revenue"] == pytest.approx(2 * 30.03 - 2 / 3 * 30.03, abs=0.1)  # net of what was sent back
    assert bold["profit"] == pytest.approx(0.1 * bold["revenue"])
    assert (bold["diversity"], bold["coverage"]) == (0.0, 2.0)
    live = {name: one["incumbent"] for name, one in told.items()}
    assert live["profit"] == pytest.approx(10, abs=0.1)
    assert (live["refunds"], live["coverage"]) == (0.0, 3.0)
    assert live["diversity"] == pytest.approx(2 / 3)
    assert told["refunds"]["low"] > 0
    (row,) = [
        line
        for line in paretail("experiment", "--config", guarded / "shop.toml").out.splitlines()
        if line.split()[:1] == ["refunds"]
    ]
    assert row.split()[1] == "less"


def test_what_is_decided_ends_and_what_ships_goes_live(here: Path) -> None:
    file = here / "shop.toml"
    by_hand = paretail("experiment", "--config", file, "--finish")
    assert "order = 'purchase' must be put live by hand" in by_hand.out
    live, other = (publish(Draft({}, name, tables={"items": ITEMS}), here / name) for name in ("live", "next"))
    text = file.read_text(encoding="utf-8").replace('order = "purchase"', 'bundle = "next", goals = "revenue=0.5"')
    file.write_text(text.replace("[serve]", '[serve]\nbundle = "live"') + "[store]  # after it\n", encoding="utf-8")
    done = paretail("experiment", "--config", file, "--finish")
    assert (done.code, done.err) == (0, "")
    assert f"bundles use {live}" in done.out
    assert current(here / "live") == other
    shop = load_config(file)
    assert (shop.serve.goals, shop.experiments[0].active) == ("revenue=0.5", False)
    assert "[store]  # after it" in file.read_text(encoding="utf-8")
    point(here / "live", live)
    again = paretail("experiment", "--config", file, "--finish", "--json")
    assert json.loads(again.out)[0]["done"] == []
    assert current(here / "live") == live


def test_an_experiment_that_nobody_saw_holds_up_no_other(here: Path) -> None:
    file = here / "shop.toml"
    with file.open("a", encoding="utf-8") as more:
        more.write(f"[[experiments]]\nname = 'unseen'\narms = {INLINE}\n")
    done = paretail("experiment", "--config", file, "--json")
    assert (done.code, [one["experiment"] for one in json.loads(done.out)]) == (0, ["spring"])
    assert "EXPT-04" in done.err
    done = paretail("experiment", "--config", file, "--name", "unseen")
    assert (done.code, "EXPT-04" in done.err) == (1, True)


def test_what_was_tried_on_one_placement_goes_live_by_hand(tmp_path: Path) -> None:
    file, placed = tmp_path / "shop.toml", 'name = "spring"\nplacement = "for-you"'
    file.write_text(SHOP.replace('name = "spring"', placed).replace('order = "purchase"', 'goals = "clicks=1"'))
    (experiment,) = load_config(file).experiments
    better = Effect("revenue", "money", "more", 1.0, 2.0, 1.0, 0.5, 1.5)
    (told,) = ending.finish(file, experiment, [Status("bold", 120, 120, (better,), "ship", ())], None)
    assert "placement = 'for-you' must be put live by hand" in told
    assert load_config(file).serve.goals is None


def test_an_agent_that_ships_fills_the_lists_that_it_was_tried_on(tmp_path: Path) -> None:
    file, arm = tmp_path / "shop.toml", 'policy = "iql", explore = 0.1, goals = "clicks=1"'
    file.write_text(SHOP.replace('order = "purchase"', arm), encoding="utf-8")
    publish(Draft({}, "live", facts={"agents": {"iql": {}}}), tmp_path / "live")
    better = Effect("revenue", "money", "more", 1.0, 2.0, 1.0, 0.5, 1.5)
    ships = [Status("bold", 120, 120, (better,), "ship", ())]
    (everywhere,) = load_config(file).experiments
    (told,) = ending.finish(file, everywhere, ships, tmp_path / "live")
    assert "policy = 'iql' must be put live by hand" in told
    told, over = ending.finish(file, everywhere.model_copy(update={"placement": "home"}), ships, tmp_path / "live")
    assert "lists of 'home' are filled by 'iql'" in told
    assert "spring is inactive" in over
    (fills,) = load_config(file).serve.policies
    assert (fills.placement, fills.policy, fills.explore, fills.goals) == ("home", "iql", 0.1, "clicks=1")


def test_what_is_worse_ends_and_what_is_unsure_goes_on(guarded: Path) -> None:
    file = guarded / "shop.toml"
    assert "spring is inactive" in paretail("experiment", "--config", file, "--finish").out
    assert not load_config(file).experiments[0].active
    file.write_text(GUARDED, encoding="utf-8")
    (experiment,) = load_config(file).experiments
    unsure = Status("bold", 120, 120, (), "go on", ("revenue",))
    assert ending.finish(file, experiment, [unsure], None) == []
    assert file.read_text(encoding="utf-8") == GUARDED
    inline = f"experiments = [{{name = 'spring', arms = {INLINE}}}]\n[data]\nevents = 'e.csv'\n"
    file.write_text(inline, encoding="utf-8")
    with pytest.raises(UsageError, match="EXPT-09"):
        ending.finish(file, experiment, [replace(unsure, verdict="keep")], None)


def test_before_a_hundred_users_an_arm_there_is_no_interval(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(SHOP, encoding="utf-8")
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        store.shown([Shown(f"r{number}", now_ms(), f"u{number}", None, "p", "v", "p", ["i"], None, "spring", arm)
                     for number, arm in enumerate(["live", "bold"] * 3)])  # fmt: skip
    done = paretail("experiment", "--config", tmp_path / "shop.toml", "--json")
    assert done.code == 3
    (status,) = json.loads(done.out)
    assert (status["verdict"], {effect["low"] for effect in status["effects"]}) == ("go on", {None})
    assert "from 100 users in each arm on" in paretail("experiment", "--config", tmp_path / "shop.toml").out


def test_what_nobody_did_is_no_reason_to_ship(here: Path) -> None:
    file = here / "shop.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("users = 300", 'users = 300\nguardrails = ["refunds"]'))
    done = paretail("experiment", "--config", file, "--json")
    (status,) = json.loads(done.out)
    assert (done.code, status["verdict"], status["because"]) == (3, "go on", ["refunds"])


def test_a_metric_of_which_nothing_is_told_is_refused(here: Path) -> None:
    file = here / "shop.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("users = 300", 'users = 300\ngoal = "profit"'))
    done = paretail("experiment", "--config", file)
    assert "EXPT-08" in done.err
    assert "margin" in done.err


def test_what_is_not_there_is_refused(here: Path) -> None:
    done = paretail("experiment", "--config", here / "shop.toml", "--name", "sprig")
    assert done.code != 0
    assert "EXPT-05" in done.err
    assert "spring" in done.err
    done = paretail("experiment", "--config", here / "shop.toml", "--store", here / "none")
    assert "STOR-07" in done.err
