"""Kernels launched by many threads at once, within the lock and beside a fork; and that none goes past the lock."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "paretail"

#: Kernels of two stations, with what BLAS and, where there is one, torch compute meanwhile.
SETUP = """
import importlib.util, os, signal, threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from scipy import sparse
from paretail.core.kernels import ONE_AT_A_TIME, use_cores
from paretail.graph.chance import AliasTables
from paretail.core.sparse import gather
from paretail.retrieve.topk import SERIAL, top_k

rng = np.random.default_rng(0)
weights, bounds = rng.random(100_000), np.arange(0, 100_001, 10)
left = sparse.random_array((300, 500), density=0.1, rng=rng, dtype=np.float32).tocsr()
right = rng.random((500, 64), dtype=np.float32)
scores = rng.random((8, SERIAL // 8 + 1), dtype=np.float32)

def tables(): return AliasTables.of(bounds, weights).chance.tobytes()
def products(): return gather(left, right).tobytes()
def best(): return top_k(scores, 5)[0].tobytes()
def nested():
    with ONE_AT_A_TIME:
        return best()
def blas(): return (right @ right.T).shape
def torched():
    import torch
    return tuple((torch.ones(300, 300) @ torch.ones(300, 300)).shape)

WORK = [tables, products, best, nested, blas, *([torched] if importlib.util.find_spec("torch") else [])]
expected = [work() for work in WORK]
"""
THREADS = """
def many(number):
    together.wait()
    return all(WORK[number % len(WORK)]() == expected[number % len(WORK)] for _ in range(30))
for cores in (2, 1):  # with one nothing is launched, and nobody holds the lock
    use_cores(cores)
    together = threading.Barrier(2 * len(WORK))
    with ThreadPoolExecutor(2 * len(WORK)) as pool:
        assert all(pool.map(many, range(2 * len(WORK))))
"""
FORKS = """
over = threading.Event()
def busy():
    while not over.is_set():
        tables()
threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
for thread in threads: thread.start()
for _ in range(8):
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # a child that waits for ever
        with ThreadPoolExecutor(2) as pool:
            same = list(pool.map(lambda work: work(), [tables, nested])) == [expected[0], expected[3]]
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
over.set()
for thread in threads: thread.join()
"""
INSIDE = """
import numba
from paretail.graph import chance
@numba.njit
def outer(*arrays): chance._build(*arrays)
try: outer(bounds, weights, weights, weights, weights)
except numba.core.errors.TypingError: pass
else: raise AssertionError("compiled code launched a kernel past the lock")
"""


def _run(*parts: str) -> str:
    flags = ["-W", "error", "-W", "ignore::DeprecationWarning", "-X", "faulthandler"]
    command = [sys.executable, *flags, "-c", "\n".join(parts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout.strip()


def test_threads_that_launch_at_once_end_nothing_and_change_no_result() -> None:
    _run(SETUP, THREADS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_while_kernels_run_can_launch_its_own() -> None:
    _run(SETUP, FORKS)


def test_compiled_code_cannot_launch_a_kernel() -> None:
    _run(SETUP, INSIDE)


def test_the_layer_that_a_program_chose_stays() -> None:
    told = "import numba\n{}import paretail.retrieve.topk\nprint(numba.config.THREADING_LAYER)"
    assert _run(told.format("")) == "workqueue"
    assert _run(told.format("numba.config.THREADING_LAYER = 'omp'\n")) == "omp"


def test_every_parallel_kernel_is_compiled_by_the_one_module() -> None:
    """Numba's `parallel` and its layer are set in `core/kernels.py` alone; `prange` stands in its kernels alone."""
    files = sorted(file for file in SOURCE.rglob("*.py") if file != SOURCE / "core" / "kernels.py")
    found = [f"{file.relative_to(SOURCE)}:{line}" for file in files for line in _past_the_lock(file)]
    assert not found, found


def _past_the_lock(file: Path) -> Iterator[int]:
    tree = ast.parse(file.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    kernels = [node for node in functions if "parallel_kernel" in map(ast.unparse, node.decorator_list)]
    inside = {id(node) for kernel in kernels for node in ast.walk(kernel)}
    for node in ast.walk(tree):
        told = isinstance(node, ast.keyword) and ast.unparse(node) in ("parallel=True", "target='parallel'")
        loop = isinstance(node, ast.Name) and node.id == "prange" and id(node) not in inside
        layer = isinstance(node, ast.Constant | ast.Attribute) and "THREADING_LAYER" in ast.unparse(node)
        if told or loop or layer:
            yield getattr(node, "lineno", 0)
