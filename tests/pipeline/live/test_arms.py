"""Arms: users are divided, each is served as their arm says, and what was shown is kept with it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from paretail.data.stores.embedded import EmbeddedStore
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live.bodies import Goals, RecommendRequest
from paretail.pipeline.live.shop import LiveShop
from paretail.policy import PolicyError

from ...trained import DemoShop

pytest.importorskip("torch")

ARMS = [{"name": "live", "share": 0.5}, {"name": "bold", "share": 0.5, "goals": "diversity=1"}]


def experiment(**told: object) -> ExperimentConfig:
    return ExperimentConfig.parse({"name": "spring", "arms": ARMS} | told, "a test")


@contextmanager
def opened(shop: DemoShop, folder: Path, *experiments: ExperimentConfig) -> Iterator[LiveShop]:
    with (
        closing(EmbeddedStore.open(folder)) as store,
        LiveShop.open(shop.bundle, store, ServeConfig(), experiments) as live,
    ):
        yield live


def test_users_are_served_as_their_arm_says(shop: DemoShop, tmp_path: Path) -> None:
    told = experiment(), experiment(name="other", placement="cart")
    with opened(shop, tmp_path / "store", *told) as live:
        users = [f"u{number:08}" for number in range(40)]
        answers = [live.recommend(RecommendRequest(user_id=user, k=5)) for user in users]
        assert {answer.experiment for answer in answers} == {"spring"}
        arms = {user: answer.arm for user, answer in zip(users, answers, strict=True)}
        assert set(arms.values()) == {"live", "bold"}
        for answer in answers:
            assert (answer.goals is not None) == (answer.arm == "bold")
            assert answer.degraded == []
        again = [live.recommend(RecommendRequest(user_id=user, k=5)).arm for user in users]
        assert again == list(arms.values())
        assert live.recommend(RecommendRequest(k=5)).experiment is None
        decided = RecommendRequest(user_id=users[0], k=5, goals=Goals(dial={"clicks": 1.0}))
        assert live.recommend(decided).experiment is None
    with closing(EmbeddedStore.open(tmp_path / "store")) as store:
        kept = store.answers()
        assert kept.filter(kept["experiment"] == "spring").height == 80
        first = kept.unique("user_id", keep="first").drop_nulls("user_id")
        told_arms = dict(zip(first["user_id"], first["arm"], strict=True))
        assert {user: told_arms[user] for user in users[1:]} == {user: arms[user] for user in users[1:]}


def test_an_arm_that_cannot_be_followed_is_refused_at_the_start(shop: DemoShop, tmp_path: Path) -> None:
    unknown = experiment(arms=[ARMS[0], {"name": "bold", "share": 0.5, "goals": "preset=sprig"}])
    with pytest.raises(PolicyError, match="POL-04"), opened(shop, tmp_path / "store", unknown):
        pass
    ended = experiment(active=False, arms=unknown.model_dump()["arms"])
    with opened(shop, tmp_path / "other", ended) as live:
        assert live.recommend(RecommendRequest(user_id="u00000007", k=5)).experiment is None
