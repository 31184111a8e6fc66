"""Plain values: what JSON can hold of what was measured."""

from collections.abc import Mapping
from math import isfinite
from typing import Any


def plain(values: Any) -> Any:
    """Return values with None in the place of what is no number, tuples as lists."""
    if isinstance(values, Mapping):
        return {name: plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [plain(value) for value in values]
    return None if isinstance(values, float) and not isfinite(values) else values
