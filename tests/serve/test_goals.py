"""Presets and a shop's own goal: from shop.toml through training to lists in a file and over HTTP, refused alike."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import polars as pl
import pytest

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.bundle import Bundle, Draft, publish
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.live.shop import LiveShop
from paretail.serve.app import create_app
from paretail.serve.keys import KeyRing
from paretail.serve.run import working

from ..trained import DemoShop, paretail

Ask = Callable[..., httpx.Response]
pytest.importorskip("torch")

MODULE = '''
import numpy as np

from paretail.core.config import Config
from paretail.policy.objectives.base import Gains, Objective


class LowConfig(Config):
    below: int = 10


class Low(Objective[LowConfig]):
    """The share of a slate whose rows are low."""

    unit = "share of the slate"
    config_type = LowConfig

    def gains(self, pool, k):
        return Gains((pool.item_idx < self.config.below).astype(np.float32) / np.float32(k))


class Secret(Low):
    """Of this one shop.toml says nothing."""
'''
POLICY = """
[policy.settings]
"goals_of_this_shop:Low" = { below = 40 }
[policy.presets]
spring = { dial = { "goals_of_this_shop:Low" = 1.0 } }
stars = { dial = { "column.stars" = 1.0 } }
"""
USER = "u00000007"


@pytest.fixture(scope="module")
def bundle(shop: DemoShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the small shop's bundle under POLICY, as `train` keeps it; MODULE can be imported meanwhile."""
    folder = tmp_path_factory.mktemp("goals")
    (folder / "goals_of_this_shop.py").write_text(MODULE)
    config = shop.config_with(folder / "shop.toml")
    config.write_text(config.read_text() + POLICY)
    assert paretail("train", "--config", config, "--out", folder / "trained").code == 0
    told = Bundle.load(folder / "trained").manifest.config["policy"]
    loaded = Bundle.load(shop.bundle)
    known = loaded.manifest
    arrays = {name: dict(group) for name, group in loaded.arrays.items()}
    publish(Draft(known.config | {"policy": told}, known.data_fingerprint, known.metrics, known.facts, arrays,
                  dict(loaded.tables)), folder / "bundle")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder / "bundle"


@pytest.fixture(scope="module")
def asked(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return what asks the service of the bundle, in this process."""

    async def post(shop: LiveShop, question: dict[str, object]) -> httpx.Response:
        with closing(KeyRing(list, False)) as keys:
            async with working(shop, keys, ServeConfig()) as works:
                transport = httpx.ASGITransport(create_app(works))  # type: ignore[arg-type]  # a router is an application
                async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                    return await client.post("/v1/recommend", json=question)

    with (
        closing(EmbeddedStore.open(tmp_path_factory.mktemp("goals") / "store")) as store,
        LiveShop.open(bundle, store) as live,
    ):
        yield lambda **question: asyncio.run(post(live, question))


@pytest.mark.parametrize(("user", "line", "goals"), [
    (USER, "preset=spring", {"preset": "spring"}),
    ("u00000008", "goals_of_this_shop:Low=1", {"dial": {"goals_of_this_shop:Low": 1}}),
])  # fmt: skip
def test_a_preset_and_a_goal_of_ones_own_are_followed(
    bundle: Path, asked: Ask, tmp_path: Path, user: str, line: str, goals: dict[str, object]
) -> None:
    reply = asked(user_id=user, k=6, goals=goals, exclude=["none"])
    assert reply.status_code == 200
    body = reply.json()
    items = [line["item_id"] for line in body["items"]]
    assert "degraded" not in body
    assert body["goals"]["predicted"]["goals_of_this_shop:Low"] == pytest.approx(1.0)
    assert body["goals"]["units"]["goals_of_this_shop:Low"] == "share of the slate"
    assert body["goals"]["shares"]["goals_of_this_shop:Low"] == pytest.approx(1.0, abs=0.05)
    out = tmp_path / "slates.parquet"
    asked_for = ("--users", user, "-k", 6, "--goals", line, "--exclude", "none", "--out", out)
    done = paretail("recommend", "--bundle", bundle, *asked_for)
    assert done.code == 0, done.err
    assert pl.read_parquet(out)["item_id"].to_list() == items
    known = Bundle.load(bundle).tables["items"]["item_id"].head(40).to_list()
    assert set(items) <= set(known)


@pytest.mark.parametrize(("line", "goals", "code", "told"), [
    ("preset=sprig", {"preset": "sprig"}, "POL-04", "did you mean 'spring'?"),
    ("preset=stars", {"preset": "stars"}, "POL-02", "'stars'"),
    ("goals_of_this_shop:Secret=1", {"dial": {"goals_of_this_shop:Secret": 1}}, "POL-01", "[policy.settings]"),
])  # fmt: skip
def test_what_cannot_be_followed_is_refused_alike(
    bundle: Path, asked: Ask, tmp_path: Path, line: str, goals: dict[str, object], code: str, told: str
) -> None:
    reply = asked(user_id=USER, goals=goals)
    body = reply.json()
    assert (reply.status_code, body["error"]["code"]) == (422, code)
    assert told in " ".join(map(str, body["error"].values()))
    done = paretail("recommend", "--bundle", bundle, "--users", USER, "--goals", line, "--out", tmp_path / "o.csv")
    assert done.code != 0
    assert code in done.err
    assert told in " ".join(done.err.split())
    assert not (tmp_path / "o.csv").exists()


def test_a_goal_whose_module_is_not_there_says_so(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [part for part in sys.path if part != str(bundle.parent)])
    monkeypatch.delitem(sys.modules, "goals_of_this_shop", raising=False)
    done = paretail(
        "recommend", "--bundle", bundle, "--users", USER, "--goals", "preset=spring", "--out", tmp_path / "o.csv"
    )
    assert "POL-01" in done.err
    assert "No module named" in " ".join(done.err.split())
