"""An update is what training on everything with the same settings gives, from the last version and what is new."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretail.core.errors import ConfigError
from paretail.core.ids import Rows
from paretail.data.types import Catalogue, Events, Links, Shop, Users
from paretail.pipeline.bundle import current, versions
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.train import train_shop
from paretail.pipeline.update import graph_of, renewed, update_shop
from paretail.retrieve.fitting import shortened
from paretail.retrieve.models import model
from paretail.sim.planted import planted


def whole() -> Shop:
    """A shop whose users are all there from the start, in the order of time, with brands."""
    shop = planted(users=80, items=50, events_per_user=12, held=0).shop
    items = shop.item_vocabulary().ids
    brands = pl.DataFrame({"item_id": items, "brand": [f"b{row % 4}" for row in range(len(items))]})
    events = shop.events.frame.sort("ts_ms", maintain_order=True)
    return replace(shop, events=Events(events, "clock"), catalogue=Catalogue(brands))


def until(shop: Shop, share: float) -> Shop:
    """The shop as it was when `share` of its events had come in, with the items that were had by then."""
    cut = int(shop.events.frame["ts_ms"].quantile(share) or 0)
    events = shop.events.frame.filter(pl.col("ts_ms") <= cut)
    known = shop.catalogue.frame.filter(pl.col("item_id").is_in(events["item_id"].unique().to_list()))
    return replace(shop, events=Events(events, "clock"), catalogue=Catalogue(known))


def config(name: str, settings: dict[str, Any] | None = None, **tables: Any) -> ShopConfig:
    data = {"events": "x.csv"}
    return ShopConfig.parse({"data": data, "model": {"name": name, "settings": settings or {}}, **tables})


def lists(bundle: Path, shop: Shop) -> Rows:
    """The items of each user, as rows of the whole shop."""
    loaded = Recommender.load(bundle)
    users, items = shop.user_vocabulary(), shop.item_vocabulary()
    found = loaded.recommend(loaded.history_of(users.ids), 10).item_idx
    return items.rows(loaded.items.names(found.ravel())).reshape(found.shape)


@pytest.mark.parametrize("name", ["popular", "knn", "blend"])
def test_an_update_is_a_training_on_everything_with_the_settings_of_the_last(name: str, tmp_path: Path) -> None:
    shop, asked = whole(), config(name)
    first = train_shop(until(shop, 0.8), asked, tmp_path / "b", budget_seconds=1)
    done = update_shop(shop, asked, Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert (done.parent, versions(tmp_path / "b")) == (first.version, [first.version, done.version])
    fixed = config(name, first.facts["settings"])
    train_shop(shop, fixed, tmp_path / "whole", budget_seconds=1)
    ours, theirs = lists(tmp_path / "b", shop), lists(tmp_path / "whole", shop)
    assert (ours == theirs).mean() > 0.99  # equal scores stand in the order of rows
    assert done.facts["settings"] == first.facts["settings"]
    assert done.facts["events"] == shop.events.frame.height
    assert done.news.events == shop.events.frame.height - first.facts["events"]
    assert done.news.items == shop.item_vocabulary().ids.len() - first.facts["items"]


def test_what_is_new_is_merged_and_the_rest_keeps_its_rows(tmp_path: Path) -> None:
    shop, before = whole(), until(whole(), 0.7)
    train_shop(before, config("popular"), tmp_path / "b")
    parent = Recommender.load(tmp_path / "b")
    done = update_shop(shop, config("popular"), parent, tmp_path / "b")
    assert not done.news.older
    now = Recommender.load(tmp_path / "b")
    assert now.items.ids[: len(parent.items)].equals(parent.items.ids)
    assert now.users.ids[: len(parent.users)].equals(parent.users.ids)
    again = update_shop(shop, config("popular"), now, tmp_path / "b")
    assert (again.version, again.parent) == (now.version, now.version)
    assert len(versions(tmp_path / "b")) == 2


def test_what_is_gone_leaves_the_bundle(tmp_path: Path) -> None:
    shop = whole()
    train_shop(until(shop, 0.8), config("popular"), tmp_path / "b")
    erased = shop.user_vocabulary().name(5)
    events, people = (frame.filter(pl.col("user_id") != erased) for frame in (shop.events.frame, shop.users.frame))
    less = replace(shop, events=Events(events, "clock"), users=Users(people))
    done = update_shop(less, config("popular"), Recommender.load(tmp_path / "b"), tmp_path / "b")
    now = Recommender.load(tmp_path / "b")
    assert done.news.older
    assert erased not in now.users
    assert len(now.history.item_idx) == less.events.frame.height
    assert "older events came or went" in done.facts["remarks"][0]


def test_events_that_come_late_are_not_lost(tmp_path: Path) -> None:
    shop = whole()
    without = replace(shop, events=Events(shop.events.frame[5:], "clock"))
    train_shop(without, config("popular"), tmp_path / "b")
    done = update_shop(shop, config("popular"), Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert (done.news.events, done.news.older) == (5, True)


def test_one_event_for_another_is_seen(tmp_path: Path) -> None:
    shop = whole()
    train_shop(shop, config("popular"), tmp_path / "b")
    old = graph_of(Recommender.load(tmp_path / "b"))
    frame = shop.events.frame.with_row_index("row").with_columns(
        item_id=pl.when(pl.col("row") == 3).then(pl.col("item_id").shift(-1)).otherwise("item_id")
    )
    other = replace(shop, events=Events(frame.drop("row"), "clock"))
    from paretail.graph.targets import turned

    assert renewed(old, turned(other, "item"))[1]
    assert not renewed(old, turned(shop, "item"))[1]


def test_a_new_price_is_news(tmp_path: Path) -> None:
    shop = whole()
    train_shop(shop, config("popular"), tmp_path / "b")
    priced = replace(shop, catalogue=Catalogue(shop.catalogue.frame.with_columns(price_minor=pl.lit(5, pl.Int64))))
    done = update_shop(priced, config("popular"), Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert done.version != done.parent
    assert Recommender.load(tmp_path / "b").catalogue["price_minor"].eq(5).all()


def befriended(shop: Shop, people: int) -> Shop:
    """The shop with as many friendships, each user's with the next."""
    ids = shop.user_vocabulary().ids
    return replace(shop, links=Links(pl.DataFrame({"user_id": ids[:people], "friend_id": ids[1 : people + 1]})))


@pytest.mark.parametrize("lists", ["brand", "user"])
def test_other_targets_are_updated_too(lists: str, tmp_path: Path) -> None:
    shop = befriended(whole(), 3)
    asked = config("popular", goal={"lists": lists})
    train_shop(until(shop, 0.8), asked, tmp_path / "b")
    done = update_shop(shop, config("popular"), Recommender.load(tmp_path / "b"), tmp_path / "b")
    now = Recommender.load(tmp_path / "b")
    assert (now.lists, done.version) == (lists, current(tmp_path / "b"))
    assert done.version != done.parent
    again = update_shop(shop, config("popular"), now, tmp_path / "b")
    assert again.version == again.parent


@pytest.mark.parametrize("lists", ["item", "user"])
def test_a_new_friendship_is_news(lists: str, tmp_path: Path) -> None:
    asked = config("popular", goal={"lists": lists})
    train_shop(befriended(whole(), 3), asked, tmp_path / "b")
    done = update_shop(befriended(whole(), 9), asked, Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert done.version != done.parent
    now = Recommender.load(tmp_path / "b").history
    assert (now.about["user"].nnz if lists == "item" else len(now.item_idx) - now.users) == 2 * 9
    assert "older" not in done.news.told
    assert ("; what is told of them changed" in done.news.told) == (lists == "item")


def test_what_people_had_is_news_where_lists_hold_people(tmp_path: Path) -> None:
    """Their friendships are the events; what they had of a product says who is like whom."""
    shop, asked = befriended(whole(), 3), config("popular", goal={"lists": "user"})
    train_shop(replace(shop, events=Events(shop.events.frame[:-9], "clock")), asked, tmp_path / "b")
    had = Recommender.load(tmp_path / "b").history.about["product"].sum()
    done = update_shop(shop, asked, Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert done.version != done.parent
    assert Recommender.load(tmp_path / "b").history.about["product"].sum() > had
    assert done.news.told == "+0 events, +0 users, +0 items; what is told of them changed"


def test_a_new_item_of_a_known_label_is_news(tmp_path: Path) -> None:
    shop, asked = whole(), config("popular", goal={"lists": "brand"})
    train_shop(shop, asked, tmp_path / "b")
    items = pl.concat([shop.catalogue.frame, pl.DataFrame({"item_id": ["new"], "brand": ["b0"]})])
    update_shop(replace(shop, catalogue=Catalogue(items)), asked, Recommender.load(tmp_path / "b"), tmp_path / "b")
    now = Recommender.load(tmp_path / "b")
    told = shop.events.frame[:1].with_columns(item_id=pl.lit("new"))
    assert now.unused(Events(told, "clock"), told["user_id"]) == 0


def test_rows_in_another_order_are_no_news(tmp_path: Path) -> None:
    shop, asked = befriended(whole(), 9), config("popular", goal={"lists": "brand"})
    train_shop(shop, asked, tmp_path / "b")
    other = replace(shop, catalogue=Catalogue(shop.catalogue.frame.reverse()), links=Links(shop.links.frame.reverse()))
    done = update_shop(other, asked, Recommender.load(tmp_path / "b"), tmp_path / "b")
    assert done.version == done.parent


def test_a_log_without_times_says_whether_any_of_it_went(tmp_path: Path) -> None:
    shop = replace(whole(), events=Events(whole().events.frame.with_columns(ts_ms=pl.lit(0, pl.Int64)), "none"))
    some = replace(shop, events=Events(shop.events.frame[::2], "none"))
    train_shop(some, config("popular"), tmp_path / "b")
    old = graph_of(Recommender.load(tmp_path / "b"))
    from paretail.graph.targets import turned

    assert renewed(old, turned(shop, "item"))[1] is False
    twice = pl.concat([some.events.frame, some.events.frame])
    assert renewed(old, turned(replace(shop, events=Events(twice, "none")), "item"))[1] is False
    assert renewed(old, turned(replace(shop, events=Events(shop.events.frame[1:], "none")), "item"))[1] is True


def test_another_model_or_goal_is_refused(tmp_path: Path) -> None:
    from paretail.pipeline.update import update

    shop = whole()
    train_shop(shop, config("popular"), tmp_path / "b")
    for asked, told in (
        (config("knn"), r"\[model\] .* trained: name was 'popular' and is 'knn'\. .*UPDT-01"),
        (config("popular", goal={"repeat": True}), r"\[goal\] .* trained: repeat was .* and is True\. .*UPDT-01"),
    ):
        with pytest.raises(ConfigError, match=told):
            update(asked, tmp_path, tmp_path / "b")


def test_learned_models_go_on_from_what_they_learned(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shop = whole()
    settings = {"dim": 8, "epochs": 8, "lr": 0.02, "batch_size": 64}
    asked = config("lightgcn", settings)
    train_shop(until(shop, 0.8), asked, tmp_path / "b", budget_seconds=0.01)
    parent = Recommender.load(tmp_path / "b")
    done = update_shop(shop, asked, parent, tmp_path / "b")
    assert len(done.facts["run"]["epochs"]) == 2
    assert done.facts["settings"]["epochs"] == 8
    now = Recommender.load(tmp_path / "b")
    rows = now.items.rows(parent.items.ids)
    before, after = parent.model.arrays()["items"], now.model.arrays()["items"][rows]
    near = np.sum(before * after, axis=1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    assert np.median(near) > 0.9  # a training from the start would turn the space


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lightgcn", {"dim": 8, "epochs": 4, "lr": 1e-6, "batch_size": 64}),
        ("sequence", {"dim": 8, "heads": 2, "epochs": 4, "lr": 1e-6}),
    ],
)
def test_an_item_starts_where_its_first_events_put_it(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """The usual new item was in the catalogue for a while, and the last version learned that nobody had it."""
    pytest.importorskip("torch")
    shop, asked = whole(), config(name, settings)
    late = pl.col("item_id").is_in(shop.item_vocabulary().ids[:8].to_list())
    before = shop.events.frame.filter(~late & (pl.col("ts_ms") < pl.col("ts_ms").quantile(0.8)))
    train_shop(replace(shop, events=Events(before, "clock")), asked, tmp_path / "b", budget_seconds=0.01)
    parent = Recommender.load(tmp_path / "b")
    update_shop(shop, asked, parent, tmp_path / "b")
    model = Recommender.load(tmp_path / "b").model
    length, bias = np.linalg.norm(model.arrays()["items"], axis=1), model.arrays()["bias"]
    assert length[:8].mean() == pytest.approx(length[8:].mean(), rel=0.3)
    assert bias[:8].mean() == pytest.approx(bias[8:].mean(), abs=0.2 * float(np.ptp(bias)))
    known = parent.model.arrays()
    np.testing.assert_allclose(bias[8:], known["bias"][8:], atol=1e-3)
    if name == "sequence":  # of a graph's items all that they hear is told beside their own vectors
        np.testing.assert_allclose(model.arrays()["items"][8:], known["items"][8:], atol=1e-3)


def test_a_hybrid_shortens_what_goes_on() -> None:
    pytest.importorskip("torch")
    hybrid = model("hybrid")
    short = shortened(hybrid, hybrid.config_type.parse({"members": {"blend": {}, "lightgcn": {"epochs": 12}}}))
    assert short.members["lightgcn"]["epochs"] == 3
    sequence = model("sequence")
    assert shortened(sequence, sequence.config_type.parse({"epochs": 20})).epochs == 5
    assert shortened(model("knn"), model("knn").config_type()) == model("knn").config_type()
