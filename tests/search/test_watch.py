"""Alarms tell what is out of bounds, and nothing where nothing is."""

from paretail.search.watch import LEAST, MOST, sentence, wrong


def test_only_what_is_out_of_bounds_is_wrong() -> None:
    good = {"unique_share": 0.8, "own_new_share": 0.31, "entropy": 0.4, "penalty": 1.0}
    bad = good | {"own_new_share": 0.05, "penalty": 1e3}
    for bounds, names in ((LEAST, ["own_new_share"]), (MOST, ["penalty"])):
        assert wrong(good, bounds) == wrong({}, bounds) == []
        assert wrong(bad, bounds) == names


def test_an_alarm_says_what_was_seen_and_what_is_done() -> None:
    told = sentence({"entropy": 0.01}, ["entropy"], 40)
    assert "after 40 evaluations: entropy 0.01 (bound 0.15); the entropy bonus is raised" in told
    assert "discriminator" not in told
    assert sentence({"penalty": 9.0}, ["penalty"], 40).endswith("; the discriminator half forgets and is trained again")
