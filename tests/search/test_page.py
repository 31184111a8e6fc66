"""The examples of docs/search.md run, and say what strategies there are."""

import re
from pathlib import Path
from typing import Any

from paretail.search.strategies import DEFAULT_STRATEGY, STRATEGIES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")


def test_the_example_of_a_foreign_space_finds_the_best() -> None:
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "class Layers" in block]
    names: dict[str, Any] = {}
    exec(example, names)
    assert len(names["strategy"].told) == 9
    assert names["best"] == (2, 2, 2)


def test_every_strategy_and_the_default_are_told() -> None:
    assert re.findall(r"^\| `([\w-]+)` \|.*\|$", PAGE.split("## Strategies")[1], re.MULTILINE) == [*STRATEGIES]
    assert "`auto` is this one" in next(
        line for line in PAGE.splitlines() if line.startswith(f"| `{DEFAULT_STRATEGY}`")
    )
