"""The tables of NAS-Bench-Graph are read without trusting them, and its space keeps what the protocol promises."""

import io
import os
import pickle
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if find_spec("nas_bench_graph") is None:
    pytest.skip("nas-bench-graph is not installed (extra peers)", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "search"))
import nas_space  # a benchmark is a script, not a package
import tables

from paretail.search.strategies import build


@pytest.fixture(scope="module")
def table() -> tables.Table:
    return tables.load("cora")


@pytest.fixture(scope="module")
def space(table: tables.Table) -> nas_space.NasBenchGraph:
    return nas_space.NasBenchGraph(table.keys)


def test_a_table_has_every_architecture_and_ranks_from_one(table: tables.Table) -> None:
    assert len(table.keys) == 26206
    assert table.ranks.min() == 1
    assert table.valid[table.ranks.argmin()] == table.valid.max()


def test_a_table_that_would_run_something_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="system"):
        tables._Numbers(io.BytesIO(pickle.dumps(os.system))).load()


def test_tokens_lead_back_and_neighbours_are_others(space: nas_space.NasBenchGraph) -> None:
    rng = np.random.default_rng(0)
    for key in space.sample(rng, 50):
        assert space.from_tokens(space.tokens(key)) == key
        near = space.neighbours(key, rng, 100)
        assert len(set(near)) == len(near) > 10
        assert key not in near
    assert space.from_tokens((0, 8, 8, 8, 8)) is None


def test_swapped_branches_are_one_architecture_with_one_encoding(space: nas_space.NasBenchGraph) -> None:
    one, other = space.from_tokens((0, 0, 1, 2, 3)), space.from_tokens((0, 3, 2, 1, 0))
    assert one == other
    rows = space.encode(space.sample(np.random.default_rng(1), 300))
    assert rows.shape[0] == 300
    assert np.abs(rows).max() <= 4


def test_the_default_is_among_the_best_two_hundred_after_eighty_queries(
    space: nas_space.NasBenchGraph, table: tables.Table
) -> None:
    strategy, best = build("auto", space), 26206
    for _ in range(10):
        asked = strategy.ask(8)
        rows = space.rows(asked)
        strategy.tell(asked, table.valid[rows])
        best = min(best, table.ranks[rows].min())
    assert best <= 200


@pytest.fixture(scope="module")
def run() -> Any:
    """The script, under a name of its own: other benchmarks have a `run` too."""
    spec = spec_from_file_location("search_run", Path(nas_space.__file__).with_name("run.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_benchmark_goes_on_where_it_was_stopped_unless_the_code_is_another(run: Any, tmp_path: Path) -> None:
    file, made = tmp_path / "kept.jsonl", []

    def make() -> int:
        made.append(1)
        return len(made)

    assert run.Kept(file, "one")("ranks", "gan", "cora", 0, make) == 1
    assert run.Kept(file, "one")("ranks", "gan", "cora", 0, make) == 1
    assert run.Kept(file, "other")("ranks", "gan", "cora", 0, make) == 2


def test_an_interval_is_over_seeds_and_one_seed_has_none(run: Any) -> None:
    ranks = {"cora": np.array([[1.0], [4.0], [16.0]]), "cs": np.array([[9.0], [9.0], [9.0]])}
    assert run._told(run._geometric(list(ranks.values()))) == "6"
    assert run._interval(ranks, ["cora", "cs"]) == "3.0 to 12.0"
    assert run._interval({"cora": ranks["cora"][:1]}, ["cora"]) == ""


def test_optuna_alone_is_asked_for_as_many_architectures_that_differ(run: Any) -> None:
    assert len(set(run.optuna_tpe("cora", 0))) == 200
