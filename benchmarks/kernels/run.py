"""How fast are neighbour sampling, negatives, walks and paths, and does the memory of a batch follow the batch alone?

    python benchmarks/kernels/run.py [gowalla 1000000 3000000 10000000 ...]      # a number: a graph of so many events

Made graphs have an event's user uniform and its item by a power law, 20 events a user and 100 an item; gowalla is found
through PARETAIL_DATA. Two hops of ten neighbours each from 1,024 nodes, 2,048 users by 16 negatives, walks of 40 nodes,
paths to items drawn from the log. Two threads each, but negatives and paths one. The best of five rounds.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from made_graphs import graph_of, made  # noqa: E402

from paretail.core.ids import Vocabulary  # noqa: E402
from paretail.core.rng import rng_for  # noqa: E402
from paretail.graph.adjacency import Adjacency, edges_of  # noqa: E402
from paretail.graph.ahead import ahead  # noqa: E402
from paretail.graph.negatives import Negatives  # noqa: E402
from paretail.graph.paths import Paths  # noqa: E402
from paretail.graph.sampling import NeighbourSampler  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.graph.walks import Walker, starts_of  # noqa: E402

GRAPHS = ("gowalla", "1000000", "3000000", "10000000")
ROUNDS, BATCHES, FAN_OUTS, BATCH = 5, 20, (10, 10), 1024


def main() -> None:
    """Measure each graph in a process of its own and record one part for each."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2])))
        return
    for name in sys.argv[1:] or GRAPHS:
        if name == "gowalla" and not (Path(os.environ.get("PARETAIL_DATA", "")) / name).is_dir():
            print("gowalla skipped: PARETAIL_DATA does not hold it")
            continue
        about = harness.circumstances()
        used = harness.meter([sys.executable, __file__, "--one", name], HERE)
        rows = json.loads(used.printed.splitlines()[-1])
        part = name if name == "gowalla" else f"{int(name):>10,} events"
        harness.record(HERE, part, about, [row | {"peak_rss_mib": round(used.peak_rss_mib)} for row in rows])


def measured(name: str) -> list[dict[str, Any]]:
    """Return one row a kernel: how much it does a second, and by how much the process grew over its five rounds."""
    shop = gowalla() if name == "gowalla" else made(int(name))
    matrix = shop.interactions({"view": 1.0})
    graph = Adjacency.of({("user", "had", "item"): edges_of(matrix)})
    rng = rng_for("benchmarks/kernels", 0)
    seeds = [rng.integers(graph.nodes, size=BATCH) for _ in range(BATCHES)]
    users = rng.integers(shop.users, size=2048).astype(np.int32)
    counts = np.bincount(matrix.indices, minlength=shop.items)
    rows = []
    for weighted in (False, True):
        sampler = NeighbourSampler(graph, FAN_OUTS, 0, weighted)
        name = f"sampling, {'by weight' if weighted else 'uniform'} (M edges/s)"
        rows.append(rate(name, lambda sampler=sampler: sampled(sampler, seeds)))
    for popularity in (None, counts):
        negatives = Negatives(shop.items, 0, matrix, popularity)
        name = f"negatives, {'uniform' if popularity is None else 'popular'} (M/s)"
        rows.append(rate(name, lambda negatives=negatives: negatives.draw(users, 16, 0).item_idx.size))
    for p, q in ((1.0, 1.0), (0.25, 4.0)):
        walker, starts = Walker(graph, 40, 0, p, q), starts_of(graph, 1, 0, 0)[:20_000]
        rows.append(rate(f"walks, p {p:g}, q {q:g} (M steps/s)", lambda w=walker, s=starts: w.walk(s, 0).size))
    return [*rows, *found_paths(shop)]


def sampled(sampler: NeighbourSampler, seeds: list[np.ndarray]) -> int:
    """Return how many edges the batches have."""
    batches = ahead(lambda step: sampler.sample(seeds[step], step), range(len(seeds)), threads=2)
    return sum(len(block.indices) for sample in batches for block in sample.blocks)


def rate(kernel: str, work: Callable[[], int]) -> dict[str, Any]:
    """Return millions a second, of five rounds the best, and by how many MiB the process grew over them."""
    for _ in range(3):  # compiles, and fills what the allocator keeps for each thread
        work()
    rates, before = [], resident()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        rates.append(work() / (time.perf_counter() - started) / 1e6)
    return {"kernel": kernel, "best": round(max(rates), 2), "growth_mib": round(max(resident() - before, 0), 1)}


def found_paths(shop: ShopGraph) -> list[dict[str, Any]]:
    """Return the milliseconds of the paths from a random user to the item of a random event."""
    paths, rng, took = Paths.of(shop, "view"), rng_for("benchmarks/kernels/paths", 0), []
    for user, item in zip(rng.integers(shop.users, size=400), rng.choice(shop.history.item_idx, 400), strict=True):
        history = shop.history.of_users(np.array([user]))
        started = time.thread_time()
        paths.to(int(item), history, user_idx=int(user))
        took.append(1e3 * (time.thread_time() - started))
    return [{"kernel": f"paths, p{p} (CPU ms)", "best": round(float(np.percentile(took[1:], p)), 3)} for p in (50, 99)]


def gowalla() -> ShopGraph:
    """Return the graph of the real log."""
    log = pl.read_parquet(Path(os.environ["PARETAIL_DATA"]) / "gowalla" / "events.parquet")
    users, items = Vocabulary.of(log["user_id"]), Vocabulary.of(log["item_id"])
    return graph_of(users.rows(log["user_id"]), items.rows(log["item_id"]), len(users), len(items))


def resident() -> float:
    """Return the MiB that this process holds in memory; its peak where /proc does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / harness.MIB
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
