"""How long ranking 500 candidates takes in process: `python benchmarks/rank/latency.py BUNDLE` prints JSON."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.live import ranked
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.bodies import RankRequest, Rules
from paretail.pipeline.live.shop import LiveShop

CANDIDATES, TIMES, WARM = 500, 1000, 50


def main(bundle: Path) -> None:
    """Ask for the same number of candidates, others each time, for one user after another."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as store, LiveShop.open(bundle, EmbeddedStore.open(Path(store))) as live:
        engine = live._engine
        users, items = (table.ids.to_list() for table in (engine.recommender.users, engine.recommender.items))
        some = [rng.choice(len(items), CANDIDATES, replace=False) for _ in range(TIMES)]
        rows = [one.astype(np.int32) for one in some]
        asked = [Asked.of(engine, Rules(user_id=users[at % len(users)]), live._shown, 0) for at in range(TIMES)]
        questions = [
            RankRequest(candidates=[items[row] for row in one], user_id=users[at % len(users)])
            for at, one in enumerate(rows)
        ]
        predicted = _timed(lambda at: ranked.predicted([asked[at]], [rows[at]]))
        answered = _timed(lambda at: live.rank(questions[at]))
    print(json.dumps([{"what": "the ranker's predictions", **predicted}, {"what": "the whole answer", **answered}]))


def _timed(call: Callable[[int], object]) -> dict[str, object]:
    """Return percentiles of wall and CPU time of a call, in milliseconds."""
    wall, cpu = [], []
    for at in range(TIMES):
        began = time.perf_counter(), time.process_time()
        call(at)
        wall.append(1000 * (time.perf_counter() - began[0]))
        cpu.append(1000 * (time.process_time() - began[1]))
    told: dict[str, object] = {"candidates": CANDIDATES}
    for name, took in (("wall", wall), ("cpu", cpu)):
        p50, p99 = np.percentile(took[WARM:], [50, 99])
        told |= {f"{name}_p50_ms": round(float(p50), 2), f"{name}_p99_ms": round(float(p99), 2)}
    return told


if __name__ == "__main__":
    main(Path(sys.argv[1]))
