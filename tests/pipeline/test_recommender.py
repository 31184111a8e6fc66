"""A loaded bundle answers for known, new and unknown users alike."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import BundleError, UsageError
from paretail.data.types import EVENT_COLUMNS, Events, History
from paretail.pipeline import recommender as module
from paretail.pipeline.recommend import joined
from paretail.pipeline.recommender import Recommender, frame
from paretail.retrieve.models.popular import Popular

from ..trained import DemoShop

EXCLUDES: list[list[str] | None] = [
    None, ["none"], ["purchase"], ["buy"], ["purchase", "cart"], ["buy", "addtocart"], ["cart"], ["all"],
]  # fmt: skip


@pytest.fixture(scope="module")
def loaded(shop: DemoShop) -> Recommender:
    return Recommender.load(shop.bundle)


def everyone(loaded: Recommender) -> History:
    return loaded.history_of(loaded.users.ids)


def told(loaded: Recommender, *events: tuple[str, str, int], user: str = "new") -> History:
    """One user's history from (item, kind, milliseconds)."""
    frame = pl.DataFrame(events, {"item_id": pl.String, "kind": pl.String, "ts_ms": pl.Int64}, orient="row")
    frame = frame.with_columns(user_id=pl.lit(user), quantity=pl.lit(1.0))
    return loaded.history_from(Events(frame, loaded.history.time), pl.Series([user]))


def events_of(loaded: Recommender, user_id: str) -> list[tuple[str, str, int]]:
    told = loaded.history_of(pl.Series([user_id]))
    kinds = [told.kinds[kind] for kind in told.kind]
    return list(zip(loaded.items.names(told.item_idx).to_list(), kinds, told.ts_ms.tolist(), strict=True))


def busiest(loaded: Recommender) -> str:
    return loaded.users.ids[int(np.argmax(np.diff(loaded.history.indptr)))]


def test_it_knows_the_shop(shop: DemoShop, loaded: Recommender) -> None:
    assert (len(loaded.users), len(loaded.items), loaded.target) == (300, 100, "purchase")
    assert loaded.history.kinds == ("cart", "click", "impression", "purchase", "refund", "view")
    assert loaded.words["buy"] == loaded.words["purchase"] == "purchase"
    assert loaded.weakest == "view"
    assert len(loaded.history.item_idx) == shop.events().height
    assert loaded.names[0] == pl.read_csv(shop.folder / "items.csv")["name"][0]


@pytest.mark.parametrize("exclude", EXCLUDES, ids=str)
def test_no_excluded_pair_is_recommended_and_lists_are_as_long_as_they_can(
    shop: DemoShop, loaded: Recommender, exclude: list[str] | None
) -> None:
    kinds = loaded.excluded_kinds(exclude)
    hidden = shop.events().filter(pl.col("kind").is_in(list(kinds))).select("visitor_id", "sku").unique()
    lists = frame(loaded.recommend(everyone(loaded), 100, exclude), loaded.users.ids, loaded.items)
    again = lists.join(hidden, left_on=["user_id", "item_id"], right_on=["visitor_id", "sku"])
    assert again.is_empty()
    assert lists.height == 300 * 100 - hidden.height
    in_order = lists.sort("user_id", "rank").with_columns(
        place=pl.int_range(1, pl.len() + 1).over("user_id"), fall=pl.col("score").diff().over("user_id")
    )
    assert (in_order["rank"] == in_order["place"]).all()
    assert in_order["fall"].max() <= 0


def test_kinds_are_named_in_any_words(loaded: Recommender) -> None:
    assert loaded.excluded_kinds(["buy", "cart"]) == ("purchase", "cart")
    assert loaded.excluded_kinds(["all"]) == loaded.history.kinds
    assert loaded.excluded_kinds(["none"]) == loaded.excluded_kinds([]) == ()
    with pytest.raises(UsageError, match=r"'byu' is no kind.*did you mean 'buy'\?.*CLI-04"):
        loaded.excluded_kinds(["purchase", "byu"])
    with pytest.raises(UsageError, match="CLI-04"):
        loaded.excluded_kinds(["all", "cart"])


@pytest.mark.parametrize(("repeat", "kinds"), [(True, ()), (False, ("purchase",))])
def test_by_default_the_target_is_left_out_unless_it_may_come_back(
    shop: DemoShop, repeat: bool, kinds: tuple[str, ...]
) -> None:
    loaded = Recommender.load(shop.bundle)
    loaded.repeat = repeat
    assert loaded.excluded_kinds(None) == kinds


def test_what_is_left_out_decides_which_question_is_answered(loaded: Recommender) -> None:
    modes = {(): "none", ("cart",): "none", ("purchase",): "target", ("purchase", "cart"): "target",
             ("purchase", "cart", "click", "view"): "all", loaded.history.kinds: "all"}  # fmt: skip
    assert {kinds: loaded.mode(kinds) for kinds in modes} == modes


@pytest.mark.parametrize("exclude", [["none"], ["purchase"], ["all"]], ids=str)
def test_nobody_gets_what_many_want(shop: DemoShop, loaded: Recommender, exclude: list[str]) -> None:
    nobody = loaded.history_of(pl.Series(["nobody", "u00000000x"]))
    found = loaded.recommend(nobody, 20, exclude)
    assert (found.item_idx[0] == found.item_idx[1]).all()
    assert (found.scores[0] > 0).all()
    wanted = shop.events().filter(pl.col("kind").is_in(["purchase", "cart", "click", "view"]))
    by_wish = wanted.group_by("sku").len().sort("len", descending=True)["sku"].to_list()
    assert len(set(loaded.items.names(found.item_idx[0]).to_list()) & set(by_wish[:35])) >= 16


@pytest.mark.parametrize("exclude", [["none"], ["purchase"], ["all"]], ids=str)
def test_a_new_user_with_the_same_events_gets_the_same_list(loaded: Recommender, exclude: list[str]) -> None:
    user = busiest(loaded)
    stored = loaded.recommend(loaded.history_of(pl.Series([user])), 20, exclude)
    twin = loaded.recommend(told(loaded, *events_of(loaded, user)), 20, exclude)
    assert (stored.item_idx == twin.item_idx).all()
    np.testing.assert_allclose(stored.scores, twin.scores, rtol=1e-5)


def test_new_events_of_a_known_user_come_after_the_stored_ones(loaded: Recommender) -> None:
    user, now = busiest(loaded), int(loaded.history.ts_ms.max())
    event = ("i00000005", "purchase", now)
    stored = loaded.history_of(pl.Series([user]))
    both = joined(stored, told(loaded, event, user=user))
    whole = told(loaded, *events_of(loaded, user), event)
    assert both.item_idx.tolist() == whole.item_idx.tolist()
    assert both.ts_ms.tolist() == whole.ts_ms.tolist()
    before, after, same = (loaded.recommend(history, 20, ["all"]) for history in (stored, both, whole))
    assert (after.item_idx == same.item_idx).all()
    assert (before.item_idx != after.item_idx).any()
    assert 5 not in after.item_idx[0]


def test_events_without_time_count_as_the_newest(loaded: Recommender) -> None:
    frame = pl.DataFrame(
        {"user_id": ["a"], "item_id": ["i00000005"], "kind": ["view"], "ts_ms": [0], "quantity": [1.0]}
    )
    told = loaded.history_from(Events(frame, "none"), pl.Series(["a"]))
    assert told.ts_ms.tolist() == [loaded.history.ts_ms.max()]
    assert told.time == "clock"


def test_events_of_unknown_items_kinds_and_users_are_left_out(loaded: Recommender) -> None:
    assert told(loaded, ("i00000005", "wow", 1), ("none", "view", 1)).item_idx.tolist() == []
    frame = pl.DataFrame(
        {"user_id": ["b"], "item_id": ["i00000005"], "kind": ["view"], "ts_ms": [1], "quantity": [1.0]}
    )
    assert loaded.history_from(Events(frame, "clock"), pl.Series(["a"])).item_idx.tolist() == []


def test_blocks_of_users_change_nothing(loaded: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = loaded.recommend(everyone(loaded), 10)
    monkeypatch.setattr(module, "SCORES_PER_BLOCK", 7 * len(loaded.items))
    steps: list[float] = []
    parts = loaded.recommend(everyone(loaded), 10, progress=lambda step, done=0.0: steps.append(done))
    assert (whole.item_idx == parts.item_idx).all()
    np.testing.assert_allclose(whole.scores, parts.scores, rtol=1e-5)
    assert len(steps) == 43
    assert steps == sorted(steps)


def test_nobody_at_all(loaded: Recommender) -> None:
    found = loaded.recommend(loaded.history_of(pl.Series([], dtype=pl.String)), 10)
    assert found.item_idx.shape == found.scores.shape == (0, 10)


def test_lists_do_not_depend_on_who_else_is_asked(loaded: Recommender) -> None:
    users = pl.Series([busiest(loaded), "nobody", loaded.users.ids[0]])
    together = loaded.recommend(loaded.history_of(users), 20)
    for row, user in enumerate(users):
        alone = loaded.recommend(loaded.history_of(pl.Series([user])), 20)
        assert (alone.item_idx[0] == together.item_idx[row]).all()


def test_reasons_name_the_users_own_events(loaded: Recommender) -> None:
    history = loaded.history_of(pl.Series([busiest(loaded)]))
    rows = loaded.recommend(history, 10, ["all"]).item_idx[0]
    found = loaded.explain(history, rows[rows >= 0], ["all"])
    mine = {(int(item), loaded.history.kinds[kind]) for item, kind in zip(history.item_idx, history.kind, strict=True)}
    assert {reason.code for reason in found} <= {"because", "popular"}
    assert any(reason.code == "because" for reason in found)
    assert all((reason.item_idx, reason.kind) in mine for reason in found if reason.code == "because")
    assert all(loaded.in_words(reason).startswith(("because you", "popular: ")) for reason in found)


def test_reasons_of_what_was_had_and_of_nobody(loaded: Recommender) -> None:
    history = told(loaded, ("i00000005", "cart", 1))
    (again,) = loaded.explain(history, np.array([5], np.int32), ["none"])
    assert (again.code, loaded.in_words(again)) == ("again", "you put this in the cart before")
    (popular,) = loaded.explain(loaded.history_of(pl.Series(["x"])), np.array([5], np.int32))
    assert popular.code == "popular"


@pytest.mark.parametrize("relation", ["similar", "also-bought", "together", "alternative"])
def test_related_items(loaded: Recommender, relation: str) -> None:
    table = loaded.similar(pl.Series(["i00000005", "none", "i00000001"]), relation, 3)
    every = loaded.similar(loaded.items.ids, relation, 3)
    assert table.equals(pl.concat([every.filter(pl.col("item_id") == one) for one in ("i00000005", "i00000001")]))
    assert every.filter(pl.col("item_id") == pl.col("similar_item_id")).is_empty()
    assert every["rank"].is_between(1, 3).all()
    assert every.height > 0


def test_figures_of_also_bought_are_counts_of_the_data(shop: DemoShop, loaded: Recommender) -> None:
    bought = shop.events().filter(kind="purchase").group_by("visitor_id").agg(pl.col("sku").unique())["sku"].to_list()
    sets = [set(items) for items in bought]
    for row in loaded.similar(loaded.items.ids, "also-bought", 1).head(10).iter_rows(named=True):
        a, b = row["item_id"], row["similar_item_id"]
        n_a, n_b, both = (sum(need <= items for items in sets) for need in ({a}, {b}, {a, b}))
        assert row["confidence"] == pytest.approx(both / n_a)
        assert row["support"] / row["confidence"] * row["lift"] == pytest.approx(row["confidence"] * n_a / n_b)


def test_another_model_on_the_same_history(loaded: Recommender) -> None:
    other = loaded.with_model(Popular(np.arange(100, dtype=np.float32)))
    assert other.recommend(everyone(loaded).of_users(np.array([0])), 3, ["none"]).item_idx.tolist() == [[99, 98, 97]]
    assert not isinstance(loaded.model, Popular)


def test_columns_of_a_file_may_have_the_shops_names(loaded: Recommender) -> None:
    assert loaded.columns("user_id", "users", "events") == ["user_id", "visitor_id"]
    assert loaded.columns("item_id", "items", "events") == ["item_id", "sku"]
    named: dict[str, Any] = loaded.manifest.config["data"]["columns"]
    loaded.manifest.config["data"]["columns"] = named | {"users": {"user_id": ["a", "b"]}, "events": {"user_id": None}}
    assert loaded.columns("user_id", "users", "events") == ["user_id", "a", "b"]
    loaded.manifest.config["data"]["columns"] = named


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="BNDL-01"):
        Recommender.load(tmp_path)


def test_what_is_known_of_users_beside_their_events_is_in_the_bundle(shop: DemoShop, loaded: Recommender) -> None:
    told = {row["visitor_id"]: row for row in pl.read_csv(shop.folder / "users.csv").iter_rows(named=True)}
    assert loaded.traits.columns
    ids = pl.Series(["nobody", *shop.users[:20]])
    history = loaded.history_of(ids)
    for column, (name, values) in loaded.traits.columns.items():
        about = history.about[name].toarray()
        assert about.shape == (21, len(values))
        assert not about[0].any()
        for row, user_id in enumerate(shop.users[:20], 1):
            assert [values.name(node) for node in np.flatnonzero(about[row])] == [told[user_id][column]]
    new = loaded.history_from(Events(pl.DataFrame(schema=EVENT_COLUMNS), "clock"), ids)
    assert joined(history, new).about.keys() == history.about.keys()


def test_whom_the_model_knows_nothing_of_gets_what_most_people_wanted(loaded: Recommender, shop: DemoShop) -> None:
    flat = loaded.with_model(Popular(np.zeros(len(loaded.items), np.float32)))
    nobody = flat.history_of(pl.Series(["nobody"]))
    lists = flat.recommend(nobody, len(loaded.items))
    rows = lists.item_idx[0]
    bought = dict(shop.events().filter(kind="purchase").group_by("sku").agg(pl.col("visitor_id").n_unique()).rows())
    counts = [bought.get(item_id, 0) for item_id in loaded.items.names(rows)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    assert lists.scores[0, 0] >= counts[0]
    text = flat.in_words(flat.explain(nobody, rows[:1])[0])
    assert text == f"popular: {counts[0]} people bought this"
    both = flat.history_of(pl.Series([busiest(loaded), "nobody"]))
    assert (flat.scores(both, "none") == flat.scores(nobody, "none")).all()
    few = np.zeros(len(loaded.items), np.float32)
    few[rows[-1]] = 1e-3  # one item has a score, all others none
    listed = loaded.with_model(Popular(few)).recommend(nobody, len(loaded.items))
    assert listed.item_idx[0].tolist() == [rows[-1], *rows[:-1]]
    assert listed.scores[0, 0] == np.float32(1e-3)
    assert listed.scores[0, 0] > listed.scores[0, 1] >= listed.scores[0, -1] >= 0
    none = np.full(len(loaded.items), -np.inf, np.float32)
    assert (loaded.with_model(Popular(none)).scores(nobody, "none") == -np.inf).all()
    known = loaded.with_model(Popular(np.arange(len(loaded.items), dtype=np.float32)))
    assert (known.scores(nobody, "none") == np.arange(len(loaded.items))).all()
