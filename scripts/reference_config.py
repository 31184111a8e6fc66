"""The configuration reference: every setting of shop.toml, read from the classes that check it."""

from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any"}
LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "pattern": "matches"}
Model = type[BaseModel]


def sections(root: Model) -> Iterator[str]:
    """Yield a section of Markdown for each table of the file, in the order in which they are met."""
    for model, paths in _tables(root).items():
        names = ", ".join(f"`{path}`" for path in paths)
        yield f"## {names}\n\n{summary(model)}\n\n{settings(model)}\n"


def settings(model: Model, wider: Model | None = None) -> str:
    """Return the table of one class's settings, or of those in which it differs from a class that it extends."""
    if bare := [name for name, field in model.model_fields.items() if not _meaning(field)]:
        raise SystemExit(f"{model.__module__}.{model.__name__}: no description of {', '.join(bare)}")
    rows = [
        f"| `{name}` | {_cell(_type(field))} | {_cell(_default(field))} | {_cell(_meaning(field))} |"
        for name, field in model.model_fields.items()
        if wider is None or name not in wider.model_fields or _default(field) != _default(wider.model_fields[name])
    ]
    if not rows:
        return "None has another default."
    return "\n".join(["| setting | type | default | meaning |", "|---|---|---|---|", *rows])


def _meaning(field: FieldInfo) -> str:
    """Return what a setting is for; one that is a table may leave it to that table's class."""
    return field.description or next(map(summary, _models(field.annotation)), "")


def summary(model: Model) -> str:
    """Return the class's docstring without the name of the table that it begins with."""
    text = " ".join((_family(model).__doc__ or "").split())
    told = text.partition(": ")[2] if text.startswith("`[") else text
    return told[:1].upper() + told[1:]


def _tables(root: Model) -> dict[Model, list[str]]:
    """Return each class under `root` and the TOML tables that it stands for; a generic class counts once."""
    found: dict[Model, list[str]] = {}
    waiting: list[tuple[Model, str, bool]] = [(root, "", False)]
    while waiting:
        model, path, many = waiting.pop(0)
        kept = next((known for known in found if _family(known) == _family(model)), model)
        if path:
            found.setdefault(kept, []).append(f"[[{path}]]" if many else f"[{path}]")
        inner = [
            (nested, ".".join(filter(None, [path, name, "NAME" if _mapped(field) else ""])), _listed(field))
            for name, field in model.model_fields.items()
            for nested in _models(field.annotation)
        ]
        waiting = inner + waiting
    return found


def _family(model: Model) -> Model:
    origin: Model | None = model.__pydantic_generic_metadata__["origin"]
    return origin or model


def _models(annotation: Any) -> Iterator[Model]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)


def _mapped(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is dict


def _listed(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (list, tuple)


def _type(field: FieldInfo) -> str:
    limits = [
        f"{sign} `{getattr(rule, name)}`"
        for rule in field.metadata
        for name, sign in LIMITS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_words(field.annotation), *limits])


def _words(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in WORDS:
        return WORDS[annotation]
    if origin is Annotated:
        return _words(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{_toml(value)}`" for value in arguments)
    if origin in (Union, UnionType):
        return _either(_words(argument) for argument in arguments if argument is not NoneType)
    if origin is dict:
        return f"table of {_words(arguments[1])}"
    if origin in (list, tuple, frozenset):
        return f"list of {_words(arguments[0])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    if isinstance(annotation, TypeVar):
        return "table"
    return getattr(annotation, "__name__", str(annotation))


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "not set"
    return "see its table" if isinstance(value, BaseModel) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    """Return a plain value as TOML spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple | frozenset):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + "}"
    return str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
