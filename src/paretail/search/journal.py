"""The journal: every evaluation of a search on disk, a line of JSON each, so that none is ever done twice.

A line is appended and flushed to disk before the search goes on. After a crash the last line may be torn: it is left
out and cut off. Lines of other data, told by their fingerprint, stay in the file and are not used.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self

from paretail.core.errors import DataError, Problem

#: What the first line says.
HEAD: Final = {"paretail": "search", "format": 1}


class Journal:
    """Evaluations on data with one `fingerprint`, by key; and notes by name, such as how long a round took."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path, self.fingerprint, self.others = path, fingerprint, 0
        self._found: dict[str, dict[str, Any]] = {}
        self._limits: dict[str, float | None] = {}
        self._notes: dict[str, Any] = {}
        self._lock = Lock()

    @classmethod
    def open(cls, path: Path, fingerprint: str) -> Self:
        """Open or begin a journal; raises DataError (SRCH-14) for a file that is none."""
        journal = cls(path, fingerprint)
        if path.exists() and path.stat().st_size:
            journal._read()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            journal._append(HEAD)
        return journal

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str, minutes: float | None = None) -> dict[str, Any] | None:
        """Return what was found under `key`, None where it was never evaluated.

        What a limit of time cut short is the answer to jobs with that limit or a shorter one alone.
        """
        found = self._found.get(key)
        if found is None or found.get("stopped") != "minutes":
            return found
        limit = self._limits.get(key)
        longer = limit is not None and (minutes is None or minutes > limit)
        return None if longer else found

    def add(self, key: str, job: Mapping[str, Any], found: dict[str, Any]) -> None:
        """Keep an evaluation; it is on disk when this returns. Any thread may call."""
        with self._lock:
            self._append({"data": self.fingerprint, "key": key, "job": dict(job), "found": found})
            self._found[key], self._limits[key] = found, job.get("minutes")

    def note(self, name: str, value: Any) -> None:
        """Keep a note; the newest under a name counts."""
        with self._lock:
            self._append({"data": self.fingerprint, "note": name, "value": value})
            self._notes[name] = value

    def noted(self, name: str) -> Any:
        """Return a note, None where there is none."""
        return self._notes.get(name)

    def _append(self, line: Mapping[str, Any]) -> None:
        with self.path.open("ab") as file:
            file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        lines = whole.split(b"\n")[:-1]
        if not lines or _parsed(lines[0]) != HEAD:
            raise DataError(_foreign(self.path, 1))
        for number, line in enumerate(lines[1:], 2):
            self._take(_parsed(line), number)
        if len(whole) < len(text):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))

    def _take(self, line: Any, number: int) -> None:
        known = isinstance(line, dict) and (
            {"data", "key", "found"} <= set(line) or {"data", "note", "value"} <= set(line)
        )
        if not known:
            raise DataError(_foreign(self.path, number))
        if line["data"] != self.fingerprint:
            self.others += "key" in line
        elif "note" in line:
            self._notes[line["note"]] = line["value"]
        else:
            self._found[line["key"]], self._limits[line["key"]] = line["found"], line.get("job", {}).get("minutes")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _foreign(path: Path, number: int) -> Problem:
    expected = "Expected evaluations that `paretail search` wrote"
    do = "Choose another --out, or move that file away"
    return Problem("SRCH-14", f"{path}, line {number}: this is no evaluation", expected, do)
