"""A search whose trainings are made up, also as a process that can be killed: `python made_up.py FOLDER`."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paretail.search.fields import OPTIONS
from paretail.search.journal import Journal
from paretail.search.loop import Found, Loop, Plan
from paretail.search.space import GraphSpace
from paretail.search.strategies import build
from paretail.search.trial import Job

SPACE = GraphSpace(OPTIONS)


@dataclass
class Lab:
    """Answers at once, or after `pause` seconds each; more epochs are better, and every job is remembered."""

    pause: float = 0.0
    worth: Callable[[Job], float] | None = None
    done: list[Job] = field(default_factory=list)

    def run(self, jobs: Sequence[Job], ended: Callable[[Job, dict[str, Any]], None]) -> list[dict[str, Any]]:
        found = []
        for job in jobs:
            time.sleep(self.pause)
            self.done.append(job)
            found.append(self.measured(job))
            ended(job, found[-1])
        return found

    def measured(self, job: Job) -> dict[str, Any]:
        rng = np.random.default_rng(int(Job("graph", job.settings).key[:8], 16))
        worth = float(rng.random()) if self.worth is None else self.worth(job)
        if not np.isfinite(worth):
            return {"failed": "made up", "seconds": 0.0}
        users = worth + 0.01 * rng.random(50)
        told = {"told": users.tolist(), "apart": users.tolist()} if job.share == 1 else {}
        return {
            "ndcg": worth * (0.8 + 0.2 * job.share), "error": 0.01, "p99_ms": 1 + 9 * float(rng.random()),
            "p50_ms": 1.0, "memory_mib": 1.0, "seconds": 0.1, "epochs": 4, **told,
        }  # fmt: skip


def search(folder: Path, lab: Lab, strategy: str = "random", **plan: Any) -> Found:
    asked = Plan(**{"trials": 30, "seed": 5, **plan})
    made = build(strategy, SPACE, seed=asked.seed, goals=len(asked.goals))
    loop = Loop(SPACE, made, lab, Journal.open(folder / "evaluations.jsonl", "made up"), asked)
    loop.baselines([Job("graph", SPACE.settings((0,) * len(SPACE.fields)))])
    return loop.run()


if __name__ == "__main__":
    found = search(Path(sys.argv[1]), Lab(pause=0.03), sys.argv[2])
    print(
        json.dumps({"best": found.best, "trials": [one.architecture for one in found.trials], "new": found.evaluated})
    )
