"""The sequence model learns what follows what, whatever it must do without; it goes on from checkpoints and bundles."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError
from paretail.core.progress import silent
from paretail.data.types import Catalogue, Events
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.fitting import FitContext, WarmStart, fit
from paretail.retrieve.models.sequence import Sequence, SequenceConfig
from paretail.retrieve.sequences import choosing
from paretail.retrieve.sequences.sizes import SIZES
from paretail.retrieve.sequences.start import random, spectral
from paretail.retrieve.tune import Trial
from paretail.sim.planted import Planted, planted, planted_sequence

pytest.importorskip("torch")
#: Settings that suit 60 items.
SMALL: dict[str, Any] = {"dim": 32, "layers": 1, "batch_size": 256, "dropout": 0.2, "epochs": 15, "negatives": None}


@cache
def world() -> Planted:
    return planted_sequence(400, 60, 12)[0]


@cache
def graph() -> ShopGraph:
    shop = world().shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def fitted(**settings: Any) -> Sequence:
    return Sequence.fit(graph(), SequenceConfig(**SMALL | settings), 0)


@cache
def plain() -> Sequence:
    return fitted()


def share(model: Sequence) -> float:
    return world().oracle_share(model.score(graph().history))


def test_learns_what_follows_what() -> None:
    assert share(plain()) >= 0.93


@pytest.mark.parametrize(
    "settings",
    [
        {"negatives": 30},
        {"start": "random"},
        {"temperature": 0.5},
        {"size": "0.3M", "dim": None, "layers": None},
        {"bias_start": 0.0, "attributes": False, "gaps": False},
        {"length": 3, "weight_decay": 0.01},
    ],
    ids=str,
)
def test_every_option_learns(settings: dict[str, Any]) -> None:
    assert share(fitted(**settings)) >= 0.90


@pytest.mark.parametrize("begin", ["spectral", "random"])
def test_item_vectors_start_where_they_are_told_to(begin: str) -> None:
    """A training that hardly moves leaves them there."""
    made = fitted(start=begin, attributes=False, epochs=1, lr=1e-9).arrays()["items"]
    counts = np.bincount(graph().history.item_idx, minlength=graph().items)
    pairs = graph().interactions(dict.fromkeys(graph().history.kinds, 1.0))
    expected = {"spectral": spectral(pairs, 32, 0), "random": random(counts > 0, 32, 0)}
    assert (made * expected.pop(begin)).sum(1) == pytest.approx(1)
    (other,) = expected.values()
    assert np.abs((made * other).sum(1)).max() < 0.9


def test_order_is_what_it_learns_from() -> None:
    untimed = graph().with_history(replace(graph().history, time="none", ts_ms=np.zeros_like(graph().history.ts_ms)))
    model = Sequence.fit(untimed, SequenceConfig(**SMALL), 0)
    assert share(model) < 0.7


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    config = SequenceConfig(**SMALL | {"epochs": 2})
    whole = Sequence.fit(graph(), config, 0)
    file = tmp_path / "run.safetensors"

    class KilledError(Exception):
        pass

    def kill(told: str, done: float | None = None) -> None:
        if told.startswith("epoch 1"):
            raise KilledError

    with pytest.raises(KilledError):
        fit(Sequence, graph(), config, 0, FitContext(kill, file))
    again = fit(Sequence, graph(), config, 0, FitContext(silent, file))
    assert all(again.arrays()[name].tobytes() == array.tobytes() for name, array in whole.arrays().items())


def test_a_warm_start_knows_what_the_earlier_model_knew() -> None:
    rows = {"item": np.arange(graph().items, dtype=np.int32), "user": np.arange(graph().users, dtype=np.int32)}
    few = SequenceConfig(**SMALL | {"epochs": 1, "lr": 1e-5})
    cold = Sequence.train(graph(), few, 0, FitContext())
    warm = Sequence.train(graph(), few, 0, FitContext(start=WarmStart(plain(), rows)))
    assert share(cold) < 0.85
    assert share(warm) == pytest.approx(share(plain()), abs=0.02)


def test_a_warm_start_follows_items_to_their_new_rows() -> None:
    order = np.random.default_rng(0).permutation(graph().items)
    new = {old: f"i{place:06d}" for old, place in zip(graph().nodes["item"].ids.to_list(), order, strict=True)}
    rename, shop = pl.col("item_id").replace_strict(new), world().shop
    events = Events(shop.events.frame.with_columns(rename), shop.events.time)
    renamed = replace(shop, events=events, catalogue=Catalogue(shop.catalogue.frame.with_columns(rename)))
    other = ShopGraph.build(renamed, renamed.user_vocabulary(), renamed.item_vocabulary())
    start = WarmStart(plain(), {"item": order.astype(np.int32)})
    warm = Sequence.train(other, SequenceConfig(**SMALL | {"epochs": 1, "lr": 1e-6}), 0, FitContext(start=start))
    assert world().oracle_share(warm.score(other.history)[:, order]) == pytest.approx(share(plain()), abs=0.02)


def test_a_time_budget_ends_it() -> None:
    model = Sequence.train(graph(), SequenceConfig(**SMALL | {"epochs": 1000}), 0, FitContext(minutes=1 / 600))
    assert model.run is not None
    assert model.run["stopped"] == "minutes"


def test_chooses_the_number_of_epochs_and_a_size() -> None:
    question = Question("purchase", False, ("purchase",))
    given = {"size": "auto", "batch_size": 256, "negatives": None, "dropout": 0.2}
    choice = Sequence.choose(graph(), question, given, 0, 5.0, silent)
    assert isinstance(choice.config, SequenceConfig)
    assert choice.config.size in SIZES
    assert choice.metrics["target"]["tried"] >= 1
    assert 1 <= choice.config.epochs <= 30
    fixed = Sequence.choose(graph(), question, SMALL | {"epochs": 2}, 0, 0.1, silent).config
    assert isinstance(fixed, SequenceConfig)
    assert fixed.epochs == 2


@pytest.mark.parametrize(
    ("gains", "asked", "size"),
    [((0.1, -0.1, 0.3), 2, 0), ((0.1, 0.2, -0.1), 3, 1), ((0.1, 0.0), 2, 0), ((0.1,) * 5, 5, -1)],
)
def test_size_auto_stops_growing_where_validation_does(
    gains: tuple[float, ...], asked: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size is better by one of `gains` than the one before; after the first that is not, none is tried."""
    names, tried = list(SIZES), []

    def trial(self: object, settings: dict[str, Any], minutes: float) -> Trial:
        tried.append(settings["size"])
        if not set(settings).isdisjoint({"dropout", "layers", "length", "lr", "repeat"}):
            return Trial(settings | {"epochs": 3}, np.zeros(9))  # the steps after the sizes, none of which helps
        known = sum((*gains, *[0.0] * len(names))[: names.index(settings["size"]) + 1])
        return Trial(settings | {"epochs": 3}, np.full(9, known))

    monkeypatch.setattr(choosing._Search, "_trial", trial)
    choice = Sequence.choose(graph(), Question("purchase", False, ("purchase",)), {"size": "auto"}, 0, 60.0, silent)
    assert list(dict.fromkeys(tried)) == names[:asked]
    assert choice.config.size == names[size]  # type: ignore[attr-defined]


def test_a_small_one_learns_from_a_large_one() -> None:
    sure = Sequence.fit(graph(), SequenceConfig(**SMALL | {"dim": 8, "heads": 1, "teacher": "1M", "epochs": 8}), 0)
    alone = Sequence.fit(graph(), SequenceConfig(**SMALL | {"dim": 8, "heads": 1, "epochs": 8}), 0)
    assert share(sure) > share(alone)


def test_settings_of_a_pupil_come_from_its_teacher() -> None:
    question = Question("purchase", False, ("purchase",))
    given = {"size": "0.3M", "teacher": "1M", "negatives": None, "precision": "int8"}
    choice = Sequence.choose(graph(), question, given, 0, 3.0, silent)
    assert isinstance(choice.config, SequenceConfig)
    assert (choice.config.size, choice.config.teacher, choice.config.precision) == ("0.3M", "1M", "int8")
    assert choice.config.of_teacher().shape == SequenceConfig(size="1M").shape
    assert "of the teacher" in choice.remarks[0]


def test_integers_rank_as_the_numbers_did() -> None:
    small = fitted(precision="int8")
    assert share(small) == pytest.approx(share(plain()), abs=0.01)
    assert small.arrays()["items/int8"].dtype == np.int8
    assert "items" not in small.arrays()
    loaded = Sequence.from_arrays(small.arrays(), small.config)
    assert np.array_equal(loaded.score(graph().history), small.score(graph().history))


def test_sizes_are_what_their_names_say() -> None:
    for name, size in SIZES.items():
        block = 12 * size.dim**2 + 13 * size.dim
        assert 12_000 * size.dim + size.layers * block == pytest.approx(1e6 * float(name[:-1]), rel=0.2)


def test_heads_that_do_not_divide_dim_are_refused() -> None:
    with pytest.raises(ConfigError, match="3 heads do not divide 32"):
        SequenceConfig.parse(SMALL | {"heads": 3})


def test_an_item_without_events_is_for_those_who_like_its_kind() -> None:
    world = planted(300, 60, 15)
    categories = [*world.shop.catalogue.frame["category"].to_list(), ["block 3"]]
    ids = [*world.shop.catalogue.frame["item_id"].to_list(), "the cold one"]
    shop = replace(world.shop, catalogue=Catalogue(pl.DataFrame({"item_id": ids, "category": categories})))
    graph = ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())
    scores = Sequence.fit(graph, SequenceConfig(**SMALL | {"epochs": 8}), 0).score(graph.history)
    cold = graph.nodes["item"].rows(pl.Series(["the cold one"]))[0]
    liking = world.oracle[:, world.block == 3].mean(axis=1) - world.oracle.mean(axis=1)
    assert np.corrcoef(scores[:, cold] - scores.mean(axis=1), liking)[0, 1] > 0.5


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"teacher": "1M"}, r"teacher = '1M'. Expected: a size above '1M', the one that learns"),
        ({"size": "3M", "teacher": "0.3M"}, r"teacher = '0.3M'. Expected: a size above '3M'"),
        ({"size": "auto", "teacher": "3M"}, r"teacher = '3M'. Expected: none with size = 'auto'"),
        ({"teacher_share": 0.7}, r"teacher_share = 0.7. Expected: none given, or a teacher"),
        ({"softness": 2.0}, r"softness = 2.0. Expected: none given, or a teacher"),
        ({"size": "auto", "dim": 32}, r"dim = 32. Expected: none, or a size"),
        (
            {"dim": 63},
            r"^\[model.settings\]: settings that do not go together. Expected: heads must divide dim: 2 heads ",
        ),
        ({"size": "2M"}, r"size = '2M'. Expected: Input should be '0.3M', .* or 'auto'; did you mean '.*M'\? Correct"),
    ],
)
def test_settings_that_cannot_go_together(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        SequenceConfig.parse(settings, "[model.settings]")
    assert len(refused.value.problems) == 1


def test_settings_that_do_go_together() -> None:
    whole = SequenceConfig.parse({"size": "1M", "dim": 32, "layers": 1, "teacher": "1M", "softness": 2.0})
    assert SequenceConfig.parse(whole.model_dump()) == whole
    assert SequenceConfig.parse(SequenceConfig().model_dump()) == SequenceConfig()
