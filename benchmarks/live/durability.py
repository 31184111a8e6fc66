"""Durability: what was acknowledged is there after any kill, once; and how soon a service is back."""

import random
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
import shops
from service import Service, ask, serving, start

from paretail.data.stores.embedded import EmbeddedStore


def kill(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Kill the service at random moments while four clients tell events; nothing acknowledged may be missing."""
    bundle, store, rng = shops.demo(folder), folder / "store", random.Random(3)
    acknowledged: list[str] = []
    lost, twice, kills = 0, 0, 5 if short else 50
    for _ in range(kills):
        service = start(bundle, store)
        clients = [threading.Thread(target=_tell, args=(service, acknowledged)) for _ in range(4)]
        for client in clients:
            client.start()
        time.sleep(rng.uniform(0.05, 1.5))
        service.kill()
        for client in clients:
            client.join()
        opened = EmbeddedStore.open(store)
        kept = opened.events()["event_id"]
        opened.close()
        lost += len(set(acknowledged) - set(kept.to_list()))
        twice += len(kept) - kept.n_unique()
    figures = {"kills": kills, "acknowledged": len(acknowledged), "lost": lost, "twice": twice}
    return [{"what": "kill -9 while events come in", **figures}]


def restart(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Start a service whose store holds a million events, until it is ready; beside it one with an empty store."""
    bundle, count = shops.demo(folder), 100_000 if short else 1_000_000
    items = shops.ids(bundle, "items", folder).read_text().split()
    many_events(folder / "many.parquet", count, count // 5, items)
    shops.paretail("events", "import", str(folder / "many.parquet"), "--store", str(folder / "store"))
    rows = []
    for name, store in (("empty", folder / "empty"), (f"{count:,} events", folder / "store")):
        for run in range(1, 4):
            started = time.perf_counter()
            with serving(bundle, store) as service:
                took = time.perf_counter() - started
                rows.append({"what": f"start to ready, store: {name}", "run": run, "ready_s": round(took, 2),
                             "resident_mib": round(service.resident_mib())})  # fmt: skip
    return rows


def many_events(file: Path, count: int, users: int, items: list[str], seed: int = 0) -> None:
    """Write `count` events of `users` users on `items`, in the last month."""
    rng, now = np.random.default_rng(seed), time.time()
    pl.DataFrame(
        {
            "user_id": pl.Series(rng.permutation(count) % users).cast(pl.String).str.pad_start(9, "v"),
            "item_id": pl.Series(items).gather(rng.integers(0, len(items), count)),
            "event": rng.choice(["view", "cart", "purchase"], count, p=[0.8, 0.15, 0.05]),
            "ts": np.sort(now - rng.uniform(0, 30 * 86400, count)),
            "event_id": pl.Series(np.arange(count)).cast(pl.String),
        }
    ).with_columns(pl.from_epoch(pl.col("ts").cast(pl.Int64), "s").alias("ts")).write_parquet(file)


def _tell(service: Service, acknowledged: list[str]) -> None:
    """Tell events in batches until the service is gone; note those that it acknowledged."""
    link = service.link()
    while True:
        names = [uuid4().hex for _ in range(20)]
        rows = [{"user_id": f"k{number}", "item_id": "i00000001", "kind": "view", "event_id": name}
                for number, name in enumerate(names)]  # fmt: skip
        try:
            answer = ask(link, "/v1/events", {"events": rows})
        except Exception:  # however a killed peer shows: a reset, half an answer, nothing
            return
        acknowledged += [row["id"] for row in answer["rows"] if row["status"] == "accepted"]
