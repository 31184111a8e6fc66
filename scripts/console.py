"""Run the `console` blocks of a Markdown page, as a reader would type them, in one empty folder.

    $ paretail --version        a command; it must exit 0
    0.1...                      what it prints, with `...` for whatever may differ

A comment on the line before a block changes how it runs, and several may stand together, such as
`<!-- console: output, exit 1 -->`:

- `output`     each line shown must be printed, in this order
- `exit N`     the last command of the block ends with exit code N
- `slow`       the page takes over ten seconds, so its test is marked slow
- `elsewhere`  not here: the block's commands are run by `.ci/run`, word for word
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"(?:<!-- console: *(?P<options>[^\n]*?) *-->\n)?```console\n(?P<text>.*?)^```", re.M | re.S)
OPTION = re.compile(r"output|slow|elsewhere|exit \d+")


@dataclass(frozen=True)
class Command:
    """A command of a page, and the lines that the page shows under it."""

    text: str
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """A console block: where it begins, what stands in its comment, and its commands."""

    line: int
    options: frozenset[str]
    commands: list[Command]

    @property
    def exit_code(self) -> int:
        """What the last command should end with."""
        return next((int(option.split()[1]) for option in self.options if option.startswith("exit")), 0)


class PageError(AssertionError):
    """A command did not do what the page says."""


def blocks(page: Path) -> list[Block]:
    """Return the console blocks of a page; raises ValueError for an option that does not exist."""
    text = page.read_text(encoding="utf-8")
    return [_block(found, 1 + text.count("\n", 0, found.start("text"))) for found in BLOCK.finditer(text)]


def _block(found: re.Match[str], line: int) -> Block:
    options = frozenset(part.strip() for part in (found["options"] or "").split(",") if part.strip())
    if wrong := [option for option in options if not OPTION.fullmatch(option)]:
        raise ValueError(f"line {line}: {wrong} are no options of a console block")
    return Block(line, options, list(_commands(found["text"])))


def _commands(text: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        typed = re.match(r"(?:.*\\\n)*.*\n", part)
        assert typed is not None
        yield Command(typed[0].rstrip("\n"), part[typed.end() :].splitlines())


def run_page(page: Path, folder: Path) -> None:
    """Run every block of a page in `folder`, in order; what was left in the background ends with it."""
    started: list[int] = []
    try:
        for block in blocks(page):
            if "elsewhere" not in block.options:
                for command in block.commands:
                    expected = block.exit_code if command is block.commands[-1] else 0
                    where = f"{page.name}, line {block.line}: $ {command.text}"
                    printed = _run(command.text, folder, expected, where, started)
                    if "output" in block.options:
                        compare(command.shown, printed, where)
    finally:
        for session in started:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGTERM)


def _run(command: str, folder: Path, expected: int, where: str, started: list[int]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A file and not a pipe: a pipe would stay open for as long as something runs in the background.
    with tempfile.TemporaryFile("w+") as printed:
        shell = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, env=os.environ | {"PATH": path, "COLUMNS": "100"},
            stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        started.append(shell.pid)
        code = shell.wait(timeout=600)
        printed.seek(0)
        text = printed.read()
    if code != expected:
        raise PageError(f"{where}\nexit code {code}, not {expected}:\n{text}")
    return text


def compare(shown: list[str], printed: str, where: str) -> None:
    """Raise PageError unless each line shown is printed, in this order; `...` stands for anything."""
    lines = iter(printed.splitlines())
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        wanted = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("...")))
        if not any(wanted.fullmatch(candidate.rstrip()) for candidate in lines):
            raise PageError(f"{where}\nnot printed in this order: {line!r}\nprinted:\n{printed}")
