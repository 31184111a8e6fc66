"""Workers: trials in processes of their own, side by side, each on one thread; results come in the order of the jobs.

A worker that dies (out of memory, killed) or hangs fails its trial alone, and another takes its place; such a result
says `crashed`, for it tells of the machine and not of the model. How many there are changes how long a search takes and
nothing else.
"""

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from time import monotonic
from typing import Any, Final, Protocol, Self

from paretail.search.trial import ONE_THREAD, Job, Measured

#: Told after each job, in the order in which they end.
Ended = Callable[[Job, Measured], None]
#: A trial with a limit of time is stopped from outside after so many times its limit, and these seconds.
GRACE: Final = 2.0
GRACE_SECONDS: Final = 300.0
#: Of what a worker that died said last, so many characters are told.
TAIL: Final = 300


class Process(subprocess.Popen[str]):
    """A worker, and the file of what it says."""

    log: Path


class Lab(Protocol):
    """What does jobs."""

    def run(self, jobs: Sequence[Job], ended: Ended) -> list[Measured]:
        """Return the result of each job, in their order."""
        ...


class Staffed(ABC):
    """What holds processes or machines: close it at the end, or use it as a context."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End what is at work, and let go of what was taken."""


class Workers(Staffed):
    """`count` processes over the ground that `folder` keeps."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count, self._stopping = folder, count, False
        self._alive: set[Process] = set()
        self._idle: SimpleQueue[Process | None] = SimpleQueue()
        for _ in range(count):
            self._idle.put(None)

    def run(self, jobs: Sequence[Job], ended: Ended) -> list[Measured]:
        """Return the result of each job, in their order."""
        with ThreadPoolExecutor(self.count) as threads:
            waiting = [threads.submit(self._done, job, ended) for job in jobs]
            try:
                return [done.result() for done in waiting]
            except BaseException:  # Ctrl-C too: a trial cut short is no result
                self._stopping = True
                for done in waiting:
                    done.cancel()
                self.close()
                raise

    def close(self) -> None:
        """End all processes, also those that are at work."""
        for process in list(self._alive):
            process.kill()
        for _ in range(self._idle.qsize()):
            self._gone(self._idle.get())
            self._idle.put(None)

    def _done(self, job: Job, ended: Ended) -> Measured:
        process: Process | None = self._idle.get()
        try:
            if process is None:
                process = _started(self.folder)
                self._alive.add(process)
            found = _asked(process, job)
        finally:
            if process is not None and process.poll() is not None:
                self._gone(process)
                process = None
            self._idle.put(process)
        if not self._stopping:
            ended(job, found)
        return found

    def _gone(self, process: Process | None) -> None:
        if process is not None:
            self._alive.discard(process)
            _end(process)


def _started(folder: Path) -> Process:
    alone = dict.fromkeys(ONE_THREAD, "1")
    command = [sys.executable, "-m", "paretail.search.trial", str(folder)]
    pipe = subprocess.PIPE
    log = folder / f"worker-{os.urandom(4).hex()}.log"
    with log.open("w") as errors:
        process = Process(
            command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=os.environ | alone, start_new_session=True
        )  # Ctrl-C is the search's to hear
    process.log = log
    return process


def _asked(process: Process, job: Job) -> Measured:
    """Return a worker's answer; where it ended instead, that."""
    assert process.stdin is not None
    assert process.stdout is not None
    limit, began = None if job.minutes is None else GRACE * 60 * job.minutes + GRACE_SECONDS, monotonic()
    timer = None if limit is None else Timer(limit, process.kill)
    if timer is not None:
        timer.start()
    try:
        process.stdin.write(json.dumps({**asdict(job), "settings": dict(job.settings)}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        if timer is not None:
            timer.cancel()
    if line.endswith("\n"):
        found: dict[str, Any] = json.loads(line)
        return found
    if limit is not None and monotonic() - began >= limit:
        process.wait()
        return {"failed": f"it took longer than {limit / 60:.0f} minutes", "stopped": "minutes", "seconds": limit}
    return {"failed": _last_words(process), "crashed": True, "seconds": 0.0}


def _last_words(process: Process) -> str:
    """Return how a process ended, and the end of what it said."""
    told = f"its process ended with {process.wait()}"
    said = " ".join(process.log.read_text(encoding="utf-8", errors="replace").split())
    return f"{told}: {'...' if len(said) > TAIL else ''}{said[-TAIL:]}" if said else told


def _end(process: Process) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
