"""A training that was stopped goes on from what is kept of it, ends with the same bytes, and leaves nothing behind."""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from paretail.data.types import Shop
from paretail.pipeline import train
from paretail.pipeline.bundle import Bundle
from paretail.pipeline.config import ModelConfig, ShopConfig
from paretail.pipeline.resuming import Unfinished, unfinished
from paretail.pipeline.train import train_shop
from paretail.retrieve.choose import Choice
from paretail.sim.planted import planted

pytest.importorskip("torch")

from paretail.learn.keeper import Keeper
from paretail.retrieve.net import training


class Killed(BaseException):
    """What ends a process in the middle; nothing catches it."""


@pytest.fixture(scope="module")
def world() -> Shop:
    return planted(60, 40, 8).shop


def config(model: str = "lightgcn", **settings: Any) -> ShopConfig:
    small = {"dim": 8, "negatives": 16, "batch_size": 64, "epochs": 3, **settings}
    given = small if model == "lightgcn" else {"members": {"popular": {}, "lightgcn": small}}
    return ShopConfig.parse({"data": {"events": "x.csv"}, "model": {"name": model, "settings": given},
                             "rank": {"enabled": False}})  # fmt: skip


def killed_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Keep the checkpoint at every step, and die after so many of a training that has one."""
    left = [steps]

    def keep(keeper: Keeper) -> None:
        if keeper.path is not None:
            keeper.keep()
            left[0] -= 1
            if not left[0]:
                raise Killed

    monkeypatch.setattr(Keeper, "keep_if_due", keep)


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose what is given: what a choice finds within a second depends on the machine."""

    def chosen(model: Any, graph: Any, question: Any, given: dict[str, Any], *_: Any) -> Choice:
        return Choice(model.config_type.parse(given, "here"))

    monkeypatch.setattr(train, "choose", chosen)


def trained(world: Shop, out: Path, config: ShopConfig) -> dict[str, bytes]:
    train_shop(world, config, out, budget_seconds=1.0)
    return {name: array.tobytes() for name, array in Bundle.load(out).arrays["model"].items()}


@pytest.mark.parametrize("model", ["lightgcn", "hybrid"])
def test_a_killed_training_goes_on_and_ends_the_same(
    model: str, world: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(monkeypatch)
    whole = trained(world, tmp_path / "whole" / "b", config(model))
    out = tmp_path / "cut" / "b"
    with monkeypatch.context() as patch:
        killed_after(patch, 7)
        with pytest.raises(Killed):
            train_shop(world, config(model), out, budget_seconds=1.0)
    (kept,) = (out.parent / "unfinished").iterdir()
    assert "choice.json" in {path.name for path in kept.iterdir()}
    assert any(path.name.startswith("checkpoint") for path in kept.iterdir())
    monkeypatch.setattr(train, "choose", lambda *_: pytest.fail("the choice was made already"))
    said: list[str] = []
    train_shop(world, config(model), out, budget_seconds=1.0, progress=lambda text, share=0.0: said.append(text))
    assert "Going on with a training that was stopped" in said
    assert {name: array.tobytes() for name, array in Bundle.load(out).arrays["model"].items()} == whole
    assert {path.name for path in out.parent.iterdir()} == {"b"}, "nothing is left of it"


def test_other_settings_or_data_begin_anew_and_leave_what_was_kept(
    world: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "b"
    with monkeypatch.context() as patch:
        killed_after(patch, 3)
        with pytest.raises(Killed):
            train_shop(world, config(), out, budget_seconds=1.0)
        killed_after(patch, 3)
        with pytest.raises(Killed):
            train_shop(planted(60, 40, 8, 1).shop, config(), out, budget_seconds=1.0)
    trained(world, out, config(dim=4))
    kept = sorted((tmp_path / "unfinished").iterdir())
    assert len(kept) == 2
    for path in (kept[0], *kept[0].iterdir()):
        os.utime(path, (1.0, 1.0))
    trained(world, out, config(dim=4))
    assert sorted((tmp_path / "unfinished").iterdir()) == kept[1:], "what nobody came back to in a week is gone"


def held(out: Path, world: Shop, model: ModelConfig | None = None) -> AbstractContextManager[Unfinished | None]:
    graph, question = train.asked(train.turned(world, "item"), config())
    return unfinished(out, graph, question, model or config().model, 0, 1.0)


def test_the_same_training_at_once_goes_without(world: Shop, tmp_path: Path) -> None:
    with held(tmp_path / "shop", world) as first, held(tmp_path / "shop", world) as second:
        assert first is not None
        assert first.folder.parent == tmp_path / "unfinished"
        assert first.folder.name.startswith("shop-")
        assert second is None
        done = train_shop(world, config(), tmp_path / "shop", seed=0, budget_seconds=1.0)
        assert "the same training was running already" in done.account[-1]
        assert first.folder.exists(), "the second leaves what the first keeps"
    assert not (tmp_path / "unfinished").exists()


def test_where_nothing_can_be_written_nothing_is_kept(world: Shop, tmp_path: Path) -> None:
    (tmp_path / "unfinished").write_text("a file where the folder would be")
    with held(tmp_path / "shop", world) as kept:
        assert kept is None


WRONG = '{"model": "lightgcn", "remarks": [], "config": {"dim": -1}}'


@pytest.mark.parametrize("text", ['{"model": "lightg', "[]", "{}", WRONG])
def test_a_damaged_choice_is_made_again(text: str, world: Shop, tmp_path: Path) -> None:
    with held(tmp_path / "shop", world) as kept:
        assert kept is not None
        assert kept.choice() is None
        (kept.folder / "choice.json").write_text(text)
        assert kept.choice() is None


def test_a_model_of_ones_own_begins_anew_once_it_is_edited(
    world: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "my_shop_model.py"
    own.write_text("from paretail.retrieve.models.popular import Popular\nclass Mine(Popular):\n    name = 'mine'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    wanted = ModelConfig(name="my_shop_model:Mine")
    folders = []
    for _ in range(2):
        with held(tmp_path / "shop", world, wanted) as kept:
            assert kept is not None
            folders.append(kept.folder)
        own.write_text(own.read_text() + "# edited\n")
    assert folders[0] != folders[1]


def test_curves_of_validation_are_in_the_report(world: Shop, tmp_path: Path) -> None:
    settings = {"dim": 8, "negatives": 16, "batch_size": 64}
    shop = ShopConfig.parse({"data": {"events": "x.csv"}, "model": {"name": "lightgcn", "settings": settings},
                             "rank": {"enabled": False}})  # fmt: skip
    done = train_shop(world, shop, tmp_path / "b", budget_seconds=3.0)
    assert done.page is not None
    validated = done.facts["validation"]
    assert validated["best_metric"] == pytest.approx(max(epoch["metric"] for epoch in validated["epochs"]))
    assert done.facts["settings"]["epochs"] == validated["best_epoch"]
    assert done.facts["settings"]["lr_epochs"] >= len(validated["epochs"]), "the rate falls as it did in validation"
    told = done.page.read_text()
    assert told.count("<svg") == 2
    assert "NDCG@20 in validation" in told
    assert training.CHECKPOINT_MINUTES <= 1.0
