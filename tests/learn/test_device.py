"""Devices, precision, threads and torch's randomness by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from paretail.core.errors import ConfigError
from paretail.learn import device
from paretail.learn.device import Place


class Pair(NamedTuple):
    x: torch.Tensor
    name: str


@dataclass(frozen=True)
class Batch:
    x: torch.Tensor
    parts: list[Pair]
    more: dict[str, object]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    return monkeypatch


def test_a_gpu_is_taken_where_there_is_one_with_mixed_precision(gpu: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    assert device.place() == device.place("cuda") == Place(cuda, torch.bfloat16)
    assert device.place(precision="full") == Place(cuda)
    assert device.place("cpu") == Place(torch.device("cpu"))
    gpu.setattr("torch.cuda.is_bf16_supported", lambda: False)
    assert device.place() == Place(cuda, torch.float16)


def test_without_a_gpu_it_is_the_cpu_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert device.place() == Place(torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"device = 'cuda'.*sees no GPU.*LEARN-02"):
        device.place("cuda")


def test_the_environment_turns_the_gpu_and_mixed_precision_off(gpu: pytest.MonkeyPatch) -> None:
    gpu.setenv("PARETAIL_PRECISION", "full")
    assert device.place() == Place(torch.device("cuda"))
    gpu.setenv("PARETAIL_DEVICE", "cpu")
    assert device.place() == Place(torch.device("cpu"))
    assert device.place("cuda") == Place(torch.device("cuda"))  # a setting goes before
    gpu.setenv("PARETAIL_DEVICE", "gpu")
    with pytest.raises(ConfigError, match=r"PARETAIL_DEVICE = 'gpu' in the environment.*auto, cpu, cuda.*LEARN-02"):
        device.place()


def test_half_precision_is_used_in_the_forward_pass_alone() -> None:
    x = torch.ones(2, 2)
    with Place(torch.device("cpu"), torch.bfloat16).autocast():
        assert (x @ x).dtype == torch.bfloat16
    with Place(torch.device("cpu")).autocast():
        assert (x @ x).dtype == torch.float32


@pytest.mark.parametrize(("half", "scales"), [(None, False), (torch.bfloat16, False), (torch.float16, True)])
def test_float16_alone_needs_a_scaler(half: torch.dtype | None, scales: bool) -> None:
    assert (Place(torch.device("cpu"), half).scaler() is not None) == scales


def test_every_tensor_of_a_batch_moves() -> None:
    x = torch.ones(2)
    batch = Batch(x, [Pair(x, "a")], {"y": (x, 3), "z": None})
    there = device.moved(batch, torch.device("meta"))
    assert there.x.is_meta
    assert there.parts[0].x.is_meta
    assert there.parts[0].name == "a"
    assert there.more["y"][0].is_meta
    assert (there.more["y"][1], there.more["z"]) == (3, None)
    assert device.moved(x, torch.device("cpu")) is x


@pytest.mark.parametrize(
    ("quota", "most"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 10**6), ("?", 10**6)]
)
def test_cores_respect_the_quota_of_a_container(tmp_path: Path, quota: str, most: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    here = device.cores(tmp_path / "absent")
    assert device.cores(file) == min(here, most)
    assert here >= 1


def test_threads_are_never_more_than_the_cores_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        assert device.use_cores(3) == torch.get_num_threads() == 3
        monkeypatch.setattr(device, "cores", lambda: 2)
        assert device.use_cores() == 2
        assert device.use_cores(1) == 1
        assert device.use_cores() == 1  # who asked for less keeps it
    finally:
        torch.set_num_threads(before)


def test_determinism_is_on_inside_and_as_before_outside() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with device.deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_streams_differ_by_name_and_seed_and_repeat() -> None:
    draws = {
        (name, seed): tuple(torch.rand(2, generator=device.generator_for(name, seed)).tolist())
        for name in ("a", "b") for seed in (0, 1) for _ in range(2)
    }  # fmt: skip
    assert len(set(draws.values())) == 4
    assert draws["a", 0] == tuple(torch.rand(2, generator=device.generator_for("a", 0)).tolist())
    assert device.seed_for("a", 0) == 8854583175898721459


def test_named_randomness_inside_leaves_the_randomness_outside() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2).tolist()
    torch.manual_seed(3)
    with device.seeded("a", 0):
        inside = torch.rand(2).tolist()
    assert inside == torch.rand(2, generator=device.generator_for("a", 0)).tolist()
    assert torch.rand(2).tolist() == expected
