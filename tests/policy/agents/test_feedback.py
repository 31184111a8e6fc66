"""Clicks are found wherever an observation tells them, and nowhere else."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")
spaces = pytest.importorskip("gymnasium").spaces

from paretail.policy.agents.feedback import Probe, find  # noqa: E402
from paretail.policy.agents.spaces import Reader, leaves_of  # noqa: E402

ITEMS, STEPS = 100, 400
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(ITEMS, 6)).astype(np.float32)
Look = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def bits(before: np.ndarray, shown: np.ndarray, clicked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([RNG.normal(size=3), np.stack([RNG.integers(2, size=len(rows)), clicked], 1).ravel()])


def by_item(before: np.ndarray, shown: np.ndarray, clicked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    now = before.copy()
    now[rows] += 1
    now[ITEMS + rows] += clicked
    return now


def clicked_rows(before: np.ndarray, shown: np.ndarray, clicked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(clicked > 0, rows, -1)


def profile(before: np.ndarray, shown: np.ndarray, clicked: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return before + clicked[0] * VECTORS[rows[0]]


CASES = [
    (bits, spaces.Box(-9, 9, (9,)), 3, "columns"),
    (by_item, spaces.Box(0, 500, (2, ITEMS)), 3, "by item"),
    (clicked_rows, spaces.Box(-1, ITEMS - 1, (3,), np.int64), 3, "rows"),
    (profile, spaces.Box(-99, 99, (6,)), 1, "vector"),
]


@pytest.mark.parametrize(("look", "space", "slots", "kind"), CASES, ids=[case[3] for case in CASES])
def test_clicks_are_found(look: Look, space: object, slots: int, kind: str) -> None:
    probe, clicks = _probe(look, space, slots)
    reading, goes = find(probe, leaves_of(space, ITEMS), VECTORS)
    assert reading is not None
    assert reading.kind == kind
    assert goes > 0.9
    assert (reading(probe.before, probe.after, probe.rows, VECTORS) == clicks).mean() > 0.99


def test_a_bit_a_slot_tells_of_clicks_also_where_few_of_them_pay() -> None:
    def seen(before: np.ndarray, shown: np.ndarray, clicked: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.concatenate([clicked, RNG.integers(2, size=6)])

    one, parts = spaces.Box(0, 1, (9,)), (spaces.MultiBinary(3), spaces.Box(0, 1, (6,)))
    probe, clicks = _probe(seen, one, 3)
    paid = Probe(probe.before, probe.after, probe.rows, 20 * (clicks * (RNG.random(clicks.shape) < 0.08)).sum(1))
    reading, goes = find(paid, leaves_of(spaces.Tuple(parts), ITEMS), VECTORS)
    assert reading is not None
    assert 0.1 < goes < 0.3
    assert (reading(paid.before, paid.after, paid.rows, VECTORS) == clicks).all()
    assert find(paid, leaves_of(one, ITEMS), VECTORS)[0] is None
    against = Probe(paid.before, paid.after, paid.rows, -paid.reward)
    assert find(against, leaves_of(spaces.Tuple(parts), ITEMS), VECTORS)[0] is None
    alone = Probe(paid.before[:, :1], paid.after[:, :1], paid.rows[:, :1], np.roll(paid.reward, 7))
    assert find(alone, leaves_of(spaces.MultiBinary(1), ITEMS), VECTORS)[0] is None


def test_where_nothing_tells_of_clicks_nothing_is_read() -> None:
    space = spaces.Box(-9, 9, (9,))
    probe, _ = _probe(lambda before, shown, clicked, rows: RNG.integers(2, size=9).astype(float), space, 3)
    assert find(probe, leaves_of(space, ITEMS), VECTORS)[0] is None
    flat = Probe(probe.before, probe.after, probe.rows, np.ones(STEPS))
    assert find(flat, leaves_of(space, ITEMS), VECTORS) == (None, 0.0)


def test_networks_see_flags_and_projections_and_no_row_numbers() -> None:
    space = spaces.Dict(
        {
            "rows": spaces.MultiDiscrete([ITEMS + 1] * 3),
            "kind": spaces.Discrete(4),
            "count": spaces.Box(0, 9, (ITEMS,)),
            "both": spaces.Box(0, 9, (ITEMS, 2)),
            "size": spaces.Box(0, 9, (2,)),
        }
    )
    reader = Reader(space, VECTORS)
    seen = {"rows": [1, 2, 3], "kind": 2, "count": np.eye(ITEMS)[5], "both": np.zeros((ITEMS, 2)), "size": [4.0, 5.0]}
    seen["both"][7, 1] = 2  # type: ignore[index]
    found = reader.features(reader.raw(seen, 1))[0]
    want = [np.zeros(6), 2 * VECTORS[7], VECTORS[5], np.eye(4)[2], [4.0, 5.0]]
    assert found.tolist() == pytest.approx(np.concatenate(want).tolist())
    assert reader.width == len(found)


def _probe(look: Look, space: object, slots: int) -> tuple[Probe, np.ndarray]:
    """Return steps of random slates; every item has its own chance of a click, and a click pays about 1."""
    reader, now = Reader(space, VECTORS), np.zeros(space.shape).ravel()
    like, parts = RNG.random(ITEMS), []
    for _ in range(STEPS):
        rows = RNG.choice(ITEMS, slots, replace=False)
        clicked = (RNG.random(slots) < like[rows]).astype(float)
        after = look(now, now, clicked, rows)
        parts.append((now, after, rows, clicked, clicked.sum() + 0.1 * RNG.normal()))
        now = after
    before, after, rows, clicked, reward = (np.stack(part) for part in zip(*parts, strict=True))
    shaped = (reader.raw(part.reshape(STEPS, *space.shape), STEPS) for part in (before, after))
    return Probe(*shaped, rows, reward), clicked
