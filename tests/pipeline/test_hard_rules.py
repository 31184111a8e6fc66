"""Pins of a slate: only what lists may hold, each item and each rank once; what cannot be is told."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest

from paretail.data.shelf import Shelf
from paretail.data.types import Candidates
from paretail.pipeline.hard_rules import hard, with_pins
from paretail.pipeline.live.bodies.slates import Pin, SlateRules
from paretail.policy.explore import draw
from paretail.policy.objectives import objective
from paretail.policy.slate import compose

from ..policy.pools import pool

GOALS = {"clicks": objective("clicks"), "diversity": objective("diversity")}
WEIGHTS = {"clicks": 1.0, "diversity": 0.5}


@dataclass
class Numbered:
    """A shelf whose items are called by their rows; nothing is in row 99."""

    def row(self, item_id: str) -> int:
        return -1 if item_id == "99" else int(item_id)


SHELF = cast("Shelf", Numbered())


@pytest.mark.parametrize(("pins", "held", "broken"), [
    ([("3", 2), ("3", 4)], {1: 3}, ["3 at 4"]),
    ([("3", 2), ("5", 2), ("5", 1)], {1: 3, 0: 5}, ["5 at 2"]),
    ([("99", 2), ("5", 2)], {1: 5}, ["99 at 2"]),
    ([("3", 2), ("3", 2)], {1: 3}, []),
])  # fmt: skip
def test_of_pins_that_cannot_hold_together_the_first_does_and_the_others_are_told(
    pins: list[tuple[str, int]], held: dict[int, int], broken: list[str]
) -> None:
    found = pool(users=4)
    rules = hard(SlateRules(pins=[Pin(*pin) for pin in pins]), SHELF, found)
    drawn = draw(found, GOALS, WEIGHTS, 4, 0.1, np.random.default_rng(1), rules).places
    for places in (compose(found, GOALS, WEIGHTS, 4, rules), drawn):
        items = found.items(places)
        assert all(len(set(row)) == 4 for row in items.tolist())
        assert {slot: set(items[:, slot].tolist()) for slot in held} == {slot: {item} for slot, item in held.items()}
        assert rules.broken(places) == [broken] * 4


def test_pins_bring_only_what_lists_may_hold() -> None:
    lists = Candidates(np.array([[0, 1], [2, -1]], np.int32), np.ones((2, 2), np.float32))
    allowed = np.array([True, True, True, False, True])
    found = with_pins(lists, np.array([4, 3, -1, 1], np.int32), allowed)
    assert found.item_idx.tolist() == [[0, 1, -1, 4], [2, -1, 1, 4]]
    assert (np.isneginf(found.scores[:, 2:]) == (found.item_idx[:, 2:] < 0)).all()
