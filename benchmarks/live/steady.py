"""Steadiness: memory with a million users, flat under load; bundles swapped under load."""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import durability
import polars as pl
import shops
from service import Service, ask, serving, wrk

from paretail.pipeline.bundle import point, versions

#: A list as `paretail recommend` writes it, which knows no stock and no variants.
EVERYTHING = {"out_of_stock": True, "variants": True}


def memory(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Serve gowalla's items to a million users with live events, at 200 requests a second for ten minutes."""
    bundle, count = shops.gowalla(folder), 100_000 if short else 1_000_000
    items = shops.ids(bundle, "items", folder)
    durability.many_events(folder / "many.parquet", 5 * count, count, items.read_text().split())
    shops.paretail("events", "import", str(folder / "many.parquet"), "--store", str(folder / "store"))
    (folder / "users.txt").write_text("\n".join(f"{number}".rjust(9, "v") for number in range(count)) + "\n")
    seconds, samples = 30 if short else 600, []
    with serving(bundle, folder / "store") as service:
        ready = service.resident_mib()
        load = threading.Thread(target=wrk, args=(service, "paced.lua", 16, seconds, "/", "recommend",
                                                  str(folder / "users.txt"), str(items), "10", "1"))  # fmt: skip
        load.start()
        while load.is_alive():
            time.sleep(1)
            samples.append(service.resident_mib())
        counted = ask(service.link(), "/metrics")
    minute = max(1, len(samples) // 10)
    answers = sum(float(line.split()[-1]) for line in counted.splitlines()
                  if line.startswith("paretail_requests_total") and "recommend" in line)  # fmt: skip
    return [{
        "what": f"{count:,} users with 5 live events each, 41k items", "seconds": seconds,
        "requests_a_second": round(answers / seconds, 1), "ready_mib": round(ready),
        "after_first_tenth_mib": round(samples[minute - 1]), "at_end_mib": round(samples[-1]),
        "greatest_mib": round(max(samples)),
    }]  # fmt: skip


def swap(folder: Path, short: bool) -> list[dict[str, Any]]:
    """Point the bundle from one version to another and back while eight clients ask; each answer must be of one."""
    bundle = shops.demo(folder)
    text = (folder / "shop" / "shop.toml").read_text()
    (folder / "shop" / "other.toml").write_text(f'{text}\n[model]\nname = "popular"\n')
    shops.paretail("train", "--config", str(folder / "shop" / "other.toml"), "--out", str(bundle))
    users = shops.ids(bundle, "users", folder).read_text().split()[:50]
    wanted = {version: _lists(folder, bundle, version, users) for version in versions(bundle)}
    failed, mixed, answers, seen = [], [], itertools.count(), set()
    stop = threading.Event()

    def client(service: Service, number: int) -> None:
        link = service.link()
        for turn in itertools.count(number):
            if stop.is_set():
                return
            user = users[turn % len(users)]
            try:
                answer = ask(link, "/v1/recommend", {"user_id": user, "k": 10, **EVERYTHING})
            except Exception as error:  # whatever it is, the request has failed
                failed.append(str(error))
                link = service.link()
                continue
            next(answers)
            seen.add(answer["model_version"])
            if [item["item_id"] for item in answer["items"]] != wanted[answer["model_version"]][user]:
                mixed.append(user)

    swaps = 4 if short else 20
    with serving(bundle, folder / "store") as service:
        clients = [threading.Thread(target=client, args=(service, number)) for number in range(8)]
        for thread in clients:
            thread.start()
        for _, version in zip(range(swaps), itertools.cycle(versions(bundle)), strict=False):
            point(bundle, version)
            give_up = time.monotonic() + 30
            while service.ask("/health/ready")["model_version"] != version and time.monotonic() < give_up:
                time.sleep(0.05)
        stop.set()
        for thread in clients:
            thread.join()
    return [{"what": "bundle swapped under load", "swaps": swaps, "answers": next(answers), "failed": len(failed),
             "mixed": len(mixed), "versions_seen": len(seen)}]  # fmt: skip


def _lists(folder: Path, bundle: Path, version: str, users: list[str]) -> dict[str, list[str]]:
    point(bundle, version)
    (folder / "users.txt").write_text("\n".join(users))
    shops.paretail("recommend", "--bundle", str(bundle), "--users", str(folder / "users.txt"), "--out",
                   str(folder / "lists.parquet"), "-k", "10")  # fmt: skip
    lists = pl.read_parquet(folder / "lists.parquet").partition_by("user_id", as_dict=True)
    return {user: lists[(user,)]["item_id"].to_list() for user in users}
