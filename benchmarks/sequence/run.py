"""The sequence model by size and by share of the data: accuracy, minutes, memory, latency; and what a teacher brings.

    PARETAIL_DATA=... python benchmarks/sequence/run.py [--sizes 0.3M 1M 3M] [--whole 10M 30M] [--pupil 1M]

On beauty. The newest event of 5,000 users is held out of the training events (no hold-out of the set is read); 1,000
of them say which epoch to keep, the others measure. A share of the data is a share of the users who are learned from;
all those asked are known by their events. Each line is a process of its own, whose peak of memory is taken. Latency is
that of one user at a time, from the history to ten items, in one thread, measured when all are learned: the models take
turns of TURN requests, so that what else the machine does slows all of them alike.

The teacher is the largest size of all data, trained for longer. Its pupil has one layer and starts at its item
vectors, shortened; what it learned is rounded to 8-bit integers too.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.core.kernels import use_cores  # noqa: E402
from paretail.core.memory import peak_mib  # noqa: E402
from paretail.core.rng import rng_for  # noqa: E402
from paretail.data.ingest import ingest  # noqa: E402
from paretail.data.splits import Split  # noqa: E402
from paretail.evaluate.ranking import hits, ndcg  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.pipeline.config import ShopConfig  # noqa: E402
from paretail.retrieve.fitting import FitContext  # noqa: E402
from paretail.retrieve.models.blend import items_had  # noqa: E402
from paretail.retrieve.models.sequence import Sequence, SequenceConfig, rounded  # noqa: E402
from paretail.retrieve.question import held_out  # noqa: E402
from paretail.retrieve.topk import top_k  # noqa: E402

ASKED, DECIDING, BLOCK, REQUESTS, TURN = 5000, 1000, 500, 2000, 50
EPOCHS, LR = 6, 0.003
#: Epochs without a gain until a training ends.
PATIENCE = 4
Ask = dict[str, Any]
#: How a teacher and its pupils learn, more slowly than the sizes.
SLOW: Ask = {"epochs": 15, "lr": 0.001}
TEACHER: Ask = {"size": "3M", "share": 1.0, **SLOW}


def main() -> None:
    """Train every size on every share, then the pupils, and record the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["0.3M", "1M", "3M"])
    parser.add_argument("--whole", nargs="*", default=["10M", "30M"], help="larger sizes, on all data alone")
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
        lines += [{"size": size, "share": 1.0} for size in asked.whole]
        pupils = [TEACHER, *_pupils(asked.pupil)]
        rows = [_metered(line, work) for line in (*lines, *pupils)]
        waits = _waits([*lines, *pupils], work)
        rows = [row | wait for row, wait in zip(rows, waits, strict=True)]
        sizes = [{key: value for key, value in row.items() if key != "kept"} for row in rows[: len(lines)]]
        harness.record(HERE, "sizes", about, sizes)
        harness.record(HERE, "pupils", about, _against(rows[len(lines) :], work))


def _graph(data: Path) -> ShopGraph:
    tables = {"events": str(data / "events.parquet"), "items": str(data / "items.parquet")}
    config = ShopConfig.parse({"data": {**tables, "time": "order", "kinds": {"buy": "purchase"}}})
    shop = ingest(config.data, data).shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def _pupils(size: str) -> list[Ask]:
    """Return the pupils: alone, as the sizes learn; from the teacher; the latter as 8-bit integers."""
    taught = {"size": size, "layers": 1, **SLOW, "epochs": 6, "teacher": TEACHER["size"], "teacher_share": 0.5}
    return [{"size": size, "layers": 1}, taught, taught | {"precision": "int8"}]


def _against(rows: list[Ask], work: Path) -> list[Ask]:
    """Return the rows with each one's part of the first one's NDCG and latency, and the paired error of the former."""
    of_users = [np.load(work / f"{row.pop('kept')}.ndcg.npy") for row in rows]
    for row, accuracy in zip(rows, of_users, strict=True):
        apart = accuracy - of_users[0]
        row["of the teacher's NDCG"] = round(float(accuracy.mean() / of_users[0].mean()), 3)
        row["± of it"] = round(float(apart.std() / len(apart) ** 0.5 / of_users[0].mean()), 3)
        row["of its p50"] = round(row["p50_ms"] / rows[0]["p50_ms"], 3)
    return rows


def _name(line: Ask) -> str:
    return "-".join(f"{key}={value}" for key, value in line.items())


def _metered(line: Ask, work: Path) -> Ask:
    """Run one line in a process of its own; a line that was run before in the same folder is read."""
    kept = work / f"{_name(line)}.json"
    if not kept.exists():
        command = [sys.executable, str(HERE / "run.py"), "--work", str(work), "--one", json.dumps(line)]
        kept.write_text(harness.meter(command, work).printed.splitlines()[-1])
    row: Ask = json.loads(kept.read_text())
    print(row, flush=True)
    return row


def _split(graph: ShopGraph) -> tuple[Split, NDArray[np.int64], NDArray[np.int64]]:
    """Return the split, and the users who decide and who measure."""
    split = held_out(graph.history, "purchase", "all", ASKED, rng_for("benchmarks/sequence", 0))
    users = np.flatnonzero(split.held.counts)
    deciding = np.sort(rng_for("benchmarks/sequence/deciding", 0).choice(users, DECIDING, replace=False))
    return split, deciding, np.setdiff1d(users, deciding)


def _one(line: Ask, work: Path) -> Ask:
    graph = ShopGraph.load(work / "graph")
    split, deciding, measured = _split(graph)
    model, cpu_s = _learned(line, work, graph, split, deciding)
    accuracy = ndcg(_hits(model, split, measured), split.held.counts[measured])
    np.save(work / f"{_name(line)}.ndcg.npy", accuracy)
    return line | {
        "kept": _name(line),
        "parameters": int(sum(array.size for array in model.arrays().values())),
        "NDCG@10": round(float(accuracy.mean()), 4), "± NDCG": round(float(accuracy.std() / len(accuracy) ** 0.5), 4),
        "HR@10": round(float(_hits(model, split, measured).any(axis=1).mean()), 4),
        "epochs": (model.run or {}).get("best_epoch", 0), "CPU minutes": round(cpu_s / 60, 1),
        "memory_mib": int(peak_mib()),
        "bundle_mib": round(sum(array.nbytes for array in model.arrays().values()) / 2**20, 2),
    }  # fmt: skip


def _learned(
    line: Ask, work: Path, graph: ShopGraph, split: Split, deciding: NDArray[np.int64]
) -> tuple[Sequence, float]:
    """Return the model and the CPU seconds that its training took, its teacher's not counted.

    Whole numbers are those of the model that was learned without them.
    """
    if "precision" in line:
        same = {key: value for key, value in line.items() if key != "precision"}
        model = Sequence(rounded(_kept(same, work).arrays()), _config(line))
        np.savez(work / f"{_name(line)}.npz", **model.arrays())
        return model, 0.0
    history = split.train
    if (share := line.get("share", 1.0)) < 1:
        learned = rng_for("benchmarks/sequence/share", 0).random(history.users) < share
        history = history.where(learned[history.user_idx])
    config = _config(line)
    teacher = None
    if config.teacher:
        teacher = _kept(TEACHER, work)
    began = time.process_time()
    model = Sequence.judged(
        graph.with_history(history), config, 0, FitContext(),
        lambda m: float(ndcg(_hits(m, split, deciding), split.held.counts[deciding]).mean()), PATIENCE, teacher,
    )  # fmt: skip
    np.savez(work / f"{_name(line)}.npz", **model.arrays())
    return model, time.process_time() - began


def _hits(model: Sequence, split: Split, users: NDArray[np.int64]) -> NDArray[np.bool_]:
    found = []
    for start in range(0, len(users), BLOCK):
        rows = users[start : start + BLOCK]
        history = split.train.of_users(rows)
        out = items_had(history, "purchase", "all", len(model.items))
        found.append(hits(top_k(model.score(history), 10, out)[0], split.held.of_users(rows)))
    return np.concatenate(found)


def _config(line: Ask) -> SequenceConfig:
    fields = {key: value for key, value in line.items() if key != "share"}
    return SequenceConfig.parse({"epochs": EPOCHS, "lr": LR, **fields})


def _kept(line: Ask, work: Path) -> Sequence:
    with np.load(work / f"{_name(line)}.npz") as arrays:
        return Sequence.from_arrays(dict(arrays), _config(line))


def _waits(lines: list[Ask], work: Path) -> list[Ask]:
    """Return each model's p50 and p99 of REQUESTS answers, those that compile left out."""
    split, _, measured = _split(ShopGraph.load(work / "graph"))
    models, found = [_kept(line, work) for line in lines], [[] for _ in lines]
    users = measured[:REQUESTS]
    with threadpool_limits(1):
        use_cores(1)
        for start in range(0, len(users), TURN):
            for model, waits in zip(models, found, strict=True):
                waits += [_wait(model, split, user) for user in users[start : start + TURN]]
    return [
        {f"p{part}_ms": round(float(np.quantile(waits[TURN:], part / 100)), 3) for part in (50, 99)} for waits in found
    ]


def _wait(model: Sequence, split: Split, user: int) -> float:
    history = split.train.of_users(np.array([user]))
    out = items_had(history, "purchase", "all", len(model.items))
    began = time.perf_counter()
    top_k(model.score(history), 10, out)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
