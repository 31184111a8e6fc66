"""`paretail experiment`: what it prints, its exit codes, and what it refuses."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from paretail.core.clock import DAY_MS, now_ms
from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore

from ..trained import paretail

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


def test_what_is_not_there_is_refused(here: Path) -> None:
    done = paretail("experiment", "--config", here / "shop.toml", "--name", "sprig")
    assert done.code != 0
    assert "EXPT-05" in done.err
    assert "spring" in done.err
    done = paretail("experiment", "--config", here / "shop.toml", "--store", here / "none")
    assert "STOR-07" in done.err
