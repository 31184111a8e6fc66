"""The base of every configuration class: frozen, strict, and clear about unknown keys."""

import re
from difflib import get_close_matches
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from paretail.core.errors import ConfigError, Problem, nearest

_WORD: Final = re.compile(r"'([^']*)'")


class Config(BaseModel):
    """A frozen, typed piece of configuration; an unknown key is an error that names the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    def usual(cls, name: str | None) -> Any:
        """Return the default of a field, for validators of what was set beside it."""
        return cls.model_fields[str(name)].get_default(call_default_factory=True)

    @classmethod
    def parse(cls, values: dict[str, Any], where: str = "shop.toml") -> Self:
        """Build the configuration from plain TOML values, or raise ConfigError with every problem found."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError([_problem(cls, detail, where) for detail in error.errors()]) from None


def _problem(cls: type[BaseModel], detail: Any, where: str) -> Problem:
    path = [str(part) for part in detail["loc"]]
    place = f"{where}: [{'.'.join(path[:-1])}] {path[-1]}" if len(path) > 1 else ": ".join([where, *path])
    if detail["type"] == "extra_forbidden":
        return Problem(
            "CONF-01", f"{place} is not a setting", f"Expected {nearest(path[-1], _keys(cls, path[:-1]))}",
            "Rename or remove it",
        )  # fmt: skip
    if detail["type"] == "missing":
        return Problem("CONF-02", f"{place} is missing", "This setting has no default", "Add it")
    value, expected = detail["input"], f"Expected: {detail['msg'].removeprefix('Value error, ')}"
    if detail["type"] == "value_error" and isinstance(value, dict):  # of a class, not of one of its fields
        return Problem("CONF-03", f"{place}: settings that do not go together", expected, "Change one of them")
    if detail["type"] == "literal_error" and isinstance(value, str):
        close = get_close_matches(value, _WORD.findall(detail["ctx"]["expected"]), n=1, cutoff=0.5)
        expected += f"; did you mean {close[0]!r}?" if close else ""
    return Problem("CONF-03", f"{place} = {value!r}", expected, "Correct the value")


def _keys(cls: type[BaseModel], path: list[str]) -> list[str]:
    """Return the legal keys of the nested model at `path`, walking through optional and mapped models."""
    model: Any = cls
    for part in path:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            continue  # a key of a mapping or the index of a list: its model is known already
        model = _model_in(field.annotation)
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _model_in(argument)) is not None:
            return found
    return None
