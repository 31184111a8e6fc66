"""`paretail pareto`: the front is one, today is told, and what a point's line asks for brings what was told."""

import json
from pathlib import Path

import numpy as np
import pytest

from paretail.moo import pareto
from paretail.pipeline.pareto import Front, measure
from paretail.pipeline.pareto_page import page
from paretail.pipeline.recommender import Recommender
from paretail.policy.goals import parse

from ..trained import DemoShop, paretail

pytest.importorskip("torch")
GOALS = ("clicks", "diversity")


@pytest.fixture(scope="module")
def loaded(shop: DemoShop) -> Recommender:
    return Recommender.load(shop.bundle)


@pytest.fixture(scope="module")
def front(loaded: Recommender) -> Front:
    return measure(loaded, GOALS, 6)


def test_the_front_is_what_nothing_beats(front: Front) -> None:
    values = np.array([[point.values[goal] for goal in GOALS] for point in front.points])
    np.testing.assert_array_equal([point.is_front for point in front.points], pareto.front(values))
    assert 0 < front.volume <= 1
    beating = ((values >= [front.today[goal] for goal in GOALS]).all(1)).sum()
    assert front.better_than_today <= beating


def test_a_suggestion_is_on_the_front_and_keeps_its_word(front: Front) -> None:
    assert all(point.is_front for point in front.suggestions.values())
    for goal, other in (GOALS, GOALS[::-1]):
        found = front.suggestions.get(f"most {goal}, no other below today")
        if found is not None:
            assert found.values[other] >= front.today[other] - 1e-9
            assert found.values[goal] > front.today[goal]


def test_asking_for_a_point_brings_it(front: Front, loaded: Recommender) -> None:
    dials = loaded.steering.dials("everybody", 6)
    point = front.suggestions["balanced"]
    expected = dials.setting(parse(point.line)).expected
    for goal in GOALS:
        low, high = dials.ends(goal)
        assert expected[goal] == pytest.approx(point.values[goal], abs=0.05 * (high - low))


def test_the_verb_writes_pages_and_pictures(shop: DemoShop, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "front"
    asked = ("--goals", "clicks, diversity,coverage", "-k", 6, "--out", out, "--png")
    done = paretail("pareto", "--bundle", shop.bundle, *asked)
    assert done.code == 0, done.err
    assert "balanced" in done.out
    told = json.loads((out / "pareto.json").read_text())
    assert told["goals"] == ["clicks", "diversity", "coverage"]
    assert (out / "pareto.png").read_bytes().startswith(b"\x89PNG")
    html = (out / "pareto.html").read_text()
    assert html.count("<svg") == 3
    assert "http" not in html


@pytest.mark.parametrize("method", ["nsga2", "nsga3", "moead"])
def test_evolution_over_settings_is_the_yardstick(
    front: Front, loaded: Recommender, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pymoo")
    monkeypatch.setattr("paretail.pipeline.pareto.TIMES", 1)
    told = measure(loaded, GOALS, 6, method)
    assert told.volume == pytest.approx(front.volume)
    assert told.yardstick is not None
    assert told.yardstick["method"] == method
    assert told.yardstick["weightings"] == 91  # of clicks, diversity and the rest of the base
    assert 0.5 * told.volume < told.yardstick["volume"] < 1.1 * told.volume


def test_the_page_escapes_what_a_shop_calls_things(front: Front) -> None:
    assert "<script>" not in page(Front(**{**vars(front), "version": "<script>"}))


@pytest.mark.parametrize(("more", "code"), [
    (("--goals", "clicks"), "POL-09"), (("--goals", "clicks,clicks"), "POL-09"),
    (("--goals", "clicks,likes"), "POL-01"),
    (("--yardstick", "luck"), "POL-09"), (("--png",), "CLI-27"),
])  # fmt: skip
def test_what_cannot_be_measured_is_refused(shop: DemoShop, more: tuple[str, ...], code: str) -> None:
    if "--yardstick" in more:
        pytest.importorskip("pymoo")
    done = paretail("pareto", "--bundle", shop.bundle, *more)
    assert done.code != 0
    assert code in done.err
