"""A process killed at any moment loses nothing that it acknowledged, and leaves a store that opens clean.

`PARETAIL_KILLS` says how often to kill; 5 unless told.
"""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep

from paretail.core.rng import rng_for
from paretail.data.stores.embedded import EmbeddedStore

from . import kill_child
from .kill_child import BATCH, batch

KILLS = int(os.environ.get("PARETAIL_KILLS", "5"))
CHILD = Path(__file__).with_name("kill_child.py")


@dataclass
class Acknowledged:
    """What a child was told to be safe before it was killed."""

    batches: list[tuple[str, int, int]] = field(default_factory=list)
    promised: int = 0
    documents: dict[str, int] = field(default_factory=dict)
    many: str = ""
    compactions: int = 0

    def note(self, run: str, line: str) -> None:
        kind, *numbers = line.split()
        if kind == "e":
            self.batches.append((run, int(numbers[0]), int(numbers[1])))
        elif kind == "p":
            self.promised += int(numbers[0])
        elif kind == "d":
            self.documents[run] = int(numbers[0])
        elif kind == "m":
            self.many = f"{run}/{numbers[0]}"
        else:
            assert kind == "c", line
            self.compactions += 1


def kill_once(folder: Path, run: str, seconds: float, told: Acknowledged) -> None:
    """Let a child write to the store for `seconds`, kill it, and note what it acknowledged."""
    with subprocess.Popen([sys.executable, str(CHILD), str(folder), run], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        sleep(seconds)  # the pipe holds far more than it says meanwhile
        child.kill()
        for line in child.stdout.read().splitlines():
            told.note(run, line)


def check(folder: Path, told: Acknowledged) -> None:
    """Compare the store with what was acknowledged."""
    store = EmbeddedStore.open(folder)
    with closing(store):
        events = store.events()
        ids = Counter(zip(events["event_id"], events["item_id"], strict=True))
        assert max(ids.values()) == 1, "an event is there twice"
        lost = [e for key in told.batches for e in batch(*key) if (e.event_id, e.item_id) not in ids]
        assert not lost, f"{len(lost)} acknowledged events are lost, such as {lost[0]}"
        whole = Counter(event_id.rsplit("/", 1)[0] for event_id, _ in ids)
        assert set(whole.values()) == {BATCH}, "a batch is there in part"
        documents = dict(store.documents("items"))
        assert all(int(documents[run] or b"-1") >= number for run, number in told.documents.items())
        many = set(dict(store.documents("users")).values())
        assert len(many) <= 1, "of many documents set at once some are there"
        assert not told.many or _order(many.pop()) >= _order(told.many.encode())
        written = int(store.answers()["item_ids"].list.len().sum())
        assert told.promised <= written + store.counts()["impressions_lost"] <= told.promised + 5 * KILLS
        assert store.append(batch(*told.batches[0])) == [False] * BATCH
        assert len(list(folder.glob("history-*"))) in (0, 3), "files of a killed compaction are left"
    with closing(sqlite3.connect(folder / "live.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _order(name: bytes | None) -> tuple[int, int]:
    run, number = (name or b"run-1/0").decode().split("/")
    return int(run.removeprefix("run")), int(number)


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    told, rng = Acknowledged(), rng_for("tests/kill", 0)
    for number in range(KILLS):
        kill_once(tmp_path / "store", f"run{number}", float(rng.uniform(0.02, 0.8)), told)
        check(tmp_path / "store", told)
    assert len(told.batches) > 10 * KILLS
    assert told.compactions > 0
    assert kill_child.THREADS > 1
