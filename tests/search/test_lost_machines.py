"""A cluster whose machines are lost or busy, with a stand-in for ray that is told what happens."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from paretail import __version__
from paretail.core.errors import UsageError
from paretail.search.trial import Job


class LostError(Exception):
    """What ray raises for an actor whose machine is gone."""


class Ray(ModuleType):
    """As much of ray as a cluster uses, in this process: what was asked for is done when it is got."""

    def __init__(self, free: float) -> None:
        super().__init__("ray")
        self.__spec__, self.free, self.exceptions = (
            ModuleSpec("ray", None),
            free,
            SimpleNamespace(RayActorError=LostError),
        )
        self.put: Callable[[Any], Any] = lambda value: value
        self.init: Callable[..., None] = lambda **_: None
        self.shutdown: Callable[[], None] = lambda: None
        self.gone, self.version = False, __version__
        self.unfit = 0  # so many actors cannot begin
        self.cluster_resources, self.available_resources = lambda: {"CPU": 4.0}, lambda: {"CPU": self.free}

    def wait(self, waiting: list[Any], num_returns: int, timeout: float | None) -> tuple[list[Any], list[Any]]:
        done = [one for one in waiting if not one.actor.pending][:num_returns]
        assert done or timeout is not None, "it would wait for ever"
        return done, [one for one in waiting if one not in done]

    def get(self, asked: Any) -> Any:
        return [one.made() for one in asked] if isinstance(asked, list) else asked.made()

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *told: Actor(kind(*told), self.gone)))


class Actor:
    """Held in this process; `pending` for ever where its machine is gone for good."""

    def __init__(self, held: Any, pending: bool) -> None:
        self.held, self.pending = held, pending

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *told: Asked(self, lambda: getattr(self.held, name)(*told)))


@dataclass(frozen=True, eq=False)
class Asked:
    actor: Actor
    made: Callable[[], Any]


class Trainer:
    """Its machine is lost once during the job `once`, and whenever the job `always` is tried."""

    lost: list[str]
    then: dict[str, Any]  # what is so of the cluster from then on

    def __init__(self, *_: Any) -> None:
        pass

    def about(self) -> tuple[str, str]:
        ray = sys.modules["ray"]
        if ray.unfit:
            ray.unfit -= 1
            raise LostError(
                "The actor died in its creation task, ray::Trainer\n  a trace\nno module named 'paretail'\n"
            )
        return ray.version, "node"

    def evaluate(self, job: Job) -> dict[str, Any]:
        if job.model == "always" or (job.model == "once" and "once" not in self.lost):
            self.lost.append(job.model)
            sys.modules["ray"].__dict__.update(self.then)
            raise LostError("gone")
        return {"ndcg": 0.5, "model": job.model}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def made(free: float, **then: Any) -> Any:
        monkeypatch.setitem(sys.modules, "ray", Ray(free))
        sys.modules["ray"].__dict__.update(then)
        monkeypatch.delitem(sys.modules, "paretail.search.cluster", raising=False)
        module = import_module("paretail.search.cluster")
        monkeypatch.setattr(Trainer, "lost", [], raising=False)
        monkeypatch.setattr(Trainer, "then", {}, raising=False)
        monkeypatch.setattr(module, "Trainer", Trainer)
        return module.Cluster

    yield made  # type: ignore[misc]
    sys.modules.pop("paretail.search.cluster", None)


def test_a_trial_is_done_again_elsewhere_and_given_up_after_three_machines(cluster: Any, tmp_path: Path) -> None:
    ended: list[str] = []
    with cluster(2.0)(tmp_path, "auto") as there:
        assert len(there._idle) == 2
        jobs = [Job(name) for name in ("fine", "once", "always", "last")]
        found = there.run(jobs, lambda job, one: ended.append(job.model))
    assert [one.get("model") for one in found] == ["fine", "once", None, "last"]
    assert (found[2]["crashed"], found[2]["failed"]) == (True, "its machine was lost 3 times: gone")
    assert sorted(Trainer.lost) == ["always"] * 3 + ["once"]
    assert sorted(ended) == sorted(job.model for job in jobs)


@pytest.mark.parametrize("then", [{"gone": True}, {"version": "0.0"}])
def test_a_machine_that_is_lost_for_good_or_comes_back_another_is_done_without(
    cluster: Any, tmp_path: Path, then: dict[str, Any]
) -> None:
    with cluster(2.0)(tmp_path, "auto") as there:
        Trainer.then = then
        found = there.run([Job(name) for name in ("once", "fine", "last")], lambda job, one: None)
        assert [one["model"] for one in found] == ["once", "fine", "last"]
        assert len(there._idle) == 1
        Trainer.lost.clear()
        with pytest.raises(UsageError, match=r"none of its machines began to work.*SRCH-25"):
            there.run([Job("once")], lambda job, one: None)


def test_a_cluster_without_a_free_core_is_refused(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of its cores is free, 4 are at work.*SRCH-25"):
        cluster(0.0)(tmp_path, "auto")


def test_an_actor_that_cannot_begin_is_done_without(cluster: Any, tmp_path: Path) -> None:
    with cluster(2.0, unfit=1)(tmp_path, "auto") as there:
        assert len(there._idle) == 1
        assert [one["model"] for one in there.run([Job("fine"), Job("last")], lambda job, one: None)] == [
            "fine",
            "last",
        ]


def test_those_asked_for_in_place_of_the_lost_are_waited_for(cluster: Any, tmp_path: Path) -> None:
    with cluster(2.0, unfit=2)(tmp_path, "auto") as there:
        assert there._idle


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ({"unfit": 99}, "began to work; the last one was lost: no module named 'paretail'.*SRCH-25"),
        ({"version": "0.0"}, "0.0.*SRCH-22"),
    ],
)
def test_where_nobody_can_begin_it_says_why(cluster: Any, tmp_path: Path, then: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        cluster(2.0, **then)(tmp_path, "auto")
