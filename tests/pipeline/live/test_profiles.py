"""Somebody of whom nothing but a profile is known is served by a model that reads it, with an honest reason."""

from pathlib import Path
from typing import Any

import polars as pl

from paretail.pipeline.live.bodies import RecommendRequest, User
from paretail.pipeline.live.shop import LiveShop

from ...trained import DemoShop, paretail
from .conftest import Open


def asked(live: LiveShop, user_id: str) -> Any:
    return live.recommend(RecommendRequest(user_id=user_id, k=20, explain=True))


def test_a_profile_alone_is_served_by_content_and_told_by_its_trait(
    open_shop: Open, shop: DemoShop, tmp_path: Path
) -> None:
    config = shop.config_with(tmp_path / "shop.toml", "content")
    assert paretail("train", "--config", config, "--out", tmp_path / "b", "--budget", "1s").code == 0
    live = open_shop(tmp_path / "b")
    live.put_users([User("fresh", {"country": "DE"})])
    known, nobody = asked(live, "fresh"), asked(live, "nobody")
    assert [item.item_id for item in known.items] != [item.item_id for item in nobody.items]
    assert {item.source for item in nobody.items} == {"popular"}
    people = pl.read_csv(shop.folder / "users.csv").filter(country="DE")["visitor_id"]
    bought = shop.events().filter(pl.col("visitor_id").is_in(people.implode()), kind="purchase")
    told = [item for item in known.items if item.source == "content"]
    assert told
    for item in told:
        count = bought.filter(sku=item.item_id)["visitor_id"].n_unique()
        assert item.reason == f"popular with people of your country (DE): {count} of {len(people)} bought this"
