"""The loop over 30 days in the frozen shops 21 to 25, one a seed: cumulative reward of a shop that learns, beside the
first day's policy, frozen, with its random slots and without any (`unexplored`), and an oracle that knows tastes and
rests what was shown.

    python benchmarks/agents/run.py loop [--seeds 0 1 2 3 4] [--days 30] [--keep FOLDER]

± is Student's 95 % interval over seeds: of a policy's sums, and of what is above the frozen policy's, shop by shop.
"gap": from the upper end of the frozen policy's interval to the lower end of that of the shop that learns.
"""

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import harness
import numpy as np
from scipy.special import stdtrit

from paretail.pipeline.loop import TOTALS, Asked, Loop
from paretail.sim.preset import JUDGED_SHOPS


def rows(asked: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Return a row a policy, and one of the releases."""
    found = [
        harness.kept(asked.keep, f"loop-{seed}-{asked.days}", partial(_run, seed, asked.days)) for seed in asked.seeds
    ]
    sums = {name: np.array([one["totals"][name] for one in found]) for name in TOTALS}
    for name, totals in sums.items():
        yield {"policy": {"reward": "the shop that learns"}.get(name, name), "days": asked.days, "seeds": len(found),
               "cumulative reward": _figure(totals), "over frozen, %": _figure(100 * (totals / sums["frozen"] - 1)),
               "each seed": " ".join(f"{total:,.0f}" for total in totals)}  # fmt: skip
    gains = [day["truth"] for one in found for day in one["days"] if day["truth"] is not None]
    yield {"releases": len(gains), "gain of each in truth, %": " ".join(f"{gain:+.0f}" for gain in gains),
           "that the gate should have stopped": sum(len(one["should_have_stopped"]) for one in found),
           **{f"gap to {name}": f"{_ends(sums['reward'])[0] - _ends(sums[name])[1]:+,.0f}" for name in TOTALS[1:3]},
           "CPU s a run": round(float(np.mean([one["cpu_seconds"] for one in found])))}  # fmt: skip


def _run(seed: int, days: int) -> dict[str, Any]:
    found = Loop(Asked(days, JUDGED_SHOPS[seed])).run().to_json()
    decided = [(day["day"], day["decided"], day["truth"]) for day in found["days"] if day["decided"] != "none"]
    print(seed, found["totals"], decided, file=sys.stderr, flush=True)
    return found


def _figure(values: np.ndarray) -> str:
    return f"{values.mean():,.1f} ± {_half(values):,.1f}"


def _ends(values: np.ndarray) -> tuple[float, float]:
    return values.mean() - _half(values), values.mean() + _half(values)


def _half(values: np.ndarray) -> float:
    count = len(values)
    return float(stdtrit(count - 1, 0.975) * values.std(ddof=1) / count**0.5) if count > 1 else np.nan


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--keep", type=Path)
    for row in rows(parser.parse_args()):
        print(row)
