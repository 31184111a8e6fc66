"""What `[rank]` says is checked before a log is read; what a log cannot teach stops nothing after it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from paretail.core.errors import ConfigError, Problem  # torch may be missing
from paretail.learn import LearnError
from paretail.pipeline.config import ShopConfig
from paretail.pipeline.ranking import add_ranker
from paretail.pipeline.train import train
from paretail.rank.checking import check_counted, check_rank, weights_of
from paretail.rank.config import RankConfig
from paretail.rank.examples import TASKS
from paretail.rank.learned.fitting import balance_of
from paretail.rank.sharing import SHARING, sharing_settings
from paretail.rank.spaces import SPACES, space_settings

from .test_network import batch, network


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sharing": "mmo"}, r"the sharing architecture 'mmo' is not there.*did you mean 'mmoe'.*RANK-01"),
        ({"space": "esm"}, r"the space 'esm' is not there.*did you mean 'esmm'.*RANK-01"),
        ({"balance": "nahs"}, r"the balancer 'nahs' is not there.*RANK-01"),
        ({"sharing_settings": {"dmi": 8}}, r"\[rank\] sharing_settings: dmi is not a setting.*did you mean 'dim'"),
        ({"sharing_settings": {"dim": 0}}, r"\[rank\] sharing_settings: dim = 0"),
        ({"space": "escm2_dr", "space_settings": {"x": 1}}, r"\[rank\] space_settings: x is not a setting"),
        ({"balance_settings": {"weights": {"cort": 2.0}}}, r"the task 'cort'.*did you mean 'cart'.*RANK-03"),
        ({"balance_settings": {"weights": dict.fromkeys(TASKS, 0.0)}}, r"the weight 0, by task_weights or.*CONF-03"),
        (
            {"task_weights": dict.fromkeys(TASKS, 0.0), "balance": "nash"},
            r"gives click, .*, value the weight 0.*CONF-03",
        ),
    ],
)
def test_what_leads_nowhere_is_refused_before_data_are_read(
    settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = ShopConfig.parse({"data": {"events": "none.csv"}, "rank": settings})
    with pytest.raises(ConfigError, match=told):
        train(config, tmp_path, tmp_path / "bundle")
    check_rank(RankConfig(enabled=False, **settings))


def test_classes_of_ones_own_are_found_by_their_module() -> None:
    own = {"sharing": "paretail.rank.sharing.mmoe:Mmoe", "space": "paretail.rank.spaces.esmm:Esmm"}
    check_rank(RankConfig(**own))
    assert sharing_settings(own["sharing"], {"experts": 2})[0] is SHARING["mmoe"]
    assert space_settings(own["space"], {})[0] is SPACES["esmm"]


def test_weights_of_tasks_that_are_left_out_count_nothing_and_are_told() -> None:
    config = RankConfig(balance_settings={"weights": {"click": 2.0, "value": 3.0}})
    check_rank(config)
    settings, told = weights_of(config, ("click", "purchase"))
    assert settings == {"weights": {"click": 2.0}}
    assert told == ("the weight of `value` in balance_settings counts nothing: that task is left out",)
    assert balance_of(config, ("click", "purchase")).weigh(None, [1.0, 1.0]).tolist() == [2.0, 1.0]


def test_a_weight_of_0_is_told_and_weights_of_0_for_all_that_are_learned_refused() -> None:
    config = RankConfig(task_weights={"click": 0.0}, balance_settings={"weights": {"cart": 0.0}})
    assert [line[:27] for line in weights_of(config, ("click", "cart", "purchase"))[1]] == [
        "the weight of `click` is 0:", "the weight of `cart` is 0: ",
    ]  # fmt: skip
    check_counted(config, ("click", "purchase"))
    with pytest.raises(ConfigError, match=r"gives click, cart the weight 0.*CONF-03"):
        check_counted(config, ("click", "cart"))


def test_a_task_weight_replaces_its_own_alone() -> None:
    assert RankConfig(task_weights={"purchase": 2.0}).task_weights == {
        "purchase": 2.0, "cart": 0.5, "favourite": 0.5, "long_view": 0.5,
    }  # fmt: skip


def test_clicks_weigh_what_they_are_told_to() -> None:
    asked = batch()
    plain, double = (network(task_weights={"click": weight}).loss(asked) for weight in (1.0, 2.0))
    assert double.tasks["click"].item() == pytest.approx(2 * plain.tasks["click"].item())
    assert double.tasks["purchase"].item() == plain.tasks["purchase"].item()
    assert double.scales["click"] == 2


def test_a_training_that_fails_leaves_a_bundle_without_a_ranker(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*_: object) -> None:
        raise LearnError(Problem("LEARN-03", "the loss 'click' is nan", "A number", "Lower lr"))

    target = SimpleNamespace(name="item", shop=SimpleNamespace(events=None))
    graph = SimpleNamespace(history=SimpleNamespace(kinds=("impression", "click")))
    monkeypatch.setattr("paretail.rank.learned.ranker.Ranker.train", diverge)
    told = add_ranker(None, target, graph, RankConfig(), 0, lambda *_: None)  # type: ignore[arg-type]
    assert told == ("No ranker: the loss 'click' is nan. A number. Lower lr. (LEARN-03)",)
