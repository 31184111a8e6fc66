"""A search of real trainings, as a process that can be killed: `python -m tests.search.real_search GROUND FOLDER`."""

import sys
from pathlib import Path

from paretail.search.journal import Journal
from paretail.search.loop import Found, Loop, Plan
from paretail.search.space import GraphSpace
from paretail.search.strategies import build
from paretail.search.workers import Workers

FIXED = {"dim": (8,), "epochs": (2,), "negatives": (16,), "weights": ({"purchase": 1.0, "view": 0.3},)}
SPACE = GraphSpace({**FIXED, "lr": (3e-3, 1e-3, 1e-2), "depth": (2, 1)})


def search(ground: Path, folder: Path) -> Found:
    journal = Journal.open(folder / "evaluations.jsonl", "same")
    with Workers(ground, 1) as workers:
        return Loop(SPACE, build("auto", SPACE), workers, journal, Plan(trials=4, batch=2, screen=0.5)).run()


if __name__ == "__main__":
    search(Path(sys.argv[1]), Path(sys.argv[2]))
