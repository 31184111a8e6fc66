"""The Transformer of `learn/encoders.py` in numpy, for the newest token of each user: what scoring needs, and no torch.

    x_0 = item + kind + place + gap,   y = x_l + attention(norm(x_l)),   x_{l+1} = y + W_2 gelu(W_1 norm(y))

The last layer asks for the newest token alone, so that a model of one layer costs little more than its keys and values.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from paretail.retrieve.sequences.tokens import Tokens

Vectors = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]
#: What torch's LayerNorm adds to the variance.
EPSILON = np.float32(1e-5)


def encoded(weights: Weights, heads: int, tokens: Vectors) -> Vectors:
    """Return the newest of `tokens[users, length, dim]` after all layers, as `[users, dim]`.

    `weights` are those of an `Encoder` with learned positions, under its own names.
    """
    x = tokens + weights["places.weight"][: tokens.shape[1]]
    layers = 1 + max((int(name.split(".")[1]) for name in weights if name.startswith("blocks.")), default=-1)
    for number in range(layers):
        block = {name.removeprefix(f"blocks.{number}."): weight for name, weight in weights.items()}
        x = _block(block, heads, x, newest=number == layers - 1)
    return _norm(x[:, -1], weights["norm.weight"], weights["norm.bias"])


def tokens_of(weights: Weights, items: Vectors, kinds: Vectors, tokens: Tokens) -> Vectors:
    """Return the vector of each token; `weights` may know gaps."""
    x = items[tokens.item] + kinds[tokens.kind]
    return x + weights["gaps.weight"][tokens.gap] if "gaps.weight" in weights else x


def _block(block: Weights, heads: int, x: Vectors, newest: bool) -> Vectors:
    attended = _attended(block, heads, _norm(x, block["norm_before.weight"], block["norm_before.bias"]), newest)
    x = (x[:, -1:] if newest else x) + _linear(attended, block["answered.weight"], block["answered.bias"])
    inner = _norm(x, block["norm_between.weight"], block["norm_between.bias"])
    wide = _gelu(_linear(inner, block["widened.weight"], block["widened.bias"]))
    return x + _linear(wide, block["narrowed.weight"], block["narrowed.bias"])


def _attended(block: Weights, heads: int, x: Vectors, newest: bool) -> Vectors:
    users, length, dim = x.shape
    weight, bias = block["asked.weight"], block["asked.bias"]
    queries = _heads(_linear(x[:, -1:] if newest else x, weight[:dim], bias[:dim]), heads)
    keys, values = (
        _heads(_linear(x, weight[part * dim : (part + 1) * dim], bias[part * dim : (part + 1) * dim]), heads)
        for part in (1, 2)
    )
    alike = queries @ keys.swapaxes(-1, -2) / np.float32(np.sqrt(dim // heads))
    if not newest:
        alike = np.where(np.tri(length, dtype=bool), alike, np.float32(-np.inf))
    share = np.exp(alike - alike.max(axis=-1, keepdims=True))
    share /= share.sum(axis=-1, keepdims=True)
    found: Vectors = (share @ values).swapaxes(1, 2).reshape(users, -1, dim)
    return found


def _heads(x: Vectors, heads: int) -> Vectors:
    users, length, dim = x.shape
    return x.reshape(users, length, heads, dim // heads).swapaxes(1, 2)


def _linear(x: Vectors, weight: Vectors, bias: Vectors) -> Vectors:
    out: Vectors = (x.reshape(-1, x.shape[-1]) @ weight.T + bias).reshape(*x.shape[:-1], len(weight))
    return out


def _norm(x: Vectors, weight: Vectors, bias: Vectors) -> Vectors:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + EPSILON)
    return np.asarray(centred / spread * weight + bias, np.float32)


def _gelu(x: Vectors) -> Vectors:
    return np.asarray(x * np.float32(0.5) * (1 + erf(x * np.float32(np.sqrt(0.5)))), np.float32)
