"""Does training on samples take memory by the batch and not by the graph, and how many edges a second does it see?

    python benchmarks/minibatch/run.py [1000000 3000000 10000000 ...]      # graphs of so many events
    PARETAIL_DATA=... python benchmarks/minibatch/run.py accuracy [lastfm]

`sage`, dim 64, two layers of ten neighbours along each kind of edge, batches of 1,024 with as many shared negatives, on
made graphs (`made_graphs.py`). First samples alone, by two threads, by the clock and by CPU seconds, which a busy
machine does not change much; then a training of a quarter of a minute, samples made by one thread while the one before
is trained on, and after it the vectors of the whole graph for the bundle. Beside it the same on samples around the
batches that are the default of such a graph (up to 16,384 examples, 2,048 negatives), and on the whole graph at each
step. The peak is that of the process, with graph, network and optimiser.

`accuracy` trains `sage` with its defaults three times each way on a split of a set's training events (no hold-out is
read) and measures NDCG@20 of the users whose events are hidden.
"""

import json
import os
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from made_graphs import graph_of, made  # noqa: E402

from paretail.core.rng import rng_for  # noqa: E402
from paretail.data.splits import random_pairs  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.retrieve.fitting import FitContext  # noqa: E402
from paretail.retrieve.models import model  # noqa: E402
from paretail.retrieve.tune import judged  # noqa: E402

GRAPHS = ("1000000", "3000000", "10000000")
#: What a step sees: the setting, and what differs from SETTINGS.
WAYS: dict[str, dict[str, Any]] = {
    "a sample": {"sampling": "neighbours"},
    "a sample, default batch": {"sampling": "neighbours", "batch_size": None, "negatives": 2048},
    "the whole graph": {"sampling": "none"},
}
SEEDS = (0, 1, 2)
STEPS, MINUTES, ASKED = 12, 0.25, 2000
SETTINGS: dict[str, Any] = {
    "weights": {"view": 1.0}, "dim": 64, "depth": 2, "fan_out": 10, "batch_size": 1024, "negatives": 1024,
    "start": "random", "epochs": 100,
}  # fmt: skip


def main() -> None:
    """Measure each graph and way in a process of its own and record one part for each graph."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2], sys.argv[3])))
        return
    if sys.argv[1:2] == ["accuracy"]:
        for name in sys.argv[2:] or ["lastfm"]:
            about = harness.circumstances()
            harness.record(HERE, f"accuracy, {name}", about, accuracy(name))
        return
    for events in sys.argv[1:] or GRAPHS:
        about, rows = harness.circumstances(), []
        for way in WAYS:
            used = harness.meter([sys.executable, __file__, "--one", events, way], HERE)
            rows.append(json.loads(used.printed.splitlines()[-1]) | {"peak_rss_mib": round(used.peak_rss_mib)})
        harness.record(HERE, f"{int(events):>10,} events", about, rows)


def measured(events: str, way: str) -> dict[str, Any]:
    """Return the rates of samples alone and of a training."""
    graph, spec = made(int(events)), config(**WAYS[way])
    edges, alone = sampled(graph, spec) if spec.sampling == "neighbours" else (2.0 * 2 * int(events), {})
    sage = model("sage")
    trained: Any = sage
    run = trained.train(graph, spec, 0, FitContext(minutes=MINUTES)).run
    rate = run["steps"] / run["seconds"]
    row = {"a step sees": way, "edges a step": round(edges)}
    return row | alone | {
        "training (M edges/s)": round(rate * edges / 1e6, 2), "steps a minute": round(60 * rate), "steps": run["steps"],
    }  # fmt: skip


def accuracy(name: str) -> list[dict[str, Any]]:
    """Return NDCG@20 of each way, and the paired difference of the second."""
    events = pl.read_parquet(Path(os.environ.get("PARETAIL_DATA", "")) / name / "events.parquet")
    user, item = (np.unique(events[side].to_numpy(), return_inverse=True)[1] for side in ("user_id", "item_id"))
    graph = graph_of(user, item, int(user.max()) + 1, int(item.max()) + 1)
    split = random_pairs(graph.history, "view", rng_for("benchmarks/minibatch", 0), share=0.2, forget="target",
                         drop="target", most_users=ASKED)  # fmt: skip
    learned, sage, found, rows = graph.with_history(split.train), model("sage"), {}, []
    for way, sampling in (("the whole graph", "none"), ("a sample", "neighbours")):
        spec = sage.config_type.parse({"weights": {"view": 1.0}, "sampling": sampling})
        fits = [judged(sage.fit(learned, spec, seed), split, "view", "target", graph.items) for seed in SEEDS]
        found[way] = np.mean(fits, axis=0)
        error = found[way].std() / len(found[way]) ** 0.5
        rows.append({"a step sees": way, "NDCG@20": round(found[way].mean(), 4), "±": round(error, 4)})
    gain = found["a sample"] - found["the whole graph"]
    rows[1] |= {"gain": round(gain.mean(), 4), "± of it": round(gain.std() / len(gain) ** 0.5, 4)}
    return rows


def sampled(graph: ShopGraph, spec: Any) -> tuple[float, dict[str, float]]:
    """Return how many edges a step sees, and how many are sampled a second, after a step that compiles."""
    from paretail.retrieve.batches import Batches
    from paretail.retrieve.net import around, training

    pairs = training.pairs_of(graph, spec)
    sampling = around.Sampling(training.network_of(graph, spec, pairs, 0).wiring, spec, 0)
    steps = sampling.epoch(Batches(pairs, training.batch_size_of(pairs, spec), spec, 0), 0, threads=2)
    next(steps)
    began, worked, edges = time.perf_counter(), time.process_time(), 0
    for step in islice(steps, STEPS):
        hops = [step.wiring.events, *(one.edges for hop in step.wiring.layers for all_ in hop.values() for one in all_)]
        edges += sum(len(each.csr.by_row.values) for each in hops)
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    rates = {"samples alone (M edges/s)": edges / wall, "samples alone (M edges a CPU s)": edges / cpu}
    return edges / STEPS, {name: round(rate / 1e6, 2) for name, rate in rates.items()}


def config(**more: Any) -> Any:
    """Return the settings of a training."""
    return model("sage").config_type.parse(SETTINGS | more)


if __name__ == "__main__":
    main()
