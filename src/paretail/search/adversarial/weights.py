"""Networks' weights as arrays under names, and back: what a state keeps, and a stream of randomness of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def kept(nets: Mapping[str, nn.Module]) -> dict[str, NDArray[np.float32]]:
    """Return the weights of each of `nets`, called NET/WEIGHT."""
    return {
        f"{part}/{name}": weight.detach().numpy().copy()
        for part, net in nets.items()
        for name, weight in net.named_parameters()
    }


def restore(nets: Mapping[str, nn.Module], state: Mapping[str, Any]) -> None:
    """Set the weights of `nets` to those that `kept` returned."""
    with torch.no_grad():
        for part, net in nets.items():
            for name, weight in net.named_parameters():
                weight.copy_(torch.from_numpy(np.array(state[f"{part}/{name}"], np.float32)))


def stream(seed: int) -> torch.Generator:
    """Return a generator of random numbers that nobody else draws from."""
    return torch.Generator().manual_seed(seed)
