"""Bundles beside that of items: categories and people follow what users do now, and each is named by its own option."""

import re
import shutil
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretail.core.clock import now_ms
from paretail.core.errors import BundleError, UsageError
from paretail.pipeline.live.bodies import (
    CategoriesRequest,
    Event,
    FriendsRequest,
    Item,
    MergeRequest,
    NewEvent,
    RecommendRequest,
)
from paretail.pipeline.live.shop import LiveShop

from ...trained import paretail
from .conftest import Open

PEOPLE, CIRCLES = 90, 3
DAY = 86_400


def circle(name: str) -> int:
    return int(name[1:]) % CIRCLES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of three circles, each with a category of its own; one bundle of each sort.

    p1 bought what has no category, and knows three people of a circle.
    """
    folder, rng = tmp_path_factory.mktemp("sides"), np.random.default_rng(1)
    items = [(f"i{n}", "Shop|" + ("Pots", "Hats", "Bikes")[n % CIRCLES]) for n in range(30)]
    pl.DataFrame([*items, ("plain", None)], ["item_id", "category"], orient="row").with_columns(
        pl.col("category").str.replace("|", " > ", literal=True)
    ).write_csv(folder / "items.csv")
    did = [(f"u{user}", f"i{circle(f'u{user}') + CIRCLES * int(item)}", "buy", 1_700_000_000 + day * DAY)
           for user in range(PEOPLE) for day, item in enumerate(rng.choice(10, 4, replace=False))]  # fmt: skip
    did.append(("p1", "plain", "buy", 1_700_000_000))
    pl.DataFrame(did, ["user_id", "item_id", "event", "ts"], orient="row").write_csv(folder / "events.csv")
    links = [(f"u{a}", f"u{b}") for a in range(PEOPLE) for b in range(a)
             if a % CIRCLES == b % CIRCLES and rng.random() < 0.3]  # fmt: skip
    links += [("p1", f"u{n}") for n in (1, 4, 7)]
    pl.DataFrame(links, ["user_id", "friend_id"], orient="row").write_csv(folder / "links.csv")
    (folder / "shop.toml").write_text(
        '[data]\nevents = "events.csv"\nitems = "items.csv"\nlinks = "links.csv"\ntime = "seconds"\n'
        "[goal]\nrepeat = true\n"
    )
    for name, target in (("items", "item"), ("categories", "category"), ("friends", "user")):
        model = '[model]\nname = "knn"\n' if name == "items" else ""
        (folder / f"{name}.toml").write_text((folder / "shop.toml").read_text() + model)
        done = paretail("train", "--config", folder / f"{name}.toml", "--out", folder / name, "--target", target)
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def live(folder: Path, open_shop: Open) -> LiveShop:
    return open_shop(
        folder / "items", categories=str(folder / "categories"), friends=str(folder / "friends"), port=8001
    )


def categories(live: LiveShop, **question: object) -> list[str]:
    return [line.item_id for line in live.categories(CategoriesRequest(**question)).items]  # type: ignore[arg-type]


def friends(live: LiveShop, **question: object) -> list[str]:
    return [line.item_id for line in live.friends(FriendsRequest(**question)).items]  # type: ignore[arg-type]


def test_categories_of_a_user_of_a_visitor_and_of_nobody(live: LiveShop) -> None:
    assert categories(live, user_id="u1", k=2) == ["Shop", "Shop > Hats"]
    assert categories(live, items=["i2", "i5"], k=2)[1:] == ["Shop > Bikes"]
    assert categories(live, events=[Event("i3", "buy")], k=2)[1:] == ["Shop > Pots"]
    assert len(categories(live)) == 4
    assert set(categories(live, user_id="u1", exclude=["purchase"])) == {"Shop > Bikes", "Shop > Pots"}
    assert categories(live, user_id="u1", exclude_ids=["Shop"], k=1) == ["Shop > Hats"]
    assert set(categories(live, filter='category = "Shop"')) == {"Shop > Pots", "Shop > Hats", "Shop > Bikes"}


def test_somebody_unknown_gets_what_most_people_bought_where_the_model_knows_nothing_of_them(
    live: LiveShop, folder: Path
) -> None:
    bought = dict(pl.read_csv(folder / "events.csv").group_by("item_id").agg(pl.col("user_id").n_unique()).rows())
    answer = live.recommend(RecommendRequest(user_id="nobody", k=10, explain=True))
    assert {line.source for line in answer.items} == {"popular"}
    counts = [bought[line.item_id] for line in answer.items]
    assert counts == sorted(bought.values(), reverse=True)[:10]
    assert [line.reason for line in answer.items] == [f"popular: {count} people bought this" for count in counts]


def test_an_event_on_an_item_is_in_the_next_list_of_categories(live: LiveShop) -> None:
    for item, name, other in ((2, "Bikes", "Pots"), (3, "Pots", "Bikes")):
        events = [NewEvent(f"fan of {name}", f"i{item + 3 * n}", "buy", ts=now_ms() / 1000) for n in range(3)]
        assert live.add_events([*events, NewEvent(f"fan of {name}", "i1", "buy")]).accepted == 4
        listed = categories(live, user_id=f"fan of {name}")
        assert listed[0] == "Shop"
        assert listed.index(f"Shop > {name}") < listed.index(f"Shop > {other}")
    answer = live.categories(CategoriesRequest(user_id="new", k=1, explain=True))
    assert "popular: 90 people bought this" in str(answer.items[0].reason)


def test_people_of_the_own_circle_whom_the_user_does_not_know(live: LiveShop, folder: Path) -> None:
    links = pl.read_csv(folder / "links.csv")
    known = {b if a == "u1" else a for a, b in links.rows() if "u1" in (a, b)}
    listed = friends(live, user_id="u1", k=8)
    assert {circle(name) for name in listed} == {1}
    assert not {"u1", *known} & set(listed)
    told = live.friends(FriendsRequest(user_id="u1", k=3, explain=True)).items[0]
    assert re.search(r'because you know "(u\d+)": \d+ others? who knows? "\1" also knows? them', str(told.reason))
    assert told.because in known


def test_somebody_without_friends_has_people_of_like_taste_at_once(live: LiveShop) -> None:
    assert {circle(name) for name in friends(live, items=["i2", "i5", "i8"], k=5)} == {2}
    live.add_events([NewEvent("new", f"i{3 * n}", "buy") for n in range(4)])
    assert {circle(name) for name in friends(live, user_id="new", k=5)} == {0}
    live.merge("known", MergeRequest("new"))
    assert {circle(name) for name in friends(live, user_id="known", k=5)} == {0}


def test_whoever_was_forgotten_is_listed_no_more(live: LiveShop) -> None:
    first = friends(live, user_id="u1", k=1)[0]
    live.forget_users([first])
    assert first not in friends(live, user_id="u1", k=90)
    forgotten = friends(live, user_id=first, k=90)
    assert first not in forgotten
    known = live.friends(FriendsRequest(user_id="p1", k=1, paths=True)).items[0].paths[0].item_id
    assert known is not None
    live.forget_users([known])
    lines = live.friends(FriendsRequest(user_id="p1", k=90, paths=True, explain=True)).items
    assert lines
    assert f'"{known}"' not in repr([(line.reason, line.paths) for line in lines])


def test_ways_to_categories_and_to_people_are_told_where_they_are_asked_for(live: LiveShop) -> None:
    told = {line.item_id: line.paths for line in live.categories(CategoriesRequest(user_id="p1", paths=True)).items}
    for category in ("Shop", "Shop > Hats"):
        assert [(way.kind, way.text) for way in told[category]] == [("friend", "3 of your 3 friends bought this")]
    assert told["Shop > Pots"] == []
    first = live.friends(FriendsRequest(user_id="p1", k=1, paths=True)).items[0]
    assert re.fullmatch(r'you know "u[147]": \d+ others? who knows? "u[147]" also knows? them', first.paths[0].text)
    assert not live.friends(FriendsRequest(user_id="p1", k=1)).items[0].paths


def test_a_filter_by_what_no_label_has_is_refused(live: LiveShop, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lists hold category, and none of these has price.*FILT-05"):
        categories(live, filter='price < 30 or category = "Shop"')
    with pytest.raises(UsageError, match=r"lists hold user, and none of these has brand or title.*FILT-05"):
        friends(live, filter='brand = "x" or title = "y"')
    out = tmp_path / "lists.csv"
    done = paretail(
        "recommend", "--bundle", folder / "categories", "--users", "all", "--out", out, "--filter", "price<3"
    )
    assert (done.code != 0, out.exists()) == (True, False)
    assert "FILT-05" in done.err


def test_items_that_are_set_are_no_categories(live: LiveShop) -> None:
    live.put_items([Item("i99", title="New", category=["Shop", "Pots"]), Item("Shop", hidden=True)])
    assert categories(live, user_id="u1", k=1) == ["Shop"]
    assert "i99" not in categories(live, user_id="u1", k=10)


def test_a_new_version_of_a_side_is_picked_up(folder: Path, tmp_path: Path, open_shop: Open) -> None:
    shutil.copytree(folder / "categories", tmp_path / "categories")
    live = open_shop(folder / "items", categories=str(tmp_path / "categories"))
    first = live.categories(CategoriesRequest()).model_version
    out = tmp_path / "categories"
    assert paretail("train", "--config", folder / "categories.toml", "--out", out, "--target", "category").code == 0
    deadline = time.monotonic() + 20
    while live.categories(CategoriesRequest()).model_version == first and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live.categories(CategoriesRequest()).model_version != first
    assert live.version != live.categories(CategoriesRequest()).model_version


def test_what_is_not_served_is_told(folder: Path, open_shop: Open) -> None:
    live = open_shop(folder / "items")
    with pytest.raises(UsageError, match=r"no bundle is served whose lists hold labels.*--categories.*LIVE-04"):
        live.categories(CategoriesRequest())
    with pytest.raises(UsageError, match=r"no bundle is served whose lists hold people.*--target user.*LIVE-04"):
        live.friends(FriendsRequest())


@pytest.mark.parametrize(
    ("bundles", "found"),
    [({"bundle": "categories"}, r"hold labels \(category\)\. .*hold items here.*--categories.*BNDL-07"),
     ({"bundle": "items", "friends": "categories"}, r"hold labels \(category\).*hold people here"),
     ({"bundle": "items", "categories": "items"}, r"hold items \(item\).*hold labels here")],
)  # fmt: skip
def test_each_bundle_is_named_by_its_own_option(
    bundles: dict[str, str], found: str, folder: Path, open_shop: Open
) -> None:
    named = {name: str(folder / bundle) for name, bundle in bundles.items() if name != "bundle"}
    with pytest.raises(BundleError, match=found):
        open_shop(folder / bundles["bundle"], **named)
