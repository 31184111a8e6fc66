"""Alarms tell what is out of bounds, and nothing where nothing is."""

from paretail.search.watch import sentence, wrong


def test_only_what_is_out_of_bounds_is_wrong() -> None:
    good = {"unique_share": 0.8, "new_share": 0.31, "entropy": 0.4, "penalty": 1.0}
    assert wrong(good) == wrong({}) == []
    assert wrong(good | {"new_share": 0.05, "penalty": 1e3}) == ["new_share", "penalty"]


def test_an_alarm_says_what_was_seen_and_what_is_done() -> None:
    told = sentence({"entropy": 0.01}, ["entropy"], 40)
    assert "after 40 evaluations: entropy 0.01 (bound 0.15)" in told
    assert "doubled" in told
