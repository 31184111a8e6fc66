"""The loop: what it does in which order, when it stops, and that a killed run ends as one that was left alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from paretail.learn import LearnError
from paretail.learn.checkpoint import load
from paretail.learn.curves import Run
from paretail.learn.loop import LoopConfig, run

from .models import SETTINGS, Towers, batches, validate

HERE = Path(__file__).resolve().parent


def _bytes(model: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def _settings(**changes: Any) -> LoopConfig:
    return SETTINGS.model_copy(update=changes)


def test_it_learns_and_keeps_the_best_weights() -> None:
    model = Towers()
    start = validate(model.eval())
    done = run(model, batches, validate, _settings(epochs=30, schedule="constant"))
    assert done.best_metric is not None
    assert done.best_metric > start / 2  # minus an error: less than half of it is left
    assert validate(model) == done.best_metric == max(e.metric for e in done.epochs if e.metric is not None)
    assert done.epochs[done.best_epoch - 1].metric == done.best_metric
    assert not model.training


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    models = [Towers() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        run(model, batches, validate, _settings(epochs=2, seed=seed))
    assert _bytes(models[0]) == _bytes(models[1]) != _bytes(models[2])


def test_it_leaves_the_callers_randomness_and_settings_as_they_were() -> None:
    torch.manual_seed(7)
    expected, generator = torch.rand(3), torch.manual_seed(7)
    run(Towers(), batches, validate, _settings(epochs=1))
    assert torch.equal(torch.rand(3, generator=generator), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_curve_has_a_row_an_epoch_and_validation_where_it_is_asked_for() -> None:
    told: list[tuple[str, float]] = []
    config = _settings(epochs=5, eval_every=2, eval_start=True, schedule="linear", warmup_steps=0)
    done = run(Towers(), batches, validate, config, progress=lambda step, share=0.0: told.append((step, share)))
    assert [e.epoch for e in done.epochs] == [0, 1, 2, 3, 4, 5]
    assert [e.metric is not None for e in done.epochs] == [True, False, True, False, True, True]
    assert [e.steps for e in done.epochs] == [0, 8, 8, 8, 8, 8]
    assert [round(e.lr, 6) for e in done.epochs[1:]] == [0.05, 0.04, 0.03, 0.02, 0.01]
    assert done.epochs[0].loss is None
    assert all(e.loss > 0 and e.figures["grad_norm"] > 0 for e in done.epochs[1:])
    assert (done.stopped, done.steps) == ("epochs", 40)
    assert [share for _, share in told] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert told[1][0].startswith("epoch 2 of 5, loss 4.")
    assert "metric -" in told[1][0]
    assert Run.of_json(done.to_json()) == done


def test_it_stops_when_validation_gains_nothing_more() -> None:
    metrics = iter([0.1, 0.3, 0.2, 0.3, 0.25, 9.0])
    model, weights = Towers(), []

    def scripted(model: Any) -> float:
        weights.append(_bytes(model))
        return next(metrics)

    done = run(model, batches, scripted, _settings(epochs=50, patience=3))
    assert (done.stopped, len(done.epochs)) == ("patience", 5)
    assert (done.best_epoch, done.best_metric) == (2, 0.3)
    assert _bytes(model) == weights[1]


def test_a_start_that_training_cannot_better_is_kept() -> None:
    model = Towers()
    start, metrics = _bytes(model), iter([1.0, 0.5, 0.4])
    done = run(model, batches, lambda _: next(metrics), _settings(eval_start=True, patience=2))
    assert done.best_epoch == 0
    assert _bytes(model) == start


def test_without_validation_it_runs_to_the_end_and_keeps_the_last_weights() -> None:
    done = run(Towers(), batches, None, _settings(epochs=3, patience=1))
    assert (done.stopped, len(done.epochs), done.best_epoch, done.best_metric) == ("epochs", 3, None, None)


def test_a_time_budget_ends_it_within_an_epoch_and_more_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    model, path = Towers(), tmp_path / "run.safetensors"
    config = _settings(epochs=4, checkpoint_minutes=100)
    done = run(model, batches, validate, config.model_copy(update={"minutes": 0.4}), path)
    assert done.stopped == "minutes"
    assert 8 < done.steps < 24
    assert next(e.steps for e in done.epochs) == 8
    assert sum(e.steps for e in done.epochs) == done.steps
    assert validate(model) == done.best_metric

    again = run(model, batches, validate, config, path)
    whole = Towers()
    alone = run(whole, batches, validate, config)
    assert _bytes(model) == _bytes(whole)
    assert [(e.steps, e.loss, e.metric) for e in again.epochs] == [(e.steps, e.loss, e.metric) for e in alone.epochs]


def test_a_killed_run_goes_on_and_ends_with_the_bytes_of_one_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    child = subprocess.Popen(
        [sys.executable, str(HERE / "train_slowly.py"), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "under way\n"
    child.kill()
    child.communicate()
    assert child.returncode == -9
    stood = load(path).state["at"]
    assert (2, 3) <= (stood["epoch"], stood["batch"]) < (3, 0)

    resumed, alone = Towers(seed=9), Towers()  # other weights to begin with: all must come from the checkpoint
    last = run(resumed, batches, validate, SETTINGS, path)
    first = run(alone, batches, validate, SETTINGS)
    assert _bytes(resumed) == _bytes(alone)
    assert [(e.loss, e.metric, e.lr) for e in last.epochs] == [(e.loss, e.metric, e.lr) for e in first.epochs]
    assert (last.best_epoch, last.best_metric, last.steps) == (first.best_epoch, first.best_metric, first.steps)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    path, model = tmp_path / "run.safetensors", Towers()
    first = run(model, batches, validate, SETTINGS, path)

    def none(epoch: int, rng: np.random.Generator) -> Iterator[Any]:
        raise AssertionError("a batch was asked for")

    other = Towers(seed=9)
    assert run(other, none, validate, SETTINGS, path) == first
    assert _bytes(other) == _bytes(model)


def test_the_state_of_a_balance_is_kept(tmp_path: Path) -> None:
    class Counting:
        needs_gram = fixed = rescales = False

        def __init__(self) -> None:
            self.state: dict[str, Any] = {"calls": 0}

        def weigh(self, gram: np.ndarray | None, losses: np.ndarray) -> np.ndarray:
            self.state = {"calls": self.state["calls"] + 1}
            return np.full(len(losses), 1.0 / self.state["calls"])

    path, config = tmp_path / "run.safetensors", _settings(epochs=2)
    short = config.model_copy(update={"minutes": 1e-9})
    models, kept = (Towers(), Towers()), Counting()
    run(models[0], batches, validate, short, path, balance=Counting())
    run(models[0], batches, validate, config, path, balance=kept)
    run(models[1], batches, validate, config, balance=Counting())
    assert kept.state == {"calls": 16}
    assert _bytes(models[0]) == _bytes(models[1])


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"seed": 3}, {"epochs": 9}])
def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run.safetensors"
    run(Towers(), batches, validate, SETTINGS, path)
    ((name, value),) = change.items()
    found = rf"run.safetensors is of another run: {name} was {getattr(SETTINGS, name)} and is {value}.*LEARN-05"
    with pytest.raises(LearnError, match=found):
        run(Towers(), batches, validate, _settings(**change), path)


def test_a_checkpoint_of_other_data_or_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    run(Towers(), batches, validate, SETTINGS, path, fingerprint="a")
    with pytest.raises(LearnError, match="fingerprint was 'a' and is 'b'"):
        run(Towers(), batches, validate, SETTINGS, path, fingerprint="b")
    other = Towers()
    other.users = nn.Embedding(31, 4)
    with pytest.raises(LearnError, match=r"shape of users.weight was \[30, 4\] and is \[31, 4\]"):
        run(other, batches, validate, SETTINGS, path, fingerprint="a")


def test_a_loss_that_breaks_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"

    def breaking(epoch: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
        for number, (users, items, rating) in enumerate(batches(epoch, rng)):
            yield users, items, rating * (float("nan") if (epoch, number) == (1, 2) else 1.0)

    with pytest.raises(LearnError, match="the loss 'loss' is nan"):
        run(Towers(), breaking, validate, _settings(checkpoint_minutes=0), path)
    assert load(path).state["at"]["step"] == 10


def test_an_epoch_without_batches_and_a_metric_that_is_no_number_are_refused() -> None:
    with pytest.raises(LearnError, match=r"epoch 1 has no batches.*LEARN-06"):
        run(Towers(), lambda epoch, rng: [], validate, SETTINGS)
    with pytest.raises(LearnError, match=r"the metric after epoch 1 is nan.*LEARN-03"):
        run(Towers(), batches, lambda _: float("nan"), SETTINGS)


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_every_optimiser_resumes_exactly(tmp_path: Path, optimiser: str) -> None:
    path, config = tmp_path / "run.safetensors", _settings(epochs=2, optimiser=optimiser)
    models = Towers(), Towers()
    run(models[0], batches, validate, config.model_copy(update={"minutes": 1e-9}), path)
    run(models[0], batches, validate, config, path)
    run(models[1], batches, validate, config)
    assert _bytes(models[0]) == _bytes(models[1])


def test_an_optimiser_of_ones_own_with_groups_follows_the_schedule() -> None:
    def groups(model: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            [{"params": model.users.parameters(), "lr": 0.2}, {"params": model.items.parameters()}], 0.1
        )

    made: list[torch.optim.Optimizer] = []
    config = _settings(epochs=2, schedule="linear", warmup_steps=0)
    run(Towers(), batches, validate, config, optimise=lambda model: made.append(groups(model)) or made[0])
    assert [group["lr"] for group in made[0].param_groups] == [0.1, 0.05]
