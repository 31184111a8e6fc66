"""What every benchmark shares: a resource meter, the circumstances of a run, and the file of results."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARETAIL = str(Path(sys.executable).parent / "paretail")
MIB = 2**20
#: The libraries whose version can change a figure.
PACKAGES = (
    "dataframely", "granian", "implicit", "nas-bench-graph", "numba", "numpy", "optuna", "polars", "pymoo",
    "scikit-learn", "scipy", "torch",
)  # fmt: skip


@dataclass(frozen=True)
class Used:
    """What a command took: wall and CPU seconds, and the peak of its processes' memory together."""

    wall_s: float
    cpu_s: float
    peak_rss_mib: float
    printed: str

    def cost(self) -> dict[str, float]:
        """Return the three figures, rounded, without what was printed."""
        return {
            "wall_s": round(self.wall_s, 2),
            "cpu_s": round(self.cpu_s, 2),
            "peak_rss_mib": round(self.peak_rss_mib),
        }


def real_sets(names: Sequence[str], keep: Path | None) -> Iterator[tuple[str, Path, Path]]:
    """Yield the sets that PARETAIL_DATA holds: name, folder, and a folder to work in, below `keep` or for a while."""
    data = Path(os.environ.get("PARETAIL_DATA", ""))
    for name in names:
        if not (data / name / "events.parquet").exists():
            print(f"{name}: skipped, PARETAIL_DATA does not hold it")
            continue
        with tempfile.TemporaryDirectory() as folder:
            work = (keep or Path(folder)).resolve() / name
            work.mkdir(parents=True, exist_ok=True)
            yield name, (data / name).resolve(), work


def kept(folder: Path | None, name: str, measure: Callable[[], Any]) -> Any:
    """Return what a measurement found, as JSON has it: now, or before, where `folder` holds it by this name."""
    file = None if folder is None else folder / f"{name.replace(' ', '-')}.json"
    if file is not None and file.exists():
        return json.loads(file.read_text())
    found = measure()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found))
    return found


def meter(command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, every_s: float = 0.05) -> Used:
    """Run a command to its end and say what it took; raises SystemExit with its output where it fails.

    Memory is the resident set of the process and its descendants, sampled (Linux), and at least the exact peak of
    the largest single one, where that is above what this process has held: the figure of children begins with their
    parent's. Pages that processes share count once for each.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started, peak, ended = time.perf_counter(), 0, 0
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        while not ended:
            peak = max(peak, _resident(process.pid))
            time.sleep(every_s)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        printed, errors = out.read(), err.read()
    if process.returncode:
        sys.exit(f"{' '.join(command)}\nexit code {process.returncode}\n{printed}{errors}")
    largest, mine = (
        figure.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        for figure in (usage, resource.getrusage(resource.RUSAGE_SELF))
    )
    largest = largest if largest > mine + MIB else 0  # Linux counts to within some pages
    return Used(wall, usage.ru_utime + usage.ru_stime, max(peak, largest) / MIB, printed)


def _resident(pid: int) -> int:
    """Return the bytes that a process and its descendants hold in memory, 0 where /proc does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = [c for task in Path(f"/proc/{pid}/task").iterdir() for c in (task / "children").read_text().split()]
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident(int(child)) for child in children)


def circumstances() -> dict[str, Any]:
    """Return what a reader needs to repeat a run: commit, date, machine, versions, and how busy the machine was."""
    return {
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("+" if _git("status", "--porcelain", "src") else ""),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": _memory(), "system": platform.platform()},
        "python": platform.python_version(),
        "packages": {d.name: d.version for d in distributions() if d.name in PACKAGES},
        "load_at_start": [round(load, 2) for load in os.getloadavg()],
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def record(folder: Path, part: str, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the rows of one part of a benchmark into its results.json, in place of that part's older ones."""
    file = folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results[part] = {**about, "rows": list(rows)}
    file.write_text(json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{file.relative_to(ROOT)}: {part}, {len(rows)} rows")
