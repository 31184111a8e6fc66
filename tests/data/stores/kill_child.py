"""Writes to a store from many threads until it is killed, and prints what was acknowledged.

Run as `python kill_child.py FOLDER RUN`. Each line of its output is one acknowledged call: `e THREAD NUMBER` for batch
NUMBER of a thread (the events that `batch` makes), `p ITEMS` for promised impressions, `d NUMBER` for a document,
`m NUMBER` for many documents, `c` for a compaction; `ready` comes first.
"""

import os
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

from paretail.data.stores.base import Shown, StoredEvent
from paretail.data.stores.embedded import EmbeddedStore

THREADS, BATCH, MANY = 3, 50, 6_000
T0 = 1_700_000_000_000


def batch(run: str, thread: int, number: int) -> list[StoredEvent]:
    """Return the events of one batch; its ids tell where they come from."""
    name = f"{run}/{thread}/{number}"
    return [StoredEvent(f"u{n}", f"i{number}", "view", T0 + number, f"{name}/{n}") for n in range(BATCH)]


def say(line: str) -> None:
    """Print a line at once and whole, whichever thread says it."""
    os.write(1, f"{line}\n".encode())


def append(store: EmbeddedStore, run: str, thread: int) -> None:
    for number in count():
        if not all(store.append(batch(run, thread, number))):
            say("an event that was never told is there already")
        say(f"e {thread} {number}")


def show(store: EmbeddedStore, run: str) -> None:
    for number in count():
        items = [f"i{n}" for n in range(number % 5 + 1)]
        store.promise(len(items))
        say(f"p {len(items)}")
        store.shown([Shown(f"{run}/{number}", T0, "u", None, "home", "v1", "greedy", items)])
        store.put("items", {run: b"%d" % number})
        say(f"d {number}")


def replace(store: EmbeddedStore, run: str) -> None:
    for number in count():
        store.put("users", {f"u{n}": f"{run}/{number}".encode() for n in range(MANY)})
        say(f"m {number}")


def compact(store: EmbeddedStore) -> None:
    while True:
        store.compact({}, T0)
        say("c")


def main(folder: Path, run: str) -> None:
    store = EmbeddedStore.open(folder)
    work: list[tuple[Callable[..., None], tuple[object, ...]]] = [(append, (run, n)) for n in range(THREADS)]
    say("ready")
    for target, more in [*work, (show, (run,)), (replace, (run,)), (compact, ())]:
        threading.Thread(target=target, args=(store, *more), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
