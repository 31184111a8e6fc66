"""Models that are trained step by step get a ranker without impressions too, within the time that was given."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from paretail.graph.targets import turned
from paretail.pipeline import funnel
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.predict import predict_to_file
from paretail.pipeline.ranking import GROUP
from paretail.pipeline.recommend import recommend_to_file
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.train import asked, published
from paretail.rank.boosted.ranker import KIND, BoostedRanker
from paretail.retrieve import fitting
from paretail.retrieve.choose import Choice
from paretail.retrieve.models.graph import LightGcn

from .test_funnel import shop

SETTINGS = {"dim": 8, "epochs": 4, "depth": 1}
CONFIG = ShopConfig.parse(
    {"data": {"events": "events.csv"}, "model": {"name": "lightgcn", "settings": SETTINGS}, "train": {"budget": "90s"}},
    "shop.toml",
)


@dataclass
class Made:
    """A bundle, the log's end, and of each model that was fitted: the end of its log, epochs, minutes, a warm start."""

    bundle: Path
    end_ms: int
    fits: list[tuple[int, int, float | None, bool]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    found, own = list[tuple[int, int, float | None, bool]](), fitting.fit

    def fit(model_type: Any, graph: Any, config: Any, seed: int, context: Any = None) -> Any:
        found.append((int(graph.history.ts_ms.max()), config.epochs, context.minutes, context.start is not None))
        return own(model_type, graph, config, seed, context)

    target = turned(shop(260), "item")
    graph, question = asked(target, CONFIG)
    config = LightGcn.config_type.parse(SETTINGS, "here")
    fitted = own(LightGcn, graph, config, 0)
    place = tmp_path_factory.mktemp("trained") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit", fit)
        published(target, graph, question, CONFIG, ("lightgcn", Choice(config), fitted), place, 0)
    return Made(place, int(graph.history.ts_ms.max()), found)


def test_its_lists_are_ranked_and_its_pairs_predicted(made: Made, tmp_path: Path) -> None:
    told = Recommender.load(made.bundle)
    assert told.manifest.facts["model"] == "lightgcn"
    assert told.manifest.facts[GROUP]["kind"] == KIND
    assert isinstance(told.ranker, BoostedRanker)
    assert list(told.ranker.modes) == ["none"]
    recommend_to_file(made.bundle, "all", tmp_path / "lists.parquet", k=10, order="purchase")
    assert pl.read_parquet(tmp_path / "lists.parquet")["user_id"].n_unique() == 260
    pairs = pl.DataFrame({"user_id": ["u0", "u1", "new"], "item_id": ["i0", "i1", "i2"]})
    pairs.write_parquet(tmp_path / "pairs.parquet")
    predict_to_file(made.bundle, tmp_path / "pairs.parquet", tmp_path / "told.parquet")
    found = pl.read_parquet(tmp_path / "told.parquet")
    assert found["p_click"].is_between(0, 1).all()
    assert found["expected_value"].is_finite().all()


def test_its_word_is_worth_something(made: Made) -> None:
    """Users who turn to an item in the next month are those of whom it was told, more than by chance."""
    ranker = Recommender.load(made.bundle).ranker
    assert isinstance(ranker, BoostedRanker)
    gain = ranker.report["modes"][ranker.mode]["gain"]
    assert gain["ndcg"] > 0.1
    assert gain["questions"] >= 200


def test_models_of_earlier_moments_are_trained_the_earliest_first_and_share_the_time(made: Made) -> None:
    ends, *settings = zip(*made.fits, strict=True)
    assert list(ends) == sorted(ends)
    assert len(ends) == funnel.MOMENTS
    assert ends[-1] < made.end_ms
    assert list(zip(*settings, strict=True)) == [(4, 0.5, False), (1, 0.5, True), (1, 0.5, True)]


def test_scores_are_told_in_deviations_of_the_users_own() -> None:
    """A model of another moment may have another scale and another level."""
    scores = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    np.testing.assert_allclose(funnel.standing(scores), funnel.standing(7 * scores - 30), atol=1e-4)
    assert (funnel.standing(np.ones((2, 5), np.float32)) == 0).all()
