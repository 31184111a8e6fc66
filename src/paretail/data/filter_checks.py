"""Checks of filters against the fields there are: names (FILT-02) and types (FILT-03)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Final

from paretail.core.errors import Problem, nearest
from paretail.data.conditions import Columns, Field, Kind, Known, Leaf, Node, Within, leaves
from paretail.data.filter_errors import CORRECT, problem

#: How many faults of one expression, and names of fields, are told.
MOST_TOLD: Final = 10
MOST_NAMES: Final = 20

#: Kind of a field -> what it is, the kinds of value that it can be compared with, and how.
TYPES: Final[Mapping[Kind, tuple[str, tuple[str, ...], str]]] = {
    "text": ("a text", ("text",), 'A text in quotes, such as = "red" or in ["red", "blue"]'),
    "list": ("a list of texts", ("text",), 'A text in quotes, such as = "red" or in ["red", "blue"]'),
    "number": ("a number", ("number",), "A number, such as < 20 or between 10 and 20"),
    "flag": ("true or false", ("flag",), "= true or = false"),
    "time": (
        "a moment",
        ("number", "text"),
        'Seconds since 1970, or a date such as "2024-06-01" or "2024-06-01T12:30"',
    ),
    "other": ("neither text, number nor flag", (), "`is null` or `is not null`"),
}


def check(condition: Node, text: str, columns: Columns) -> list[Problem]:
    """Return what is wrong with the fields and types of a condition, MOST_TOLD faults at most."""
    own, attributes = columns.kinds()
    unknown: set[str] = set()
    found: list[Problem] = []
    for leaf in leaves(condition):
        asked = leaf.field
        kind = attributes.get(asked.name) if asked.own else own.get(asked.name, attributes.get(asked.name))
        if kind is not None:
            found += [problem("FILT-03", (text, at, what), do, CORRECT) for at, what, do in _mistyped(leaf, kind)]
        elif str(asked) not in unknown:
            unknown.add(str(asked))
            found.append(_unknown(asked, text, attributes if asked.own else [*own, *attributes]))
        if len(found) >= MOST_TOLD:
            break
    return found[:MOST_TOLD]


def moment_ms(told: str) -> int | None:
    """Return an ISO date or time (UTC unless it says otherwise) in milliseconds since 1970; None if it is not one."""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def _unknown(asked: Field, text: str, names: Iterable[str]) -> Problem:
    """Say that there is no such field, and which there are: at most MOST_NAMES, those that resemble it most."""
    name, there = asked.name[:100], sorted(set(names))
    alike = next((other for other in there if other.lower() == name.lower()), name)
    close = get_close_matches(alike, there, MOST_NAMES, 0.0)
    expected = f"Expected {nearest(alike, close)}"
    return problem("FILT-02", (text, asked.at, f"there is no field {asked}"), expected, "Correct the name")


def _mistyped(leaf: Leaf, kind: Kind) -> Iterator[tuple[int, str, str]]:
    """Return where a comparison has a value of another type: the place, what is wrong, what is expected."""
    what, allowed, expected = TYPES[kind]
    if isinstance(leaf, Within) and kind in ("text", "list", "flag"):
        yield leaf.field.at, f"{leaf.field} is {what}, which has no order", expected
        return
    if kind == "other" and not isinstance(leaf, Known):
        yield leaf.field.at, f"{leaf.field} is {what}", expected
        return
    for value in leaf.values:
        no_moment = kind == "time" and isinstance(value.value, str) and moment_ms(value.value) is None
        if value.kind not in allowed or no_moment:
            yield value.at, f"{leaf.field} is {what}, but {value} is not", expected
