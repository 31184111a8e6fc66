"""`paretail store`: what is in it, copies of it, and old things dropped."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paretail.core.clock import DAY_MS, now_ms
from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore

from ..trained import paretail


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store in use, with an old event and a new one, an old list and a new one, and an item."""
    folder, now = tmp_path / "store", now_ms()
    with closing(EmbeddedStore.open(folder)) as opened:
        opened.append([StoredEvent("u", "i", "view", now - days * DAY_MS, f"e{days}") for days in (100, 1)])
        opened.shown([Shown(f"r{days}", now - days * DAY_MS, "u", None, "for-you", "v1", "best", ["i"])
                      for days in (100, 1)])  # fmt: skip
        opened.put("items", {"i": b"{}"})
        yield folder


def counts(folder: Path) -> dict[str, int]:
    done = paretail("store", "info", "--store", folder, "--json")
    assert done.code == 0, done.err
    found: dict[str, int] = json.loads(done.out)
    return found


def test_what_is_in_it(store: Path) -> None:
    found = counts(store)
    assert (found["events_live"], found["lists"], found["items"], found["users"]) == (2, 2, 1, 0)
    shown = paretail("store", "info", "--store", store).out
    lines = dict(line.rsplit(maxsplit=1) for line in shown.splitlines())
    assert len(lines) == len(found)
    assert (lines["events live, not compacted yet"], lines["lists shown"], lines["items told live"]) == ("2", "2", "1")
    assert (lines["users told live"], lines["impressions lost in kills"]) == ("0", "0")


def test_a_backup_comes_back(store: Path, tmp_path: Path) -> None:
    assert paretail("store", "backup", tmp_path / "copy", "--store", store).code == 0
    done = paretail("store", "restore", tmp_path / "copy", "--store", tmp_path / "again")
    assert (done.code, "is as it was in" in done.out) == (0, True)
    assert counts(tmp_path / "again") == counts(store)
    assert paretail("store", "backup", tmp_path / "copy", "--store", store).code == 1
    assert paretail("store", "restore", tmp_path / "copy", "--store", store).code == 1
    assert paretail("store", "restore", store, "--store", tmp_path / "other").code == 1
    assert not (tmp_path / "other").exists()


def test_what_is_too_old_is_dropped(store: Path, tmp_path: Path) -> None:
    done = json.loads(paretail("store", "compact", "--store", store, "--json").out)
    assert (done["moved"], done["dropped"], done["history"]) == (2, 0, 2)
    assert (counts(store)["events_history"], counts(store)["lists"]) == (2, 1)  # lists are kept 90 days
    (tmp_path / "shop.toml").write_text(
        '[data]\nevents = "e.csv"\n[store]\nkeep_days = {view = 30, impression = 0.5}\n'
    )
    done = json.loads(paretail("store", "compact", "--store", store, "--config", tmp_path / "shop.toml", "--json").out)
    assert (done["dropped"], done["history"]) == (1, 1)
    assert counts(store)["lists"] == 0
    told = paretail("store", "compact", "--store", store).out
    assert "0 events moved to history" in told


@pytest.mark.parametrize("verb", [["info"], ["backup", "copy"], ["compact"]])
def test_there_must_be_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    done = paretail("store", *verb, "--store", "none")
    assert (done.code, done.out, "STOR-07" in done.err) == (1, "", True)
    assert list(tmp_path.iterdir()) == []
