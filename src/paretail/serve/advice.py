"""Advice: what was expected in place of a field or word that nobody knows, from the types of the bodies.

The decoder tells in one sentence what it found and where. A sentence of another form gets the advice that always holds.
"""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from msgspec import inspect

from paretail.core.errors import nearest

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`(?: - at `\$(?P<path>[^`]*)`)?")
_WORD = re.compile(r"Invalid enum value '(?P<name>[^']*)' - at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
_NO_OBJECT = re.compile(r"Expected `object`, got `\w+`")
_NO_ROWS = re.compile(r"Object missing required field `\w+`")
#: Longer names are like none of ours, and take long to compare.
_LONGEST_NAME = 100


class Advice(NamedTuple):
    """What was expected, and what to do."""

    expected: str
    do: str


@lru_cache(256)  # rows with one fault mostly all have it
def advice(told: str, kind: type) -> Advice | None:
    """Return advice on what the decoder of `kind` told, None where nothing better is known than the page /docs."""
    if (found := _UNKNOWN.fullmatch(told)) and isinstance(place := _at(kind, found["path"] or ""), inspect.StructType):
        return _on_field(found["name"], [field.encode_name for field in place.fields])
    if (found := _WORD.fullmatch(told)) and isinstance(place := _at(kind, found["path"]), inspect.LiteralType):
        words = [str(value) for value in place.values]
        return Advice(f"Expected {nearest(found['name'][:_LONGEST_NAME], words)}", "Correct the word")
    return None


def batch_advice(told: str, field: str, row: type) -> Advice | None:
    """Return advice on a body that is one row, or a bare list of rows, where a batch was expected."""
    unknown = _UNKNOWN.fullmatch(told)
    is_row = unknown and not unknown["path"] and unknown["name"] in row.__struct_fields__  # type: ignore[attr-defined]
    if not (is_row or _NO_OBJECT.fullmatch(told) or _NO_ROWS.fullmatch(told)):
        return None
    wanted = f'{{"{field}": [...]}}'
    return Advice(f"A batch: {wanted}", f"Put {'it' if is_row else 'the rows'} into {wanted}")


def _on_field(name: str, fields: list[str]) -> Advice:
    do = "Correct the name"
    if "attributes" in fields:
        do += ", or put it under `attributes`: the shop's own columns belong there"
    return Advice(f"Expected {nearest(name[:_LONGEST_NAME], fields)}", do)


def _at(kind: type, path: str) -> inspect.Type | None:
    """Return the type at a path such as `.lists[0].placement`, None where there is none."""
    place: inspect.Type | None = _type(kind)
    for step in _STEP.finditer(path):
        place = _below(place, step[1])
    return place


def _below(place: inspect.Type | None, name: str | None) -> inspect.Type | None:
    if name is None:
        return _plain(place.item_type) if isinstance(place, inspect.ListType) else None
    fields = place.fields if isinstance(place, inspect.StructType) else ()
    return next((_plain(field.type) for field in fields if field.encode_name == name), None)


def _plain(kind: inspect.Type) -> inspect.Type:
    """Return a type without what is said about it and, where there is one other, without null."""
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        others = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return _plain(others[0]) if len(others) == 1 else kind
    return kind


@cache
def _type(kind: type) -> inspect.Type:
    return inspect.type_info(kind)
