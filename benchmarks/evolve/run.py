"""Fronts by evolution on the problems ZDT1 to 3, whose volume is known: 30 variables, 25,000 evaluations, 100 points.

    python benchmarks/evolve/run.py [nsga2] [nsga3] [moead]

E. Zitzler, K. Deb, L. Thiele, "Comparison of multiobjective evolutionary algorithms: empirical results", Evolutionary
Computation 8(2), 2000, doi:10.1162/106365600568202. The volume is taken from (1.1, 1.1); `known` is what NSGA-II with
these settings is known for.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

from paretail.moo.evolve import METHODS, Method, evolve  # noqa: E402
from paretail.moo.hypervolume import hypervolume  # noqa: E402

Array = NDArray[np.float64]
KNOWN = {"ZDT1": 0.8714, "ZDT2": 0.5383, "ZDT3": 1.3291}
SEEDS: dict[Method, int] = {"nsga2": 5, "nsga3": 3, "moead": 1}


def worth(name: str) -> Callable[[Array], Array]:
    """Return the problem's objectives with their signs turned."""

    def gains(x: Array) -> Array:
        f, g = x[:, 0], 1 + 9 * x[:, 1:].mean(axis=1)
        part = (f / g) ** 2 if name == "ZDT2" else np.sqrt(f / g)
        wave = f / g * np.sin(10 * np.pi * f) if name == "ZDT3" else 0
        return -np.stack([f, g * (1 - part - wave)], axis=1)

    return gains


def main() -> None:
    """Run the methods that the arguments name, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", choices=[[], *METHODS])
    for method in parser.parse_args().methods or METHODS:
        about = harness.circumstances()
        rows = [row(method, name) for name in KNOWN]
        harness.record(HERE, method, about, rows)
        print(*rows, sep="\n", flush=True)


def row(method: Method, name: str) -> dict[str, object]:
    began, volumes = time.perf_counter(), []
    for seed in range(SEEDS[method]):
        found = evolve(worth(name), np.zeros(30), np.ones(30), goals=2, method=method, seed=seed)
        volumes.append(hypervolume(found.gains, np.full(2, -1.1)))
    off = np.array(volumes) / KNOWN[name] - 1
    return {
        "problem": name, "seeds": SEEDS[method], "volume": f"{np.mean(volumes):.4f}", "known": f"{KNOWN[name]:.4f}",
        "off": f"{off.mean():+.2%}", "furthest": f"{off[np.abs(off).argmax()]:+.2%}",
        "a run_s": round((time.perf_counter() - began) / SEEDS[method], 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
