"""Write constraints.txt: one exact version of every package that any extra pulls in.

    python3.11 scripts/pin_constraints.py            # resolve anew and write constraints.txt
    python3.13 scripts/pin_constraints.py --check    # would this interpreter accept what is written?

Run it with the oldest Python that we support: its newest versions are the ones that every later Python can
use too. Then run `--check` with the others; it installs nothing, takes wheels only, and names what is missing
(it leaves torch and what needs it out, whose standard Linux build would fetch gigabytes to answer).

torch is written without its local label (`+cpu`), so that any build of that version satisfies the pin; the
CUDA packages of the standard Linux build are pinned by torch itself.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
HEADER = """\
# One exact version of every package of the base, of all extras and of the build backend, for Python 3.11 to 3.13.
# Written by `python3.11 scripts/pin_constraints.py`; do not edit by hand.
"""


def requirements(leave_out: Collection[str] = ()) -> list[str]:
    """Return what the base, every extra that is not left out and the build ask for, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = list(project["build-system"]["requires"]) + list(project["project"]["dependencies"])
    for name, extra in project["project"]["optional-dependencies"].items():
        asked += [] if name in leave_out else extra
    return [*asked, "editables"]  # hatchling asks for it when it builds an editable install


def resolve(wanted: list[str], constraints: Path | None) -> dict[str, str]:
    """Return the version of each package that pip would install into an empty environment; installs nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--only-binary=:all:", "--report", str(report)]
        command += ["-c", str(constraints)] if constraints else []
        if subprocess.run([*command, *wanted], check=False).returncode:
            sys.exit(f"pip cannot resolve the requirements on Python {sys.version.split()[0]}; see above")
        found = json.loads(report.read_text())["install"]
    return {_canonical(item["metadata"]["name"]): _public(item["metadata"]["version"]) for item in found}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _public(version: str) -> str:
    return version.split("+")[0]


def main() -> None:
    """Resolve and write, or check what is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only ask whether this Python accepts the pins")
    if parser.parse_args().check:
        pinned = set(re.findall(r"^([a-z0-9-]+)==", TARGET.read_text(), re.MULTILINE))
        found = resolve(requirements(leave_out=("learn", "peers")), TARGET)
        if unpinned := sorted(set(found) - pinned):
            sys.exit(f"not pinned, yet needed on Python {sys.version.split()[0]}: {', '.join(unpinned)}")
        print(f"Python {sys.version.split()[0]}: {len(found)} packages, all pinned, all as wheels")
        return
    pins = resolve(requirements(), None)
    TARGET.write_text(HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    print(f"{TARGET.name}: {len(pins)} packages")


if __name__ == "__main__":
    main()
