"""The space of graph models: every point once, drawn evenly, legal, and told from every other by its network."""

from collections import Counter
from hashlib import sha256
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.errors import ConfigError
from paretail.retrieve.spec import PRESETS, GraphModelSpec
from paretail.search.fields import DEFAULTS, OPTIONS, rules_of
from paretail.search.space import GraphSpace, checked

SMALL = {
    "message": ("lightgcn", "none", "sage", "gat"), "depth": (1, 2), "dim": (6, 4), "heads": (1, 2, 4),
    "aggregation": ("mean", "max"), "combination": ("mean", "last"), "loss": ("softmax", "margin"),
    "scorer": ("cosine", "dot"), "temperature": (0.1, 0.2), "bias": (True, False),
}  # fmt: skip
WIDE = GraphSpace({**OPTIONS, "attributes": (False, True), "id_dropout": (0.0, 0.1), "edges": ("events", "all")})


def networks(options: dict[str, tuple[object, ...]]) -> set[str]:
    """Return every legal combination by brute force, as what the network reads of it."""
    found = set()
    for values in product(*options.values()):
        point = dict(zip(options, values, strict=True))
        if point["message"] == "none":
            point |= {"depth": 0, "combination": "last"}
        if point["message"] != "sage":
            point["aggregation"] = "mean"
        if point["message"] != "gat":
            point["heads"] = 1
        if point["loss"] == "margin":
            point |= {"temperature": DEFAULTS["temperature"], "bias": False}
        if "pool" in point:
            point |= {"shared": False} if point["negatives_from"] == "hard" else {"pool": DEFAULTS["pool"]}
        try:
            found.add(GraphModelSpec.parse(point).model_dump_json())
        except ConfigError:
            continue
    return found


def test_the_points_are_the_distinct_networks() -> None:
    space = GraphSpace(SMALL)
    legal = networks(SMALL)
    assert space.size == len(legal)
    points = {space.from_tokens(tokens) for tokens in np.ndindex(*space.choices)} - {None}
    assert {space.spec(point).model_dump_json() for point in points if point} == legal
    assert len(points) == len(legal)


def test_draws_are_uniform_over_canonical_forms() -> None:
    space = GraphSpace({name: SMALL[name] for name in ("message", "depth", "heads", "dim", "loss", "temperature")})
    drawn = Counter(space.sample(np.random.default_rng(0), 200 * space.size))
    assert len(drawn) == space.size
    expected = 200.0
    chi2 = sum((count - expected) ** 2 / expected for count in drawn.values())
    assert chi2 < space.size + 4 * np.sqrt(2 * space.size)


@given(st.integers(0, 10_000))
def test_a_point_is_legal_canonical_and_known_by_its_tokens(seed: int) -> None:
    (point,) = WIDE.sample(np.random.default_rng(seed), 1)
    assert WIDE.from_tokens(WIDE.tokens(point)) == point
    assert WIDE.place_of(WIDE.settings(point)) == point
    assert WIDE.place_of(WIDE.spec(point).model_dump()) == point
    matters = WIDE.matters(point)
    tokens = dict(zip(WIDE.fields, WIDE.tokens(point), strict=True))
    assert not [name for name, token in tokens.items() if token and not matters[name]]


@given(st.integers(0, 10_000))
def test_neighbours_are_other_points_one_decision_away(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (point,) = WIDE.sample(rng, 1)
    found = WIDE.neighbours(point, rng, 12)
    assert len(set(found)) == len(found) > 0
    assert point not in found
    for other in found:
        assert WIDE.from_tokens(WIDE.tokens(other)) == other
        before, after = WIDE.settings(point), WIDE.settings(other)
        changed = {name for name in before if before[name] != after[name]}
        moved = [
            name for name in changed if name in WIDE.fields and WIDE.matters(point)[name] and WIDE.matters(other)[name]
        ]
        rules = rules_of(WIDE.options)
        read = {name for field in changed if field in rules for name in rules[field].reads}
        assert len([name for name in moved if not set(rules[name].reads if name in rules else ()) & changed]) == 1
        assert read & changed or len(changed) == 1


def test_all_neighbours_come_back_where_more_are_asked_for() -> None:
    space = GraphSpace({"lr": (3e-3, 1e-2, 1e-3), "dim": (64, 32)})
    assert len(space.neighbours((0, 0), np.random.default_rng(0), 100)) == 3


def test_the_presets_are_points() -> None:
    for name, point in PRESETS.items():
        place = WIDE.place_of(point)
        assert place is not None, name
        assert WIDE.spec(place) == GraphModelSpec.parse(point)


def test_hard_negatives_are_fewer_than_the_pool_that_the_shop_gives() -> None:
    hard = {"message": ("lightgcn",), "loss": ("softmax", "bpr"), "negatives_from": ("hard", "uniform"),
            "pool": (64, 1024), "negatives": (512, 32)}  # fmt: skip
    assert GraphSpace(hard).size == len(networks(hard)) == 2 * (3 + 2)
    alone = GraphSpace({"loss": ("bpr",), "negatives_from": ("hard",), "pool": (1024,), "negatives": (512,)})
    assert alone.spec(alone.sample(np.random.default_rng(0), 1)[0]).pool == 1024
    with pytest.raises(ConfigError, match=r"pool = 64.*SRCH-12"):
        GraphSpace(OPTIONS | {"loss": ("softmax",), "negatives_from": ("hard",), "pool": (64,)})


def test_a_space_of_which_every_point_is_refused_says_so_and_does_not_draw_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = GraphSpace({"dim": (8, 16)})
    monkeypatch.setattr("paretail.search.space._parses", lambda point: False)
    with pytest.raises(ConfigError, match="SRCH-12"):
        space.sample(np.random.default_rng(0), 1)


def test_what_is_drawn_of_the_usual_options_stays_what_it_was() -> None:
    drawn = GraphSpace(OPTIONS).sample(np.random.default_rng(0), 200)
    assert sha256(repr(drawn).encode()).hexdigest()[:16] == "70adaccd4683cd23"


def test_cosines_of_summed_layers_are_those_of_their_mean() -> None:
    both = {"combination": ("sum", "mean", "last"), "scorer": ("dot", "cosine"), "loss": ("bpr", "margin")}
    space = GraphSpace(both)
    assert space.size == 3 * 2 - 1 + 2  # margin wants cosines
    points = {space.from_tokens(tokens) for tokens in np.ndindex(*space.choices)} - {None}
    assert len(points) == space.size
    assert {space.spec(point).combination for point in points if space.spec(point).scorer == "cosine"} == {
        "mean", "last",
    }  # fmt: skip
    summed, mean = (space.place_of({"combination": way, "scorer": "cosine", "loss": "bpr"}) for way in ("sum", "mean"))
    assert summed == mean is not None
    assert all(near != mean for near in space.neighbours(mean, np.random.default_rng(0), 100))
    alone = GraphSpace(both | {"combination": ("sum", "last")})  # where there is no mean, the sum stays
    assert alone.size == 2 * 2 + 2
    assert alone.spec(alone.place_of({"combination": "sum", "loss": "margin", "bias": False})).combination == "sum"


def test_fields_of_neighbours_and_biases_count_where_there_are_any() -> None:
    space = GraphSpace({"sampling": ("auto", "none", "neighbours"), "fan_out": (20, 5, 10)})
    assert space.size == 2 + 3
    assert space.settings(space.from_tokens((0, 2)))["fan_out"] == 20
    assert all(space.spec(point) for point in space.sample(np.random.default_rng(0), 20))
    assert space.from_tokens((2, 2)) == (2, 2)
    assert GraphSpace({"bias": (True, False), "bias_lift": (0.0, 0.3)}).size == 2 + 1
    assert GraphSpace({"fan_out": (5,), "lr": (1e-3, 1e-2)}).settings((0,))["fan_out"] == 5


def test_a_field_that_is_fixed_otherwise_leaves_a_preset_out() -> None:
    assert GraphSpace({"dim": (32,), "lr": (1e-3, 1e-2)}).place_of(PRESETS["lightgcn"]) is None


def test_encodings_tell_points_apart_and_neighbours_are_near() -> None:
    rng = np.random.default_rng(1)
    points = list(dict.fromkeys(WIDE.sample(rng, 200)))
    rows = WIDE.encode(points)
    assert rows.shape == (len(points), len(WIDE.columns))
    assert len(np.unique(rows, axis=0)) == len(points)
    assert np.abs(rows).max() <= 1
    others = WIDE.encode(WIDE.neighbours(points[0], rng, 20))
    near = np.linalg.norm(others - rows[0], axis=1)
    far = np.linalg.norm(rows[1:] - rows[0], axis=1)
    assert np.median(near) < np.median(far)
    assert WIDE.encode([]).shape == (0, len(WIDE.columns))


def test_no_graph_is_one_point_and_not_most_draws() -> None:
    space = GraphSpace({"message": ("lightgcn", "none"), "depth": (1, 2, 3), "combination": ("mean", "last", "concat")})
    assert space.size == 1 + 3 * 3
    drawn = space.sample(np.random.default_rng(0), 4000)
    assert abs(np.mean([space.settings(one)["message"] == "none" for one in drawn]) - 0.1) < 0.02


@pytest.mark.parametrize(
    ("given_", "code", "told"),
    [({"depht": 2}, "SRCH-10", "did you mean 'depth'"), ({"depth": [2, 9]}, "SRCH-11", "less than or equal to 4"),
     ({"dim": "64"}, "SRCH-11", "valid integer"), ({"loss": ["softmx"]}, "SRCH-11", "'softmax'"),
     ({"lr": []}, "SRCH-11", "no option"),
     ({"weights": {"purchase": float("nan")}}, "SRCH-11", "finite"), ({"lr": float("inf")}, "SRCH-11", "finite")],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(given_: dict[str, object], code: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked(given_)
    assert code in str(caught.value)
    assert told in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        checked({"depht": 2, "dim": 0, "lr": -1.0})
    assert len(caught.value.problems) == 3


def test_options_that_never_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"loss = 'margin', scorer = 'dot'.*SRCH-12"):
        GraphSpace({"loss": ("margin",), "scorer": ("dot",), "dim": (32, 64)})


def test_an_encoder_goes_with_content_alone() -> None:
    space = GraphSpace({**SMALL, "content": (False, True), "text_encoder": ("models/any",)})
    drawn = space.sample(np.random.default_rng(0), 20)
    told = {(spec.content, spec.text_encoder) for spec in map(space.spec, drawn)}
    assert told == {(False, None), (True, "models/any")}
