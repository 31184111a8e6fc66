"""Errors that say what was found, what was expected and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Literal

Severity = Literal["fail", "warn"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `code` is stable and has a section in `docs/errors.md` (for example `DATA-07`); `found` names the place,
    the value and the count; `expected` what is valid; `do` the next step. A `fail` makes the result wrong,
    a `warn` makes it worse.
    """

    code: str
    found: str
    expected: str
    do: str
    severity: Severity = "fail"

    def __str__(self) -> str:
        told = (part if part.endswith("?") else f"{part}." for part in (self.found, self.expected, self.do))
        return f"{' '.join(told)} ({self.code})"


class ParetailError(Exception):
    """Something that the user can mend; carries every problem found, not only the first."""

    exit_code = 1

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ConfigError(ParetailError):
    """The configuration says something that cannot be followed."""


class DataError(ParetailError):
    """The shop's data cannot be used as it is."""


class BundleError(ParetailError):
    """A bundle is damaged, foreign or newer than this program."""


class UsageError(ParetailError):
    """The command was called in a way that it does not know."""

    exit_code = 2


class MissingExtraError(ParetailError, ImportError):
    """An import needs an extra that is not installed; the message says which."""


def need_extra(code: str, modules: Sequence[str], expected: str, do: str) -> None:
    """Raise MissingExtraError where one of the modules cannot be imported; none of them is."""
    if missing := [name for name in modules if find_spec(name) is None]:
        raise MissingExtraError(Problem(code, f"{' and '.join(missing)} cannot be imported", expected, do))


def nearest(name: str, options: Iterable[str]) -> str:
    """Say which options there are and which is closest to `name`, as the end of a sentence."""
    names = sorted(options)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"one of {', '.join(names) or '(none)'}{guess}"
