"""Configuration is strict and frozen, and tells every mistake with its place."""

from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator

from paretail.core.config import Config
from paretail.core.errors import ConfigError


class Leaf(Config):
    size: int = Field(1, ge=1)
    name: str | None = None

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str | None) -> str | None:
        if name is not None and not name.islower():
            raise ValueError("a name in lower case")
        return name


class Tree(Config):
    must: str
    leaf: Leaf = Leaf()
    maybe: Leaf | None = None
    leaves: list[Leaf] = Field(default_factory=list)
    named: dict[str, Leaf] = Field(default_factory=dict)


def said(values: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        Tree.parse(values, "shop.toml")
    return [str(problem) for problem in error.value.problems]


def test_what_is_right_is_taken_as_it_is() -> None:
    tree = Tree.parse({"must": "x", "leaf": {"size": 3}, "leaves": [{"size": 2}], "named": {"a": {"name": "b"}}})
    assert (tree.leaf.size, tree.leaves[0].size, tree.named["a"].name) == (3, 2, "b")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"leef": {}}, "shop.toml: leef is not a setting. Expected one of leaf, leaves, maybe, must, named; did you"),
        ({"leaf": {"sise": 1}}, "shop.toml: [leaf] sise is not a setting. Expected one of name, size; did you mean"),
        ({"maybe": {"nam": "x"}}, "shop.toml: [maybe] nam is not a setting. Expected one of name, size"),
        ({"leaves": [{"sice": 1}]}, "shop.toml: [leaves.0] sice is not a setting. Expected one of name, size"),
        ({"named": {"a": {"size": 1, "nme": 1}}}, "shop.toml: [named.a] nme is not a setting. Expected one of name"),
    ],
)
def test_an_unknown_key_names_the_nearest_wherever_it_stands(values: dict[str, Any], place: str) -> None:
    (line,) = said({"must": "x", **values})
    assert line.startswith(place)
    assert line.endswith("(CONF-01)")


def test_types_are_strict_and_every_problem_is_told_at_once() -> None:
    lines = said({"leaf": {"size": "3", "name": "UP"}, "maybe": {"size": 0}})
    assert lines == [
        "shop.toml: must is missing. This setting has no default. Add it. (CONF-02)",
        "shop.toml: [leaf] size = '3'. Expected: Input should be a valid integer. Correct the value. (CONF-03)",
        "shop.toml: [leaf] name = 'UP'. Expected: a name in lower case. Correct the value. (CONF-03)",
        "shop.toml: [maybe] size = 0. Expected: Input should be greater than or equal to 1. Correct the value. "
        "(CONF-03)",
    ]


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Leaf().size = 2  # type: ignore[misc]
