"""The tables of NAS-Bench-Graph: what each of 26,206 graph networks scores on eight data sets.

Y. Qin, Z. Zhang, X. Wang, Z. Zhang, W. Zhu, "NAS-Bench-Graph: benchmarking graph neural architecture search", NeurIPS
2022, arXiv:2206.09166; the package `nas-bench-graph`, of which nothing is imported: its files are pickles, read here
by an unpickler that makes plain numbers and nothing else.
"""

import pickle
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
#: The two on which settings were chosen; the other six are what is reported.
TUNED = ("cora", "cs")
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """What was measured of architectures, row by row; `keys` are their numbers in the benchmark."""

    keys: NDArray[np.int64]
    valid: Array
    test: Array
    latency: Array

    @property
    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of each row by validation, from 1; equals share the best of theirs."""
        return 1 + np.searchsorted(np.sort(-self.valid), -self.valid)


class _Numbers(pickle.Unpickler):
    """Reads dictionaries, strings and numbers; a pickle that asks for anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar")):
            return _number
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise pickle.UnpicklingError(f"the table asks for {module}.{name}, which no table of numbers needs")


def _number(kind: "np.dtype[Any]", raw: bytes) -> float:
    if kind.kind not in "fiu":
        raise pickle.UnpicklingError(f"the table holds a {kind}, not a number")
    return float(np.frombuffer(raw, kind)[0])


def folder() -> Path:
    """Return where the package has its tables; raises PackageNotFoundError where it is not installed."""
    return Path(str(distribution("nas-bench-graph").locate_file("nas_bench_graph/light")))


def load(name: str) -> Table:
    """Return the table of one data set."""
    with (folder() / f"{name}.bench").open("rb") as file:
        rows = _Numbers(file).load()
    keys = np.array(sorted(rows))
    columns = (
        np.array([rows[key][column] for key in keys], np.float64) for column in ("valid_perf", "perf", "latency")
    )
    return Table(keys, *columns)
