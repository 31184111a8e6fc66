"""Checkpoints: what is kept comes back to the bit, and a file is whole, ours, or refused."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from paretail.learn import LearnError
from paretail.learn.checkpoint import Checkpoint, load, packed, save, unpack
from paretail.learn.step import step

TENSORS = {
    "a/x": torch.tensor([[1.5, float("nan")], [-0.0, 3e-40]]), "a/y": torch.tensor(7), "b": torch.zeros(0, 3),
    "half": torch.tensor([1.0, 2.0], dtype=torch.bfloat16), "rows": torch.arange(6).view(2, 3).T,
}  # fmt: skip


def test_tensors_and_counters_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "c.safetensors"
    state = {"step": 3, "best": None, "sums": {"loss": 0.1 + 0.2}, "name": "Größe", "list": [1, 2]}
    save(path, Checkpoint(TENSORS, state))
    kept = load(path)
    assert kept.state == state
    assert set(kept.tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert kept.tensors[name].dtype == tensor.dtype
        torch.testing.assert_close(kept.tensors[name], tensor, rtol=0, atol=0, equal_nan=True)
    assert set(kept.under("a")) == {"x", "y"}


def test_tensors_that_share_memory_are_kept(tmp_path: Path) -> None:
    tied = torch.ones(4)
    save(tmp_path / "c", Checkpoint({"one": tied, "two": tied, "part": tied[:2]}, {}))
    assert {name: t.tolist() for name, t in load(tmp_path / "c").tensors.items()} == {
        "one": [1] * 4, "two": [1] * 4, "part": [1] * 2
    }  # fmt: skip


def test_a_save_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save(path, Checkpoint(TENSORS, {"step": 1}))
    with pytest.raises(TypeError):
        save(path, Checkpoint(TENSORS, {"step": object()}))
    assert load(path).state == {"step": 1}
    assert os.listdir(tmp_path) == ["c.safetensors"]


@pytest.mark.parametrize("harm", ["cut", "foreign", "empty"])
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, harm: str) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "c.safetensors"
    save(path, Checkpoint(TENSORS, {}))
    if harm == "foreign":
        save_file({"x": torch.ones(2)}, path)
    else:
        path.write_bytes(path.read_bytes()[: 40 if harm == "cut" else 0])
    with pytest.raises(LearnError, match=r"c\.safetensors: .*Delete it to train from the start.*LEARN-04"):
        load(path)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "NAdam"])
def test_an_optimiser_goes_on_as_if_it_had_never_stopped(tmp_path: Path, kind: str) -> None:
    def made() -> tuple[list[nn.Parameter], torch.optim.Optimizer]:
        params = [nn.Parameter(torch.tensor([1.0, -2.0])), nn.Parameter(torch.tensor([[0.5]]))]
        return params, getattr(torch.optim, kind)(params, lr=0.1, weight_decay=0.01)

    def go(params: list[nn.Parameter], optimiser: torch.optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            step(params[0].square().sum() * params[1].sum().exp(), params, optimiser)

    left, stopped, resumed = made(), made(), made()
    go(*left, 4)
    go(*stopped, 2)
    part = packed(stopped[1])
    save(tmp_path / "c", Checkpoint({**part.tensors}, part.state))
    unpack(resumed[1], load(tmp_path / "c"))
    for to, of in zip(resumed[0], stopped[0], strict=True):
        to.data.copy_(of.data)
    go(*resumed, 2)
    assert [p.tolist() for p in resumed[0]] == [p.tolist() for p in left[0]]
