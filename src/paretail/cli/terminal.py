"""What the verbs print and where: results to standard output, progress and remarks to standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from paretail.core.progress import Progress

#: Where nobody watches, lines are as wide as any table of ours but that of `compare`, which widens itself.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False)


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield a `core.progress.Progress` that draws a bar on a terminal, and prints nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bars(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task("", total=1.0)

        def tell(step: str, done: float = 0.0) -> None:
            bars.update(task, description=step, completed=done)

        yield tell


def print_json(value: Any) -> None:
    """Print one JSON document to standard output, bare, for machines."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def counted(count: int, noun: str) -> str:
    """Return `1 user` or `1,234 users`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
