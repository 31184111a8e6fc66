"""Every family is reached by some shop, builds there, and says something finite of each item."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from paretail.core.clock import DAY_MS
from paretail.data.held import Mode
from paretail.data.kinds import FRIEND, PRODUCT
from paretail.data.types import History
from paretail.retrieve.signals import FAMILIES, Setting, build, family, has_baskets, signals_of
from paretail.retrieve.signals.ground import Ground
from paretail.retrieve.signals.nearness import MINUTE_MS
from paretail.retrieve.signals.profiles import PROFILES, Scene, profile

from ..histories import START_MS, copy_of, ground_of, history_of, random_history

ITEMS = 12
MODES: tuple[Mode, ...] = ("none", "target", "all")
MARKS = np.random.default_rng(0).random((ITEMS, 5)) < 0.4


def orders(rng: np.random.Generator) -> History:
    """Draw orders of three lines."""
    did = [[("purchase", int(item), day) for day in range(4) for item in rng.choice(ITEMS, 3, replace=False)]
           for _ in range(20)]  # fmt: skip
    return history_of(did, kinds=("purchase",))


@cache
def shop(name: str) -> Ground:
    rng = np.random.default_rng(1)
    history = {
        "funnel": lambda: random_history(rng, 20, ITEMS, 15),
        "purchases": lambda: random_history(rng, 20, ITEMS, 15, kinds=("purchase",)),
        "orders": lambda: orders(rng),
        "sequence": lambda: random_history(rng, 20, ITEMS, 15, "order"),
        "sets": lambda: random_history(rng, 20, ITEMS, 15, "none"),
        "single set": lambda: random_history(rng, 20, ITEMS, 15, "none", ("purchase",)),
    }[name]()
    return ground_of(history, ITEMS, attributes=MARKS if name in {"funnel", "orders"} else None)


@cache
def of_people() -> Ground:
    """Twelve people, whom they know and what they had."""
    rng = np.random.default_rng(2)
    known = [[("friend", int(other), 0.0) for other in rng.choice(ITEMS, 4, replace=False)] for _ in range(ITEMS)]
    history = history_of(known, "none", kinds=("friend",))
    products = sparse.csr_array((rng.random((ITEMS, 8)) < 0.5).astype(np.float32))
    return ground_of(replace(history, about={PRODUCT: products}), ITEMS, FRIEND, {FRIEND: 1.0})


@cache
def with_friends() -> Ground:
    history = random_history(np.random.default_rng(1), 20, ITEMS, 15)
    links = sparse.csr_array((np.random.default_rng(3).random((20, 20)) < 0.3).astype(np.float32))
    return ground_of(replace(history, about={"user": links}), ITEMS)


SHOPS = ("funnel", "purchases", "orders", "sequence", "sets", "single set")
SETTINGS = [(name, mode) for name in SHOPS for mode in MODES]


@cache
def articles() -> Ground:
    """One item a day, which everybody takes on that day."""
    return ground_of(history_of([[("purchase", day, day) for day in range(ITEMS)] for _ in range(20)]), ITEMS)


MORE = {"people": of_people, "articles": articles, "friends": with_friends}
GROUNDS = {
    **{(name, mode): shop(name) for name, mode in SETTINGS},
    **{(name, "all"): of() for name, of in MORE.items()},
}
REACHED = {matrix: key for key, ground in GROUNDS.items() for matrix in signals_of(Setting.of(ground, key[1]))}


def test_every_family_is_reached() -> None:
    assert set(REACHED) == set(FAMILIES) | {"own cart rate", "own view rate"}


@pytest.mark.parametrize("matrix", sorted(REACHED))
def test_every_signal_of_a_family_scores_every_item(matrix: str) -> None:
    mode, ground = REACHED[matrix][1], GROUNDS[REACHED[matrix]]
    before = copy_of(ground.history)
    fitted = build(ground, {matrix: ()})[matrix]
    for chosen in signals_of(Setting.of(ground, mode))[matrix]:
        scores = fitted.apply(profile(chosen)(ground.history, ground.scene))
        assert scores.shape == (ground.history.users, ITEMS)
        assert np.isfinite(scores).all()
        assert (scores >= 0).all()
        assert scores.any()
    assert copy_of(ground.history) == before


@pytest.mark.parametrize(("name", "mode"), SETTINGS)
def test_signals_follow_from_what_the_events_tell(name: str, mode: Mode) -> None:
    ground = shop(name)
    found = signals_of(Setting.of(ground, mode))
    timed = {"co recent", "pop 7d", "pop 30d"}
    clocked = {"near 2m", "near 10m", "near 1h", "near 1d", "before 1d", "pop day"}
    assert timed <= set(found) if ground.timed else not timed & set(found)
    assert clocked <= set(found) if name in {"funnel", "purchases"} else not clocked & set(found)
    assert ("after 1" in found) == (name in {"funnel", "purchases", "sequence"})
    assert ("basket" in found) == (name == "orders")
    assert ("alike" in found) == (ground.attributes is not None)
    assert ("co all" in found) == ("regress" in found) == (len(ground.kinds) > 1)
    assert ("own" in found) == (mode == "none" or (mode == "target" and len(ground.kinds) > 1))
    assert ("ridge" in found) == ("co soft" in found) == (len(ground.kinds) == 1)
    assert ("plateau" in found) == (name == "single set")
    assert {"co target", "low pass", "pop target"} <= set(found)


def test_what_setting_a_shop_has() -> None:
    funnel = Setting.of(shop("funnel"), "target")
    assert funnel == Setting(("purchase", "cart", "view"), True, True, False, True, "target")
    assert funnel.main == ("short", "all")
    assert funnel.by_kind == ("kind purchase", "kind cart", "kind view")
    lines = Setting.of(shop("orders"), "none")
    assert (lines.several, lines.in_order, lines.clocked, lines.main, lines.by_kind) == (False,) * 3 + (("all",), ())


def test_orders_are_known_by_lines_that_share_a_moment() -> None:
    """Three of ten purchases are not above 30 %, four of ten are; views do not count, nor do other users' purchases."""
    alone = [("purchase", item, item) for item in range(10)]
    for together, baskets in ((2, False), (3, False), (4, True)):
        lines = [("purchase", item, 0 if item < together else item) for item in range(10)]
        assert has_baskets(ground_of(history_of([lines]), 10)) == baskets
    assert not has_baskets(ground_of(history_of([alone, alone]), 10))
    assert not has_baskets(ground_of(history_of([[("view", item, 0) for item in range(9)] + alone]), 10))
    assert not has_baskets(ground_of(history_of([[("view", 0, 0)]]), 10))
    assert not has_baskets(ground_of(history_of([lines], "order"), 10))


def test_every_matrix_and_profile_stands_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models" / "blend.md").read_text(encoding="utf-8")
    assert not [
        name for name in (*FAMILIES, *PROFILES, "own KIND rate", "kind KIND", "age DAYS") if f"`{name}`" not in page
    ]


def test_an_unknown_family() -> None:
    with pytest.raises(KeyError):
        family("unknown")


def test_the_windows_and_steps_that_names_tell() -> None:
    """`near 10m` forgets e^-1 in ten minutes, `near 1d` in a day, `after 3` in three events; `pop 7d` in a week."""
    minutes = history_of([[("view", 0, 0), ("view", 1, 10)], [("view", 0, 0), ("view", 2, 0)]], unit_ms=MINUTE_MS)
    days = history_of([[("view", 0, 0), ("view", 1, 1)], [("view", 0, 0), ("view", 2, 0)]])
    weeks = history_of([[("purchase", 0, 0)], [("purchase", 1, 7)]])
    for name, history in (("near 10m", minutes), ("near 1d", days)):
        scores = build(ground_of(history, 3), {name: ()})[name].apply(profile("kind view")(history, scene(history)))
        first, second = scores[0, 1] * weight(1 / np.e), scores[0, 2] * weight(1.0)
        assert first == pytest.approx(second / np.e, rel=1e-5)
    fresh = build(ground_of(weeks, 2), {"pop 7d": ()})["pop 7d"].apply(profile("anyone")(weeks, scene(weeks)))
    assert fresh[0] == pytest.approx([np.exp(-1), 1])


def weight(total: float) -> float:
    """Undo the column norm of an item whose weights sum to `total`."""
    return float(total**0.3)


def scene(history: History) -> Scene:
    return Scene(3, {"view": 1.0, "purchase": 1.0}, int(history.ts_ms.max()), START_MS // DAY_MS, 8)
