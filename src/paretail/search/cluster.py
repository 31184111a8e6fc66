"""Trials on the machines of a Ray cluster: each of its cores trains one at a time, as a worker of this machine would.

P. Moritz et al., "Ray: a distributed framework for emerging AI applications", OSDI 2018, arXiv:1712.05889. Every actor
gets the ground of the search once, and runs trials in a process of its own on one thread (`workers.py`): results are
those of one machine of the same kind. A trial whose machine is lost is done again elsewhere. Another actor is asked for
in its place, which works from when it has answered: where there is no machine for it, it never does, and nobody waits.

Needs the extra `ray` (SRCH-20), on every machine with the same version of paretail.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from socket import create_connection
from tempfile import TemporaryDirectory
from typing import Any, Final

from paretail import __version__
from paretail.core.errors import Problem, UsageError, need_extra
from paretail.search.trial import Job, Measured
from paretail.search.workers import Ended, Staffed, Workers

need_extra(
    "SRCH-20", ("ray",), "A search on a cluster needs the extra `ray`",
    "Install it on every machine: pip install 'paretail[learn,ray]'",
)  # fmt: skip

import ray  # noqa: E402  # only where it is there

#: A trial is given up after its machine was lost so many times.
TRIES: Final = 3
KNOCK_SECONDS: Final = 5.0
#: Actors have so long to begin; where none works, so long is waited for one.
START_SECONDS: Final = 300.0
Files = Mapping[str, bytes]


class Trainer:
    """An actor: a worker on its own machine, over a copy of the ground."""

    def __init__(self, files: Files, version: str) -> None:
        self.version = version
        self._folder = TemporaryDirectory(prefix="paretail-search-")
        folder = Path(self._folder.name) / "ground"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        self._workers = Workers(folder, 1)

    def about(self) -> tuple[str, str]:
        """Return the version of paretail here, and the node's id."""
        return __version__, ray.get_runtime_context().get_node_id()

    def evaluate(self, job: Job) -> Measured:
        """Do one job."""
        return self._workers.run([job], lambda job, found: None)[0]


class Cluster(Staffed):
    """The cluster at `address` (`auto`: this one), with the ground that `folder` keeps.

    Only cores that nobody uses are taken; machines with another version of paretail, or on which no worker begins, are
    done without. Raises UsageError: SRCH-21 where there is no cluster, SRCH-22 where all have another version, SRCH-25
    where all cores are at work for others, or none begins to work. `run` raises it too, where all machines are lost.
    """

    def __init__(self, folder: Path, address: str) -> None:
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(_unreachable(address, error)) from None
        cores, busy = _cores()
        if not cores:
            self.close()
            raise UsageError(_busy(address, busy))
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self._files = ray.put(files)
        self._coming: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self.address, self.nodes = address, set[str]()
        self._strangers, self._lost = set[str](), ""  # versions elsewhere, and how the last actor was lost
        self._spare = TRIES * cores  # actors that are asked for in place of those that are lost before they work
        for _ in range(cores):
            self._ask_for_one()
        begun, _ = ray.wait(list(self._coming), num_returns=cores, timeout=START_SECONDS)
        while begun:
            for one in begun:
                self._take(one)
            still = not self._idle and self._coming  # those that were asked for in place of the lost
            begun = ray.wait(list(self._coming), num_returns=1, timeout=START_SECONDS)[0] if still else []
        if not self._idle:
            self.close()
            raise UsageError(_other_version(self._strangers) if self._strangers else _nobody(address, self._lost))

    def run(self, jobs: Sequence[Job], ended: Ended) -> list[Measured]:
        """Return the result of each job, in their order."""
        waiting, busy, found = list(enumerate(jobs)), dict[Any, tuple[int, Any]](), dict[int, Measured]()
        lost = [0] * len(jobs)
        while waiting or busy:
            while waiting and self._idle:
                number, job = waiting.pop(0)
                trainer = self._idle.pop()
                busy[trainer.evaluate.remote(job)] = number, trainer
            done = self._next(list(busy))
            if done in self._coming:
                self._take(done)
                continue
            number, trainer = busy.pop(done)
            try:
                found[number] = ray.get(done)
                self._idle.append(trainer)
            except ray.exceptions.RayActorError as error:
                lost[number] += 1
                self._call_all()
                self._ask_for_one()
                if lost[number] < TRIES:
                    waiting.insert(0, (number, jobs[number]))
                    continue
                why = f"its machine was lost {TRIES} times: {error}"
                found[number] = {"failed": why, "crashed": True, "seconds": 0.0}
            ended(jobs[number], found[number])
        return [found[number] for number in range(len(jobs))]

    def close(self) -> None:
        """Leave the cluster; its actors end."""
        ray.shutdown()

    def _next(self, busy: list[Any]) -> Any:
        """Return a job that ended, or an actor that has begun; raises UsageError (SRCH-25) where nobody is left."""
        there = [*busy, *self._coming]
        done, _ = ray.wait(there, num_returns=1, timeout=None if busy else START_SECONDS) if there else ([], [])
        if not done:
            raise UsageError(_nobody(self.address, self._lost))
        return done[0]

    def _ask_for_one(self) -> None:
        """Ask for an actor on whichever machine has most room, so that all of them work."""
        options = {"num_cpus": 1, "scheduling_strategy": "SPREAD"}
        trainer = ray.remote(Trainer).options(**options).remote(self._files, __version__)
        self._coming[trainer.about.remote()] = trainer

    def _call_all(self) -> None:
        """Have all idle actors answer before they work again: a machine that is lost takes all of its own along."""
        self._coming |= {trainer.about.remote(): trainer for trainer in self._idle}
        self._idle = []

    def _take(self, begun: Any) -> None:
        """Let an actor work that has begun, unless it was lost meanwhile or has another version of paretail."""
        trainer = self._coming.pop(begun)
        try:
            version, node = ray.get(begun)
            if version == __version__:
                self._idle.append(trainer)
                self.nodes.add(node)
            else:
                self._strangers.add(version)
        except ray.exceptions.RayActorError as error:
            self._lost = (str(error).strip().splitlines() or [type(error).__name__])[-1]  # the cause is told last
            if self._spare:
                self._spare -= 1
                self._ask_for_one()


def _cores() -> tuple[int, int]:
    """Return how many cores of the cluster are free, and how many are at work."""
    free, there = (int(found.get("CPU", 0)) for found in (ray.available_resources(), ray.cluster_resources()))
    return free, there - free


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: ray itself would wait for more than a minute."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        create_connection((host, int(port)), KNOCK_SECONDS).close()


def _unreachable(address: str, error: Exception) -> Problem:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    do = "Start one: ray start --head, and on the other machines ray start --address HOST:6379"
    return Problem("SRCH-21", f"--ray {address}: {why}", "The address of a Ray cluster, or auto", do)


def _busy(address: str, busy: int) -> Problem:
    found = f"--ray {address}: none of its cores is free, {busy} are at work for others"
    return Problem("SRCH-25", found, "One free core or more", "Wait until they are done, or add a machine")


def _nobody(address: str, lost: str) -> Problem:
    why = f"; the last one was lost: {lost}" if lost else ""
    found = f"--ray {address}: none of its machines began to work{why or f' within {START_SECONDS:.0f} seconds'}"
    do = "Look after the machines (ray status), and call again: what was trained is kept"
    return Problem("SRCH-25", found, "One machine or more", do)


def _other_version(strangers: Iterable[str]) -> Problem:
    found = f"all machines of the cluster that began to work have paretail {', '.join(sorted(strangers))}"
    return Problem("SRCH-22", found, f"The version of this machine, {__version__}", "Install the same everywhere")
