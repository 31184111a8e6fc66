"""The live service under load: speed, durability, freshness, memory, swaps; each part asks a service over real HTTP.

python benchmarks/live/run.py [recommendations events kill pair memory swap ...] [--short]

`recommendations` and `pair` need the data set gowalla (PARETAIL_DATA), `ranked` the script that writes planted shops
(PARETAIL_WORLD); `recommendations`, `ranked`, `events` and `memory` need wrk. The load generator shares the machine's
cores with the service.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import durability  # noqa: E402  # a benchmark is a script: its parts lie beside it
import harness  # noqa: E402
import speed  # noqa: E402
import steady  # noqa: E402

PARTS: dict[str, Callable[[Path, bool], list[dict[str, Any]]]] = {
    "recommendations": speed.recommendations,
    "ranked": speed.ranked,
    "events": speed.events,
    "pair": speed.pair,
    "kill": durability.kill,
    "restart": durability.restart,
    "swap": steady.swap,
    "memory": steady.memory,
}


def main() -> None:
    """Run the parts asked for, and record each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--short", action="store_true", help="a tenth of the length, to try it; nothing is recorded")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in asked.parts or PARTS:
        folder = Path(tempfile.mkdtemp(prefix=f"live-{name}-"))
        try:
            about, rows = harness.circumstances(), PARTS[name](folder, asked.short)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for row in rows:
            print(name, row, flush=True)
        if not asked.short:
            harness.record(HERE, name, about, rows)


if __name__ == "__main__":
    main()
