"""What is told of users, or forgotten of them, is in the very next answer: merging, erasing, attributes and traits."""

import polars as pl
import pytest

from paretail.core.clock import now_ms
from paretail.core.errors import ParetailError, UsageError
from paretail.pipeline.live.bodies import MergeRequest, NewEvent, User
from paretail.pipeline.live.shop import LiveShop

from ...trained import DemoShop
from .conftest import Open
from .test_shop import USER, ids, unseen


def test_a_visitor_who_logs_in_brings_their_events(live: LiveShop) -> None:
    live.add_events([NewEvent("visitor", "i00000003", "buy"), NewEvent("visitor", "i00000004", "pv")])
    merged = live.merge("member", MergeRequest("visitor"))
    assert (merged.user_id, merged.events) == ("member", 2)
    assert ids(live, "member") == ids(live, "visitor")
    assert "i00000003" not in unseen(live, "member")
    live.add_events([NewEvent("visitor", "i00000005", "buy")])
    assert "i00000005" not in unseen(live, "member")
    assert live.merge("member", MergeRequest("visitor")).events == 3
    with pytest.raises(UsageError, match="LIVE-03"):
        live.merge("another", MergeRequest("visitor"))
    with pytest.raises(ParetailError):
        live.merge("visitor", MergeRequest("member"))


def test_a_known_user_merged_into_another_brings_the_bundles_history(live: LiveShop, shop: DemoShop) -> None:
    bought = set(shop.events().filter(visitor_id=USER, kind="purchase")["sku"])
    assert bought
    live.merge("new account", MergeRequest(USER))
    assert not bought & set(unseen(live, "new account"))
    assert live.profile("new account").merged == [USER]


def test_a_forgotten_user_is_nobody(open_shop: Open, shop: DemoShop) -> None:
    live = open_shop()
    live.put_users([User(USER, {"city": "Ghent"})])
    live.add_events([NewEvent(USER, "i00000003", "buy")])
    nobody = ids(live, "nobody")
    assert ids(live) != nobody
    live.forget_users([USER])
    assert ids(live) == nobody
    profile = live.profile(USER)
    assert (profile.events, profile.attributes, profile.words) == ({}, {}, "Nothing is known yet.")
    live = open_shop()
    assert ids(live) == nobody
    live.add_events([NewEvent(USER, "i00000003", "buy")])
    assert ids(live) != nobody


def test_users_are_set_and_changed(live: LiveShop) -> None:
    live.put_users([User("v", {"city": "Ghent", "age": 40.0})])
    live.change_users([User("v", {"city": "Bruges"}), User("v", {"member": True})])
    assert live.profile("v").attributes == {"city": "Bruges", "age": 40.0, "member": True}
    live.put_users([User("v", {"city": "Paris"})])
    assert live.profile("v").attributes == {"city": "Paris"}
    assert live.profile(USER).attributes  # of the users file


def test_an_erased_user_leaves_no_links_behind(open_shop: Open) -> None:
    live = open_shop()
    live.merge("member", MergeRequest("visitor"))
    live.forget_users(["member"])
    assert live.profile("member").merged == []
    live.add_events([NewEvent("visitor", "i00000003", "buy", now_ms() / 1000 + 1)])
    assert live.profile("member").events == {}
    live.merge("member", MergeRequest("visitor"))
    live = open_shop()
    assert live.profile("member").merged == ["visitor"]
    assert live.profile("member").events == {"purchase": 1}


def test_an_id_with_a_nul_is_nobody_else(live: LiveShop) -> None:
    live.put_users([User("a", {"city": "Ghent"}), User("a\0b", {"city": "Bruges"})])
    live.add_events([NewEvent("a", "i00000003", "buy"), NewEvent("a\0b", "i00000003", "buy")])
    live.forget_users(["a\0b"])
    assert live.profile("a").attributes == {"city": "Ghent"}
    assert live.profile("a\0b").attributes == {}
    assert set(live.store.events()["user_id"]) == {"a"}


def traits(live: LiveShop, user_id: str) -> dict[str, list[str]]:
    engine = live._current.engine
    about = engine.about(user_id)
    return {name: [engine.recommender.traits.values(name).name(row) for row in rows.tolist()]
            for name, (rows, _) in about.items()}  # fmt: skip


def test_the_traits_of_a_user_are_those_told_last(live: LiveShop, shop: DemoShop) -> None:
    told = pl.read_csv(shop.folder / "users.csv").filter(pl.col("visitor_id") == USER).row(0, named=True)
    columns = live._current.engine.recommender.traits.columns
    column, (name, values) = next(iter(columns.items()))
    assert traits(live, USER) == {of: [told[one]] for one, (of, _) in columns.items()}
    assert traits(live, "new") == {}
    live.put_users([User("new", {column: values.name(1), "age": 7.0}), User(USER, {column: values.name(0)})])
    assert traits(live, "new") == {name: [values.name(1)]}
    assert traits(live, USER) == {name: [values.name(0)]}
    live.merge("new", MergeRequest("visitor"))
    assert traits(live, "visitor") == {name: [values.name(1)]}
    live.forget_users(["new", USER])
    assert traits(live, "new") == traits(live, USER) == {}
