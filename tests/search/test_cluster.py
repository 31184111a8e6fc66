"""A Ray cluster of two nodes, started here, gives what one process gives; without the extra its name is told."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from paretail.core.errors import MissingExtraError, UsageError
from paretail.search.journal import Journal
from paretail.search.loop import Loop, Plan
from paretail.search.space import GraphSpace
from paretail.search.strategies import build
from paretail.search.trial import Job
from paretail.search.workers import Lab, Workers

from .test_trial import SMALL, folder, ground  # noqa: F401  # fixtures

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (extra `ray`)")
pytestmark = pytest.mark.filterwarnings("ignore")  # ray leaves sockets and processes to the collector
SPACE = GraphSpace({**{name: (value,) for name, value in SMALL.items()}, "lr": (3e-3, 1e-3, 1e-2), "depth": (2, 1)})


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start two nodes with one core each."""
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes.address
    nodes.shutdown()


@needs_ray
def test_two_nodes_find_what_one_process_finds(address: str, folder: Path, tmp_path: Path) -> None:  # noqa: F811
    from paretail.search.cluster import Cluster

    def searched(lab: Lab, name: str) -> list[tuple[object, object]]:
        journal = Journal.open(tmp_path / name / "evaluations.jsonl", "same")
        strategy = build("auto", SPACE, seed=1, settings={"start": 2})  # what the second round asks for, it was told
        found = Loop(SPACE, strategy, lab, journal, Plan(trials=5, batch=3, screen=0.5)).run()
        assert "candidates" in found.figures[1]
        return [(one.architecture, one.whole and (one.whole["ndcg"], one.whole["told"])) for one in found.trials]

    with Cluster(folder, address) as cluster:
        assert len(cluster.nodes) == 2
        there = searched(cluster, "cluster")
    with Workers(folder, 1) as alone:
        assert searched(alone, "alone") == there


@needs_ray
def test_an_address_without_a_cluster_is_told(folder: Path) -> None:  # noqa: F811
    from paretail.search.cluster import Cluster

    with pytest.raises(UsageError, match="SRCH-21"):
        Cluster(folder, "127.0.0.1:1")


@pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match="SRCH-20"):
        __import__("paretail.search.cluster")
    assert Job("popular").key
