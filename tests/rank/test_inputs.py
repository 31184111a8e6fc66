"""What the network reads beside the features of pairs: retrievers' scores and recent events, in time and honestly."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from paretail.core.clock import DAY_MS  # noqa: E402  # torch may be missing
from paretail.core.ids import Rows  # noqa: E402  # torch may be missing
from paretail.core.progress import silent  # noqa: E402
from paretail.data.features.pairs import wished  # noqa: E402
from paretail.data.types import History  # noqa: E402
from paretail.graph.shopgraph import ShopGraph  # noqa: E402
from paretail.pipeline.config import ShopConfig  # noqa: E402
from paretail.pipeline.recommender import Recommender  # noqa: E402
from paretail.pipeline.scores import fitting  # noqa: E402
from paretail.pipeline.train import train_shop  # noqa: E402
from paretail.rank import RankError, earlier  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402
from paretail.rank.earlier import LAST, NAMES, OF_VECTORS, Earlier, Said, crossfitted, told, windows  # noqa: E402
from paretail.rank.examples import Examples  # noqa: E402
from paretail.rank.learned.inputs import groups_of, width  # noqa: E402
from paretail.rank.learned.ranker import Ranker  # noqa: E402
from paretail.rank.learned.recent import Moments, Sequences  # noqa: E402
from paretail.retrieve.fitting import FitContext, fits  # noqa: E402
from paretail.retrieve.models.graph import LightGcn  # noqa: E402

from .world import World, world  # noqa: E402

SETTINGS: dict[str, Any] = {"epochs": 8, "dim": 6, "own_dim": 2, "retrieved": True, "recent": 6}


@cache
def planted() -> World:
    return world(users=60, items=40, requests=2_000)


@cache
def graph() -> ShopGraph:
    shop = planted().shop
    return ShopGraph.build(shop, shop.user_vocabulary(), shop.item_vocabulary())


def fit(log: History, rich: bool = False) -> earlier.Score:
    """Fit co-occurrence: an item scores by how many who turned to it turned to the items of the history.

    A `rich` one tells parts and vectors too.
    """
    items = graph().items

    def had(history: History) -> NDArray[np.float32]:
        matrix = np.zeros((history.users, items), np.float32)
        wishes = history.where(wished(history))
        np.add.at(matrix, (wishes.user_idx, wishes.item_idx), 1.0)
        return matrix

    known = had(log)
    together = known.T @ known

    def say(history: History) -> Said:
        mine = had(history)
        scores = mine @ together + together.diagonal()
        return Said(scores, {"had": mine}, {"": (mine @ together, together)}) if rich else Said(scores)

    return say


@cache
def examples() -> Examples:
    return Examples.of(planted().shop.events, graph().nodes["user"], graph().nodes["item"])


@cache
def trained() -> Ranker:
    ranker = Ranker.train(graph(), planted().shop.events, RankConfig(**SETTINGS), fit=fit)
    assert ranker.earlier is not None
    return replace(ranker, earlier=replace(ranker.earlier, score=fit(graph().history)))


def scored(history: History, rich: bool = False) -> NDArray[np.float32]:
    some = examples()
    return crossfitted(history, some.user_idx, some.item_idx, some.ts_ms, partial(fit, rich=rich))[0]


def changed_after(history: History, cut_ms: int) -> History:
    """Return a log with other items in the events at or after a moment."""
    late = history.ts_ms >= cut_ms
    return replace(history, item_idx=np.where(late, (history.item_idx + 7) % graph().items, history.item_idx))


@pytest.mark.parametrize("rich", [False, True])
def test_scores_of_a_window_know_nothing_of_it_or_later(rich: bool) -> None:
    some, before = examples(), scored(graph().history, rich)
    bounds = [start for start, _, _ in windows(graph().history, some.ts_ms)]
    assert len(bounds) == earlier.WINDOWS - 1
    assert np.isnan(before[: bounds[0]]).all()
    assert np.isfinite(before[bounds[0] :]).all()
    for start, end in zip(bounds, [*bounds[1:], len(some)], strict=True):
        after = scored(changed_after(graph().history, int(some.ts_ms[start])), rich)
        np.testing.assert_array_equal(after[:end], before[:end])
    assert (scored(changed_after(graph().history, 0), rich) != before)[bounds[0] :, 0].mean() > 0.5


@pytest.mark.parametrize("rich", [False, True])
def test_scores_are_in_training_what_they_are_in_serving(rich: bool) -> None:
    """A bundle of the log before each window, asked then, reads what training reads of its pairs, row by row."""
    some, raw = examples(), scored(graph().history, rich)
    standard = Earlier.of(raw, (*NAMES, "had", *OF_VECTORS) if rich else NAMES)
    for start, end, log in windows(graph().history, some.ts_ms):
        served = replace(standard, score=fit(log, rich))
        people = np.unique(some.user_idx[start:end])
        place = np.searchsorted(people, some.user_idx[start:end])
        cut = np.full(end - start, int(some.ts_ms[start]))
        asked = graph().history.of_users(people)  # with all that came later: it must not count
        np.testing.assert_array_equal(
            served.matrix(asked, place, some.item_idx[start:end], cut), standard.standard(raw[start:end])
        )


def test_scores_in_blocks_are_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    score, rng = fit(graph().history), np.random.default_rng(0)
    user, item = rng.integers(graph().users, size=400), rng.integers(graph().items, size=400)
    whole, names = told(score, graph().history, user, item)
    assert names == NAMES
    monkeypatch.setattr(earlier, "CELLS", 7 * graph().items)
    np.testing.assert_array_equal(told(score, graph().history, user, item)[0], whole)
    one = score(graph().history).scores[user[0]].astype(np.float64)
    z = (one[item[0]] - one.mean()) / one.std()
    assert whole[0, 0] == pytest.approx(np.sign(z) * np.log1p(abs(z)), rel=1e-5)


def test_parts_and_vectors_by_hand_in_blocks_and_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    score, rng = fit(graph().history, rich=True), np.random.default_rng(0)
    user, item = rng.integers(graph().users, size=200), rng.integers(graph().items, size=200)
    whole, names = told(score, graph().history, user, item)
    monkeypatch.setattr(earlier, "CELLS", 7 * graph().items)
    monkeypatch.setattr(earlier, "PAIRS", 3)
    np.testing.assert_allclose(told(score, graph().history, user, item)[0], whole, atol=1e-6)
    said, turned = score(graph().history), graph().history.where(wished(graph().history))
    p, q = said.vectors[""][0][user[0]], said.vectors[""][1]
    mine = turned.item_idx[turned.indptr[user[0]] : turned.indptr[user[0] + 1]][-LAST:]
    unit = q / np.linalg.norm(q, axis=1, keepdims=True)
    alike = unit[mine] @ unit[item[0]]
    length = np.linalg.norm(q, axis=1)
    want = [p @ unit[item[0]] / np.linalg.norm(p), np.log1p(length[item[0]] / length.mean()), alike.max(), alike.mean()]
    assert dict(zip(names, whole[0].tolist(), strict=True)) | dict(zip(OF_VECTORS, want, strict=True)) == pytest.approx(
        dict(zip(names, whole[0].tolist(), strict=True)), abs=1e-5
    )


def test_turning_and_stretching_all_vectors_changes_nothing() -> None:
    """Models of different windows have axes of their own: what is read of vectors must not depend on them."""
    score, rng = fit(graph().history, rich=True), np.random.default_rng(1)
    turn = 3.0 * np.linalg.qr(rng.normal(size=(graph().items, graph().items)))[0].astype(np.float32)

    def turned(history: History) -> Said:
        said = score(history)
        return replace(said, vectors={whose: (p @ turn, q @ turn) for whose, (p, q) in said.vectors.items()})

    user, item = rng.integers(graph().users, size=200), rng.integers(graph().items, size=200)
    want, found = (told(way, graph().history, user, item)[0] for way in (score, turned))
    np.testing.assert_allclose(found, want, atol=1e-4)


def test_somebody_who_turned_to_nothing_is_told_nothing_of_vectors() -> None:
    nobody = graph().history.where(np.zeros(len(graph().history.ts_ms), bool))
    raw, names = told(fit(graph().history, rich=True), nobody, np.zeros(3, np.int32), np.arange(3, dtype=np.int32))
    assert np.isfinite(raw).all()
    assert not raw[:, [names.index("nearest of the last"), names.index("mean of the last")]].any()


def test_nothing_known_is_nothing_read() -> None:
    standard = Earlier.of(np.full((5, 1), np.nan, np.float32))
    assert (standard.standard(np.array([[np.nan], [3.0]], np.float32)) == 0).all()


def test_recent_events_by_hand() -> None:
    history, rng = graph().history, np.random.default_rng(1)
    user = rng.integers(graph().users, size=60).astype(np.int32)
    at = np.append(rng.choice(history.ts_ms, 58), [0, int(history.ts_ms.max()) + 7 * DAY_MS])
    moments = Moments.of(history, user, at)
    found = Sequences.of(moments, 6)
    for row, place in enumerate(moments.place.tolist()):
        mine = (history.user_idx == user[row]) & wished(history) & (history.ts_ms < at[row])
        want = history.item_idx[mine][-6:].tolist()
        assert found.item[place].tolist() == want + [-1] * (6 - len(want))
        for behind in range(len(want)):
            seconds = (at[row] - history.ts_ms[mine][-1 - behind]) / 1000
            told = int(found.age[place, len(want) - 1 - behind])
            assert told - min(27, 1 + int(np.log2(1 + seconds))) in ((0,) if behind == 0 else (-1, 0))


def test_what_was_shown_together_is_one_moment() -> None:
    """A request of five items within a second is encoded once; an event in between is a moment of its own."""
    some = examples()
    moments = Moments.of(graph().history, some.user_idx, some.ts_ms)
    assert len(moments.user) < len(some) / 4
    np.testing.assert_array_equal(moments.user[moments.place], some.user_idx)
    assert len(Moments.of(graph().history, some.user_idx[:0], some.ts_ms[:0]).user) == 0


def served(ranker: Ranker, history: History, rows: NDArray[Any]) -> NDArray[np.float32]:
    some = examples()
    people: Rows = some.user_idx[rows]
    return ranker._matrix(history, people, some.item_idx[rows], some.ts_ms[rows])


def test_the_network_reads_in_training_what_it_reads_in_serving() -> None:
    """Features and recent events row by row; an event at or after the moment changes neither."""
    ranker, some = trained(), examples()
    rows = np.random.default_rng(2).integers(len(some), size=300)
    moments, net = Moments.of(graph().history, some.user_idx, some.ts_ms), ranker.net
    assert net.recent is not None
    with torch.no_grad():
        in_training = net.recent(
            Sequences.of(moments, 6).at(torch.arange(len(moments.user))), torch.from_numpy(moments.place),
            net.items()[0][:, : net.columns], torch.from_numpy(some.item_idx.astype(np.int64)),
        ).numpy()  # fmt: skip
    found = served(ranker, graph().history, rows)
    assert found.shape[1] == width(ranker.config) == sum(map(len, groups_of(ranker.config).values()))
    np.testing.assert_allclose(found[:, -in_training.shape[1] :], in_training[rows], atol=1e-5)
    cut = int(some.ts_ms.max()) // 2 + int(some.ts_ms.min()) // 2
    early = rows[some.ts_ms[rows] < cut]
    recent = slice(-in_training.shape[1], None)
    np.testing.assert_allclose(
        served(ranker, changed_after(graph().history, cut), early)[:, recent], in_training[early], atol=1e-5
    )


def everyone(ranker: Ranker) -> NDArray[np.float64]:
    users, items = graph().users, graph().items
    user, item = np.repeat(np.arange(users, dtype=np.int32), items), np.tile(np.arange(items, dtype=np.int32), users)
    at = np.full(users * items, ranker.end_ms + 1)
    return ranker.predict(graph().history, np.arange(users, dtype=np.int32), user, item, at).p_click


def test_a_ranker_with_both_learns_is_kept_and_explained() -> None:
    ranker = trained()
    assert ranker.earlier is not None
    found = everyone(ranker)
    assert np.corrcoef(found, planted().p_click.ravel())[0, 1] > 0.7
    again = Ranker.from_arrays(
        ranker.arrays(), ranker.facts, graph().tables["item"], graph().history, ranker.earlier.score
    )
    np.testing.assert_array_equal(everyone(again), found)
    user, item = np.zeros(20, np.int32), np.arange(20, dtype=np.int32)
    asked = graph().history.of_users(np.array([3])), np.array([3], np.int32), user, item, np.full(20, ranker.end_ms + 1)
    why = ranker.explain(*asked)
    assert {"retriever", "recent events"} < set(why.groups)
    click, usual = why.predicted[:, 0], why.usual[0]
    odds = np.log(click / (1 - click)) - np.log(usual / (1 - usual))
    np.testing.assert_allclose(why.contributions.sum(2)[:, 0], odds, atol=1e-4)


def test_without_a_model_the_scores_are_left_out() -> None:
    some = planted().shop.events
    few = replace(some, frame=some.frame.head(3000))
    assert Ranker.train(graph(), few, RankConfig(**SETTINGS | {"epochs": 1})).config.retrieved is False


@pytest.mark.parametrize(("model", "asked", "more"), [("blend", "parts", ()), ("als", "vectors", OF_VECTORS)])
def test_every_signal_of_a_blend_and_the_vectors_of_a_model_are_read(
    model: str, asked: str, more: tuple[str, ...]
) -> None:
    facts = {"model": model, "settings": {}, "target": "purchase", "repeat": "none"}
    few = replace(planted().shop.events, frame=planted().shop.events.frame.head(8000))
    ask = fitting(facts, graph(), 0, silent, asked)
    ranker = Ranker.train(graph(), few, RankConfig(**SETTINGS | {"epochs": 1, "retrieved": asked}), fit=ask)
    said = ask(graph().history)(graph().history)
    again = Ranker.from_arrays(
        ranker.arrays(), ranker.facts, graph().tables["item"], graph().history, ask(graph().history)
    )
    assert again.earlier is not None
    assert again.net.retrieved == again.earlier.names == said.names
    assert bool(said.parts) == (model == "blend")
    assert said.names == (*NAMES, *said.parts, *more)
    assert np.isfinite(everyone(again)).all()
    assert "retriever" in again.explain(
        graph().history.of_users(np.array([3])), np.array([3], np.int32), np.zeros(2, np.int32),
        np.arange(2, dtype=np.int32), np.full(2, ranker.end_ms + 1),
    ).groups  # fmt: skip


def test_same_seed_same_bytes() -> None:
    few = replace(planted().shop.events, frame=planted().shop.events.frame.head(3000))
    one, other = (Ranker.train(graph(), few, RankConfig(**SETTINGS | {"epochs": 1}), fit=fit) for _ in range(2))
    assert all(other.arrays()[name].tobytes() == array.tobytes() for name, array in one.arrays().items())


def shop_config(model: str, **settings: Any) -> ShopConfig:
    rank = SETTINGS | {"epochs": 1, "recent": 0}
    return ShopConfig.parse(
        {"data": {"events": "events.csv"}, "model": {"name": model, "settings": settings}, "rank": rank}, "shop.toml"
    )


def test_a_bundle_asks_its_own_model(tmp_path: Path) -> None:
    done = train_shop(planted().shop, shop_config("popular"), tmp_path / "bundle")
    assert not any("no feature" in line for line in done.account)
    recommender = Recommender.load(tmp_path / "bundle")
    ranker = recommender.ranker
    assert isinstance(ranker, Ranker)
    assert ranker.earlier is not None
    scores = ranker.earlier.score(recommender.history)
    assert scores.scores.shape == (graph().users, graph().items)
    assert np.isfinite(everyone(ranker)).all()


TRAINED: dict[str, dict[str, Any]] = {
    "lightgcn": {"dim": 8, "epochs": 4},
    "sequence": {"dim": 8, "layers": 1, "heads": 1, "epochs": 4},
    "hybrid": {"members": {"popular": {}, "lightgcn": {"dim": 8, "epochs": 4}}},
}


def part_by_part(model: str, history: History) -> tuple[NDArray[np.float32], tuple[str, ...], list[earlier.Score]]:
    """Return what training reads of a model of the table, and what asks it as it was fitted for each window."""
    facts = {"model": model, "settings": TRAINED[model], "target": "purchase", "repeat": "none"}
    ask, asked, some = fitting(facts, graph(), 0, silent, "vectors"), list[earlier.Score](), examples()

    def kept(log: History) -> earlier.Score:
        asked.append(ask(log))
        return asked[-1]

    return *crossfitted(history, some.user_idx, some.item_idx, some.ts_ms, kept), asked


@pytest.mark.parametrize("model", TRAINED)
def test_a_trained_model_tells_the_same_in_serving_and_nothing_of_its_window(model: str) -> None:
    """It goes on from one part of the log to the next, and knows of none what comes after it."""
    some, history = examples(), graph().history
    raw, names, asked = part_by_part(model, history)
    assert sum(name.endswith(OF_VECTORS) for name in names) == len(OF_VECTORS)
    standard, bounds = Earlier.of(raw, names), list(windows(history, some.ts_ms))
    for (start, end, _), score in zip(bounds, asked, strict=True):
        people, place = np.unique(some.user_idx[start:end], return_inverse=True)
        cut = np.full(end - start, int(some.ts_ms[start]))
        served = replace(standard, score=score).matrix(history.of_users(people), place, some.item_idx[start:end], cut)
        np.testing.assert_allclose(served, standard.standard(raw[start:end]), atol=1e-4)
    start = bounds[-2][0]
    other = part_by_part(model, changed_after(history, int(some.ts_ms[start])))[0]
    np.testing.assert_array_equal(other[: bounds[-1][0]], raw[: bounds[-1][0]])
    assert (other != raw)[bounds[-1][0] :].mean() > 0.5


def epochs(model: Any) -> int:
    return len(model.run["epochs"])


def test_a_part_that_ends_earlier_is_learned_from_nothing() -> None:
    history = graph().history
    settings = LightGcn.config_type(**TRAINED["lightgcn"])
    cut = int(np.median(history.ts_ms))
    early = history.where(history.ts_ms < cut)
    to, alone = (fits(LightGcn, graph(), settings, 0) for _ in range(2))
    first = to(early).arrays()
    assert 1 == epochs(to(history)) < epochs(alone(history))
    again = to(early).arrays()
    assert all(again[name].tobytes() == array.tobytes() for name, array in first.items())


def test_columns_that_change_from_one_part_to_the_next_are_refused() -> None:
    some, seen = examples(), list[int]()

    def changing(log: History) -> earlier.Score:
        seen.append(1)
        return fit(log, rich=len(seen) == 1)

    with pytest.raises(RankError, match="not in both: had, angle") as told_of:
        crossfitted(graph().history, some.user_idx, some.item_idx, some.ts_ms, changing)
    assert told_of.value.problems[0].code == "RANK-19"


def test_a_bundle_of_a_trained_model_asks_it(tmp_path: Path) -> None:
    train_shop(planted().shop, shop_config("lightgcn", **TRAINED["lightgcn"]), tmp_path / "bundle")
    ranker = Recommender.load(tmp_path / "bundle").ranker
    assert isinstance(ranker, Ranker)
    assert ranker.earlier is not None
    assert np.isfinite(everyone(ranker)).all()


def test_fits_to_earlier_logs_end_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[FitContext] = []
    monkeypatch.setattr("paretail.pipeline.scores.fits", lambda *told: contexts.append(told[-1]))
    facts = {"model": "popular", "settings": {}, "target": "purchase", "repeat": True}
    for seconds in (None, 240.0):
        fitting(facts, graph(), 0, silent, True, seconds)
    assert [context.minutes for context in contexts] == [None, 1.0]  # four fits
