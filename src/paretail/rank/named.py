"""Named: from a name that `[rank]` says to a class: an entry of a table, or `their_module:TheirClass`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from paretail.core.errors import ConfigError, Problem, nearest

Class = TypeVar("Class", bound=type[Any])


def named(what: str, name: str, table: Mapping[str, Class], base: Class) -> Class:
    """Return the subclass of `base` called `name`; `what` is the kind of thing, for the message.

    Raises ConfigError (RANK-01) for a name that leads to none.
    """
    found = table.get(name) or _imported(name)
    if isinstance(found, type) and issubclass(found, base):
        return found  # type: ignore[return-value]  # a subclass of the base is what was asked for
    own = f"or a subclass of {base.__name__} as their_module:Their{base.__name__}"
    expected = f"Expected {nearest(name, table)}, {own}"
    raise ConfigError(Problem("RANK-01", f"the {what} {name!r} is not there", expected, "Correct its name"))


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError, ValueError):
        return None
