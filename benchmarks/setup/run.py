"""How long a fresh set-up takes and how large it is: `make setup` in an empty copy, with an empty package cache.

    python benchmarks/setup/run.py

Also the time of `paretail --help`, the best of five.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import harness  # noqa: E402  # a benchmark is a script: the harness lies one folder up

COPIED = ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "scripts", "src")


def main() -> None:
    """Set up in a temporary folder and record the figures."""
    about = harness.circumstances()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "paretail"
        copy.mkdir()
        for name in COPIED:
            source = harness.ROOT / name
            put = shutil.copytree if source.is_dir() else shutil.copy
            put(source, copy / name)
        env = os.environ | {"PIP_CACHE_DIR": str(Path(folder) / "cache"), "PYTHON": sys.executable}
        first = harness.meter(["make", "setup"], copy, env)
        again = harness.meter(["make", "setup"], copy, env, every_s=0.005)
        usage = subprocess.run(["du", "-sk", ".venv"], cwd=copy, capture_output=True, text=True, check=True).stdout
    answers = [harness.meter([harness.PARETAIL, "--help"], HERE, every_s=0.005) for _ in range(5)]
    row = {
        "fresh_s": round(first.wall_s, 1), "fresh_mib": round(int(usage.split()[0]) / 1024),
        "again_s": round(again.wall_s, 2), "help_s": round(min(answer.wall_s for answer in answers), 2),
    }  # fmt: skip
    harness.record(HERE, "base", about, [row])


if __name__ == "__main__":
    main()
