"""Goals as they are asked: lines and JSON are read alike, and what cannot be is refused with what is expected."""

import pytest

from paretail.policy import PolicyError
from paretail.policy.goals import Bound, Goals, parse, read, resolved


@pytest.mark.parametrize(("line", "told"), [
    ("revenue=0.7,diversity=.3", {"dial": {"revenue": 0.7, "diversity": 0.3}}),
    ("clicks=1", {"dial": {"clicks": 1}}),
    ("maximise=diversity, revenue>=-2%", {"maximise": "diversity", "keep": {"revenue": ">= -2%"}}),
    ("preset=spring", {"preset": "spring"}),
    ("column.rating=0.5", {"dial": {"column.rating": 0.5}}),
])  # fmt: skip
def test_lines_say_what_json_says(line: str, told: dict[str, object]) -> None:
    assert parse(line) == read(told)


UNREADABLE = ("", "revenue", "revenue=", "revenue=much", "revenue>=x", "=0.5", "revenue=1.2", "clicks=-0.1",
              "maximise=clicks,revenue=0.5", "revenue>=-2%", "preset=a,clicks=1", "clicks=nan")  # fmt: skip


@pytest.mark.parametrize("line", UNREADABLE)
def test_what_cannot_be_read_is_refused(line: str) -> None:
    with pytest.raises(PolicyError, match="POL-03"):
        parse(line)


@pytest.mark.parametrize("line", [
    "revenue=0.5,revenue=0.2", "maximise=clicks,maximise=revenue", "preset=a,preset=b",
    "maximise=clicks,revenue>=-2%,revenue>=-5%", "revenue=0.5, revenue=0.5",
])  # fmt: skip
def test_what_is_told_twice_is_refused(line: str) -> None:
    with pytest.raises(PolicyError, match=r"tell \w+ twice.*POL-03"):
        parse(line)


@pytest.mark.parametrize("told", [{}, {"dial": {}}, {"dial": {"clicks": True}}, {"dial": 3}, {"dials": {"clicks": 1}},
                                  {"maximise": "clicks", "keep": {"revenue": "-2%"}}])  # fmt: skip
def test_json_that_cannot_be_read_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="POL-03"):
        read(told)


def test_bounds_are_relative_to_today_or_in_the_goal_s_unit() -> None:
    assert Bound.parse(">= -2%").of(50.0) == pytest.approx(49.0)
    assert Bound.parse(">= -10%").of(-2.0) == pytest.approx(-2.2)
    assert Bound.parse(">=0.3").of(50.0) == 0.3


def test_bounds_are_told_again_in_another_unit() -> None:
    assert Bound.parse(Bound.parse(">= 0.35").text(100.0)).least == pytest.approx(35.0)
    assert Bound.parse(Bound.parse(">= -2.5%").text(100.0)) == Bound.parse(">= -2.5%")


def test_presets_are_followed_once() -> None:
    spring = Goals(dial={"clicks": 0.5})
    presets = {"spring": spring, "easter": Goals(preset="spring"), "loop": Goals(preset="loop")}
    assert resolved(Goals(preset="easter"), presets) == spring
    with pytest.raises(PolicyError, match=r"'sprong'.*spring"):
        resolved(Goals(preset="sprong"), presets)
    with pytest.raises(PolicyError, match="POL-04"):
        resolved(Goals(preset="loop"), presets)
