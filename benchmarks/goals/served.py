"""What goals add to an answer of the service, in process, one thread: `python benchmarks/goals/served.py BUNDLE`.

The same users are asked for ten items twice in turns: in the order of what the ranker expects, and for goals; both
draw, predict and order 500 candidates. Prints JSON; the difference is of the two answers of each user.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.live.bodies import RecommendRequest
from paretail.pipeline.live.shop import LiveShop

K, TIMES, WARM = 10, 600, 50
CASES: dict[str, dict[str, Any]] = {
    "clicks, revenue": {"dial": {"revenue": 0.7}},
    "clicks, revenue, diversity": {"dial": {"revenue": 0.5, "diversity": 0.3}},
    "a budget": {"maximise": "diversity", "keep": {"revenue": ">= -2%"}},
}


def main(bundle: Path) -> None:
    """Ask in turns, and print what was taken."""
    rows = []
    with tempfile.TemporaryDirectory() as store, LiveShop.open(bundle, EmbeddedStore.open(Path(store))) as live:
        users = live._engine.recommender.users.ids.to_list()

        def asked(at: int, **how: Any) -> float:
            question = RecommendRequest(user_id=users[at % len(users)], k=K, **how)
            began = time.perf_counter()
            live.recommend(question)
            return 1000 * (time.perf_counter() - began)

        for name, goals in CASES.items():
            took = np.array([(asked(at, order="value"), asked(at, goals=goals)) for at in range(TIMES)])[WARM:]
            p50, p99 = np.percentile(took[:, 1] - took[:, 0], [50, 99])
            rows.append({"goals": name, "p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3),
                         "beside_ms": round(float(np.median(took[:, 0])), 3)})  # fmt: skip
    print(json.dumps(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
