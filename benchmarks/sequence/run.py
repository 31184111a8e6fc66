"""The sequence model by size and by share of the data: accuracy, minutes, memory, latency; and what a teacher brings.

    PARETAIL_DATA=... python benchmarks/sequence/run.py [--sizes 0.3M 1M 3M] [--shares 0.25 0.5 1] [--pupil 1M]

On beauty. The newest event of 5,000 users is held out of the training events (no hold-out of the set is read); 1,000
of them say which epoch to keep, the others measure. A share of the data is a share of the users who are learned from;
all those asked are known by their events. Each line is a process of its own, whose peak of memory is taken. Latency is
that of one user at a time, from the history to ten items, in one thread.

The largest size on all data is the teacher. Its pupil has one layer; it learns alone and from the teacher, as numbers
and as 8-bit integers.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.rng import rng_for  # noqa: E402
from paretail.data.ingest import ingest  # noqa: E402
from paretail.data.splits import Split  # noqa: E402
from paretail.evaluate.ranking import hits, ndcg  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.pipeline.config import ShopConfig  # noqa: E402
from paretail.retrieve.fitting import FitContext  # noqa: E402
from paretail.retrieve.models.blend import items_had  # noqa: E402
from paretail.retrieve.models.sequence import Sequence, SequenceConfig  # noqa: E402
from paretail.retrieve.question import held_out  # noqa: E402
from paretail.retrieve.topk import top_k  # noqa: E402

ASKED, DECIDING, BLOCK, REQUESTS = 5000, 1000, 500, 2000
EPOCHS, LR = 6, 0.003
Ask = dict[str, Any]


def main() -> None:
    """Train every size on every share, then the pupils, and record the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["0.3M", "1M", "3M"])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.25, 0.5, 1.0])
    parser.add_argument("--pupil", default="1M")
    parser.add_argument("--work", type=Path, help="keep the graph and the teacher here")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(_one(asked.one, asked.work)))
        return
    data = Path(os.environ.get("PARETAIL_DATA", "")) / "beauty"
    if not (data / "events.parquet").exists():
        sys.exit("beauty: PARETAIL_DATA does not hold it")
    about = harness.circumstances()
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder)
        if not (work / "graph").exists():
            _graph(data).save(work / "graph")
        lines = [{"size": size, "share": share} for size in asked.sizes for share in asked.shares]
        lines[-1]["kept"] = True
        harness.record(HERE, "sizes", about, [_metered(line, work) for line in lines])
        harness.record(HERE, "pupils", about, _pupils(lines[-1], asked.pupil, work))


def _graph(data: Path) -> ShopGraph:
    tables = {"events": str(data / "events.parquet"), "items": str(data / "items.parquet")}
    config = ShopConfig.parse({"data": {**tables, "time": "order", "kinds": {"buy": "purchase"}}})
    shop = ingest(config.data, data).shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def _pupils(teacher: Ask, size: str, work: Path) -> list[Ask]:
    """Return the teacher's row and those of the pupils, each with its part of the teacher's NDCG and latency."""
    small: Ask = {"size": size, "layers": 1}
    taught = small | {"teacher": teacher["size"], "teacher_share": 0.7}
    lines = [teacher, small, taught, taught | {"precision": "int8"}]
    rows = [_metered(line, work) for line in lines]
    for row in rows:
        row["of the teacher's NDCG"] = round(row["NDCG@10"] / rows[0]["NDCG@10"], 3)
        row["of its p50"] = round(row["p50_ms"] / rows[0]["p50_ms"], 3)
    return rows


def _metered(line: Ask, work: Path) -> Ask:
    """Run one line in a process of its own; a line that was run before in the same folder is read."""
    kept = work / f"{'-'.join(f'{key}={value}' for key, value in line.items())}.json"
    if not kept.exists():
        command = [sys.executable, str(HERE / "run.py"), "--work", str(work), "--one", json.dumps(line)]
        kept.write_text(harness.meter(command, work).printed.splitlines()[-1])
    row: Ask = json.loads(kept.read_text())
    print(row, flush=True)
    return row


def _one(line: Ask, work: Path) -> Ask:
    graph = ShopGraph.load(work / "graph")
    split = held_out(graph.history, "purchase", "all", ASKED, rng_for("benchmarks/sequence", 0))
    users = np.flatnonzero(split.held.counts)
    deciding = np.sort(rng_for("benchmarks/sequence/deciding", 0).choice(users, DECIDING, replace=False))
    measured = np.setdiff1d(users, deciding)
    model, cpu_s = _learned(line, work, graph, split, deciding)
    accuracy = ndcg(_hits(model, split, measured), split.held.counts[measured])
    waits = _waits(model, split, measured)
    told = {key: value for key, value in line.items() if key not in ("kept", "teacher_share")}
    return told | {
        "parameters": int(sum(array.size for array in model.arrays().values())),
        "NDCG@10": round(float(accuracy.mean()), 4), "± NDCG": round(float(accuracy.std() / len(accuracy) ** 0.5), 4),
        "HR@10": round(float(_hits(model, split, measured).any(axis=1).mean()), 4),
        "epochs": (model.run or {}).get("best_epoch", 0), "CPU minutes": round(cpu_s / 60, 1),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "bundle_mib": round(sum(array.nbytes for array in model.arrays().values()) / 2**20, 2),
        "p50_ms": round(float(np.quantile(waits, 0.5)), 3), "p99_ms": round(float(np.quantile(waits, 0.99)), 3),
    }  # fmt: skip


def _learned(
    line: Ask, work: Path, graph: ShopGraph, split: Split, deciding: NDArray[np.int64]
) -> tuple[Sequence, float]:
    """Return the model and the CPU seconds that its training took, its teacher's not counted."""
    history = split.train
    if (share := line.get("share", 1.0)) < 1:
        learned = rng_for("benchmarks/sequence/share", 0).random(history.users) < share
        history = history.where(learned[history.user_idx])
    fields = {key: value for key, value in line.items() if key not in ("share", "kept")}
    config = SequenceConfig.parse({"epochs": EPOCHS, "lr": LR, **fields})
    kept, teacher = work / "teacher.npz", None
    if config.teacher:
        with np.load(kept) as arrays:
            teacher = Sequence.from_arrays(dict(arrays), config.of_teacher())
    began = time.process_time()
    model = Sequence.judged(
        graph.with_history(history), config, 0, FitContext(),
        lambda m: float(ndcg(_hits(m, split, deciding), split.held.counts[deciding]).mean()), EPOCHS, teacher,
    )  # fmt: skip
    if line.get("kept"):
        np.savez(kept, **model.arrays())
    return model, time.process_time() - began


def _hits(model: Sequence, split: Split, users: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = []
    for start in range(0, len(users), BLOCK):
        rows = users[start : start + BLOCK]
        history = split.train.of_users(rows)
        out = items_had(history, "purchase", "all", len(model.items))
        found.append(hits(top_k(model.score(history), 10, out)[0], split.held.of_users(rows)))
    return np.concatenate(found)


def _waits(model: Sequence, split: Split, users: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the milliseconds that each of REQUESTS answers takes, those that compile left out."""
    waits = []
    for user in users[:REQUESTS]:
        history = split.train.of_users(np.array([user]))
        out = items_had(history, "purchase", "all", len(model.items))
        began = time.perf_counter()
        top_k(model.score(history), 10, out)
        waits.append(1000 * (time.perf_counter() - began))
    return np.array(waits[REQUESTS // 20 :])


if __name__ == "__main__":
    main()
