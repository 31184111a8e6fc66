"""Does training on samples take memory by the batch and not by the graph, and how many edges a second does it see?

    python benchmarks/minibatch/run.py [1000000 3000000 10000000 ...]      # graphs of so many events

`sage`, dim 64, two layers of ten neighbours along each kind of edge, batches of 1,024 with as many shared negatives, on
made graphs (`made_graphs.py`). First samples alone, by two threads, by the clock and by CPU seconds, which a busy
machine does not change much; then a training of a quarter of a minute, samples made by
one thread while the one before is trained on, and after it the vectors of the whole graph for the bundle. Beside it the
same training on the whole graph at each step. The peak is that of the process, with graph, network and optimiser.
"""

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up
from made_graphs import made  # noqa: E402

from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.retrieve.fitting import FitContext  # noqa: E402
from paretail.retrieve.models import model  # noqa: E402

GRAPHS = ("1000000", "3000000", "10000000")
STEPS, MINUTES = 12, 0.25
SETTINGS: dict[str, Any] = {
    "weights": {"view": 1.0}, "dim": 64, "depth": 2, "fan_out": 10, "batch_size": 1024, "negatives": 1024,
    "start": "random", "epochs": 100,
}  # fmt: skip


def main() -> None:
    """Measure each graph and way in a process of its own and record one part for each graph."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2], sys.argv[3])))
        return
    for events in sys.argv[1:] or GRAPHS:
        about, rows = harness.circumstances(), []
        for sampling in ("neighbours", "none"):
            used = harness.meter([sys.executable, __file__, "--one", events, sampling], HERE)
            rows.append(json.loads(used.printed.splitlines()[-1]) | {"peak_rss_mib": round(used.peak_rss_mib)})
        harness.record(HERE, f"{int(events):>10,} events", about, rows)


def measured(events: str, sampling: str) -> dict[str, Any]:
    """Return the rates of samples alone and of a training."""
    graph = made(int(events))
    edges, alone = sampled(graph) if sampling == "neighbours" else (2.0 * 2 * int(events), {})
    sage = model("sage")
    trained: Any = sage
    run = trained.train(graph, config(sampling), 0, FitContext(minutes=MINUTES)).run
    rate = run["steps"] / run["seconds"]
    row = {"a step sees": "a sample" if sampling == "neighbours" else "the whole graph", "edges a step": round(edges)}
    return row | alone | {
        "training (M edges/s)": round(rate * edges / 1e6, 2), "steps a minute": round(60 * rate), "steps": run["steps"],
    }  # fmt: skip


def sampled(graph: ShopGraph) -> tuple[float, dict[str, float]]:
    """Return how many edges a step sees, and how many are sampled a second, after a step that compiles."""
    from paretail.retrieve.batches import Batches
    from paretail.retrieve.net import around, training

    spec = config("neighbours")
    pairs = training.pairs_of(graph, spec)
    sampling = around.Sampling(training.network_of(graph, spec, pairs, 0).wiring, spec, 0)
    steps = sampling.epoch(Batches(pairs, spec.batch_size, spec, 0), 0, threads=2)
    next(steps)
    began, worked, edges = time.perf_counter(), time.process_time(), 0
    for step in islice(steps, STEPS):
        hops = [step.wiring.events, *(one.edges for hop in step.wiring.layers for all_ in hop.values() for one in all_)]
        edges += sum(len(each.csr.by_row.values) for each in hops)
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    rates = {"samples alone (M edges/s)": edges / wall, "samples alone (M edges a CPU s)": edges / cpu}
    return edges / STEPS, {name: round(rate / 1e6, 2) for name, rate in rates.items()}


def config(sampling: str) -> Any:
    """Return the settings of a training."""
    return model("sage").config_type.parse(SETTINGS | {"sampling": sampling})


if __name__ == "__main__":
    main()
