"""Run the benchmarks, each a folder with a `run.py`, and write the tables of their results.

python benchmarks/run.py                          # all of them, one after the other
python benchmarks/run.py real_sets gowalla        # one; what follows the name goes to its run.py
python benchmarks/run.py --tables                 # only the tables, from the results that are there
"""

import subprocess
import sys
from pathlib import Path

import result_tables

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run what the arguments name."""
    names = sorted(folder.parent.name for folder in HERE.glob("*/run.py"))
    chosen = sys.argv[1:2]
    if chosen and chosen[0] not in [*names, "--tables"]:
        sys.exit(f"no benchmark {chosen[0]!r}; there are {', '.join(names)}")
    for name in [] if chosen == ["--tables"] else chosen or names:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / name / "run.py"), *sys.argv[2:]], check=True)
    for page in result_tables.write():
        print(f"{page}: tables written")


if __name__ == "__main__":
    main()
