"""Speed: lists a second, durable events a second, and how soon an event changes the answer."""

import random
import statistics
import time
from pathlib import Path
from typing import Any

import polars as pl
import shops
from service import Service, ask, serving, wrk

#: Of `ranked`: as fast as answers come, then some 150 and some 300 requests a second.
LOADS = (("load.lua", 8, 0), ("load.lua", 16, 0), ("paced.lua", 16, 90), ("paced.lua", 16, 30))


def recommendations(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Ask for lists on 16 connections while one request in ten tells an event; then compare lists with the files'."""
    bundle = shops.gowalla(folder)
    users, items = shops.ids(bundle, "users", folder), shops.ids(bundle, "items", folder)
    rows, files = [], [str(users), str(items)]
    with serving(bundle, folder / "store") as service:
        wrk(service, "load.lua", 16, 5, "/", "recommend", *files, "10", "7")
        for name, explain in (("", "false"), (" with reasons", "true")):
            for run in range(1, 4):
                figures = wrk(
                    service, "load.lua", 16, 3 if short else 30, "/", "recommend", *files, "10", str(run), explain
                )
                what = f"lists{name}, one request in ten an event"
                rows.append({"what": what, "connections": 16, "run": run, **_rate(figures)})
    with serving(bundle, folder / "empty") as service:
        rows.append({"what": "live lists equal `recommend`'s", **_overlap(folder, bundle, service, users)})
    return rows


def ranked(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Ask for lists in the order of expected money, 500 candidates each: as fast as answers come, and at a pace."""
    bundle = shops.planted(folder)
    files = [str(shops.ids(bundle, table, folder)) for table in ("users", "items")]
    rows = []
    with serving(bundle, folder / "store") as service:
        for script, connections, pause_ms in LOADS:
            wrk(service, script, connections, 5, "/", "recommend", *files, "10", "7", "false", "value")
            for run in range(1, 4):
                asked = ("recommend", *files, "10", str(run), "false", "value")
                figures = wrk(service, script, connections, 3 if short else 30, "/", *asked, pause_ms=pause_ms)
                what = "lists in the order of value, one request in ten an event"
                how = {"connections": connections, "pause_ms": pause_ms, "run": run}
                rows.append({"what": what, **how, **_rate(figures)})
    return rows


def events(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Tell batches of 100 events on 4 connections, each durable before its answer."""
    bundle = shops.demo(folder)
    users, items = shops.ids(bundle, "users", folder), shops.ids(bundle, "items", folder)
    rows = []
    with serving(bundle, folder / "store") as service:
        for run in range(1, 4):
            seconds = 3 if short else 20
            figures = wrk(service, "load.lua", 4, seconds, "/", "events", str(users), str(items), "0", str(run))
            row = {"what": "batches of 100 events", "connections": 4, "run": run, **_rate(figures)}
            rows.append(row | {"events_a_second": round(100 * row["requests_a_second"])})
    return rows


def pair(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Tell that a user viewed the first item of their list, and ask again: the item must be gone, always."""
    bundle = shops.gowalla(folder)
    users = shops.ids(bundle, "users", folder).read_text().split()
    rng, took, unchanged = random.Random(1), [], 0
    pairs = 1_000 if short else 10_000
    with serving(bundle, folder / "store") as service:
        link = service.link()
        for _ in range(pairs):
            user = rng.choice(users)
            first = ask(link, "/v1/recommend", {"user_id": user, "k": 20})["items"][0]["item_id"]
            started = time.perf_counter()
            ask(link, "/v1/events", {"events": [{"user_id": user, "item_id": first}]})
            answer = ask(link, "/v1/recommend", {"user_id": user, "k": 20})
            took.append(1000 * (time.perf_counter() - started))
            unchanged += any(item["item_id"] == first for item in answer["items"])
    cuts = statistics.quantiles(took, n=100)
    times = {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}
    return [{"what": "event, then the answer that it changes", "pairs": pairs, "unchanged_answers": unchanged, **times}]


def _rate(figures: dict[str, Any]) -> dict[str, Any]:
    kept = {key: round(figures[key], 2) for key in ("p50_ms", "p90_ms", "p99_ms", "max_ms")}
    rate = round(figures["requests"] / figures["seconds"], 1)
    return {"requests_a_second": rate, **kept, "failed": figures["failed"]}


def _overlap(folder: Path, bundle: Path, service: Service, users: Path) -> dict[str, Any]:
    """Return the mean overlap at 20 of the live lists and those of `paretail recommend`, for 1,000 users."""
    asked = random.Random(2).sample(users.read_text().split(), 1000)
    (folder / "asked.txt").write_text("\n".join(asked))
    shops.paretail("recommend", "--bundle", str(bundle), "--users", str(folder / "asked.txt"), "--out",
                   str(folder / "lists.parquet"), "-k", "20")  # fmt: skip
    lists = pl.read_parquet(folder / "lists.parquet").partition_by("user_id", as_dict=True)
    link, shares = service.link(), []
    for user in asked:
        live = {item["item_id"] for item in ask(link, "/v1/recommend", {"user_id": user, "k": 20})["items"]}
        shares.append(len(live & set(lists[(user,)]["item_id"].to_list())) / 20)
    return {"users": len(asked), "overlap_at_20": round(statistics.mean(shares), 5), "least": min(shares)}
