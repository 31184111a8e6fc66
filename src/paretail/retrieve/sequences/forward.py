"""The Transformer of `learn/encoders.py` compiled, for the newest token of each user: what scoring needs, and no torch.

    x_0 = item + kind + place + gap,   y = x_l + attention(norm(x_l)),   x_{l+1} = y + W_2 gelu(W_1 norm(y))

The last layer asks for the newest token alone, so that a model of one layer costs little more than its keys and values.
Users are read one after the other, none with padding, so that an answer is the same alone and among others. In numpy
a call of an operation took longer than the operation: .54 ms for a user of five events, now .06 (one layer, `dim` 64).
"""

from collections.abc import Mapping
from math import erf
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from paretail.retrieve.sequences.tokens import Sequences

Vectors = NDArray[np.float32]
#: What torch's LayerNorm adds to the variance.
EPSILON = np.float32(1e-5)
#: Sums may be taken in any order, so that they become vector code.
ANY_ORDER = {"reassoc", "contract", "nsz"}
HALF = 0.5**0.5


class Reader(NamedTuple):
    """The numbers of an encoder with learned positions: of all layers `[layers, ...]`, matrices as `[from, to]`.

    Of `norms`, `[weight or bias, dim]`, the first is before attention, the second before the wide layer. Without gaps
    `gaps` has no rows.
    """

    items: Vectors
    kinds: Vectors
    places: Vectors
    gaps: Vectors
    norms: Vectors
    query: Vectors
    query_bias: Vectors
    told: Vectors
    told_bias: Vectors
    answered: Vectors
    answered_bias: Vectors
    widened: Vectors
    widened_bias: Vectors
    narrowed: Vectors
    narrowed_bias: Vectors
    last_norm: Vectors

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[Any]], items: Vectors, kinds: Vectors) -> Self:
        """Take the weights of an `Encoder`, under its own names, and what tokens are made of."""
        dim = items.shape[1]
        layers = 1 + max((int(name.split(".")[1]) for name in weights if name.startswith("blocks.")), default=-1)
        wide = len(weights["blocks.0.widened.bias"]) if layers else 0

        def of_layers(name: str, *shape: int) -> Vectors:
            return np.array([weights[f"blocks.{row}.{name}"] for row in range(layers)], np.float32).reshape(
                layers, *shape
            )

        def norm(name: str) -> Vectors:
            return np.stack([of_layers(f"{name}.{part}", dim) for part in ("weight", "bias")], axis=1)

        def turned(matrix: Vectors) -> Vectors:
            return np.ascontiguousarray(matrix.swapaxes(1, 2))

        asked, bias = of_layers("asked.weight", 3 * dim, dim), of_layers("asked.bias", 3 * dim)
        return cls(
            np.require(items, np.float32, ["C", "W"]), np.array(kinds, np.float32),
            np.array(weights["places.weight"], np.float32),
            np.array(weights.get("gaps.weight", np.zeros((0, dim))), np.float32),
            np.stack([norm("norm_before"), norm("norm_between")], axis=1),
            turned(asked[:, :dim]), np.ascontiguousarray(bias[:, :dim]),
            turned(asked[:, dim:]), np.ascontiguousarray(bias[:, dim:]),
            turned(of_layers("answered.weight", dim, dim)), of_layers("answered.bias", dim),
            turned(of_layers("widened.weight", wide, dim)), of_layers("widened.bias", wide),
            turned(of_layers("narrowed.weight", dim, wide)), of_layers("narrowed.bias", dim),
            np.array([weights["norm.weight"], weights["norm.bias"]], np.float32),
        )  # fmt: skip

    def newest(self, told: Sequences, heads: int, length: int) -> Vectors:
        """Return the newest token after all layers, `[users, dim]`, of up to `length` events; 0 without events."""
        out = np.zeros((len(told.indptr) - 1, self.items.shape[1]), np.float32)
        indptr = np.array(told.indptr)  # a log's own may be read-only, which would be compiled anew
        _read(self, heads, length, indptr, told.item, told.kind, told.gap, out)
        return out


@njit(cache=True, nogil=True, fastmath=ANY_ORDER)
def _read(reader, heads, length, indptr, item, kind, gap, out):  # type: ignore[no-untyped-def]
    layers = len(reader.query)
    for user in range(len(out)):
        start, end = max(indptr[user], indptr[user + 1] - length), indptr[user + 1]
        if start == end:
            continue
        x = _tokens(reader, item, kind, gap, start, end)
        for layer in range(layers):
            first = len(x) - 1 if layer == layers - 1 else 0
            x = _block(reader, layer, heads, x, first)
        _normed(x[len(x) - 1 :], reader.last_norm, out[user : user + 1])


@njit(cache=True, fastmath=ANY_ORDER)
def _tokens(reader, item, kind, gap, start, end):  # type: ignore[no-untyped-def]
    x = np.empty((end - start, reader.items.shape[1]), np.float32)
    for t in range(len(x)):
        i, k, g = item[start + t], kind[start + t], gap[start + t]
        for f in range(x.shape[1]):
            x[t, f] = reader.items[i, f] + reader.kinds[k, f] + reader.places[t, f]
            if len(reader.gaps):
                x[t, f] += reader.gaps[g, f]
    return x


@njit(cache=True, fastmath=ANY_ORDER)
def _block(reader, layer, heads, x, first):  # type: ignore[no-untyped-def]
    """Return the tokens from `first` on."""
    inner = np.empty(x.shape, np.float32)
    _normed(x, reader.norms[layer, 0], inner)
    told, query = np.dot(inner, reader.told[layer]), np.dot(inner[first:], reader.query[layer])
    _add_bias(told, reader.told_bias[layer])
    _add_bias(query, reader.query_bias[layer])
    x, wanted = x[first:], inner[first:]
    _attend(heads, first, query, told, wanted)
    answered = np.dot(wanted, reader.answered[layer])
    _add(answered, x, reader.answered_bias[layer])
    _normed(answered, reader.norms[layer, 1], wanted)
    wide = np.dot(wanted, reader.widened[layer])
    _add_bias(wide, reader.widened_bias[layer])
    _gelu(wide)
    out = np.dot(wide, reader.narrowed[layer])
    _add(out, answered, reader.narrowed_bias[layer])
    return out


@njit(cache=True, fastmath=ANY_ORDER)
def _attend(heads, first, query, told, out):  # type: ignore[no-untyped-def]
    """Write to `out` what queries from token `first` on find in keys and values, `told` side by side."""
    dim = query.shape[1]
    width, share = dim // heads, np.empty(len(told), np.float32)
    scale = np.float32(1 / np.sqrt(width))
    out[:] = 0
    for head in range(heads):
        low, high = head * width, (head + 1) * width
        for t in range(len(query)):
            seen = first + t + 1
            most, total = np.float32(-np.inf), np.float32(0)
            for before in range(seen):
                alike = np.float32(0)
                for f in range(low, high):
                    alike += query[t, f] * told[before, f]
                share[before] = alike * scale
                most = max(most, share[before])
            for before in range(seen):
                share[before] = np.exp(share[before] - most)
                total += share[before]
            for before in range(seen):
                part = share[before] / total
                for f in range(low, high):
                    out[t, f] += part * told[before, dim + f]


@njit(cache=True)
def _gelu(x):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for f in range(x.shape[1]):
            x[t, f] *= np.float32(0.5 * (1 + erf(x[t, f] * HALF)))


@njit(cache=True)
def _add_bias(x, bias):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for f in range(x.shape[1]):
            x[t, f] += bias[f]


@njit(cache=True)
def _add(x, other, bias):  # type: ignore[no-untyped-def]
    for t in range(x.shape[0]):
        for f in range(x.shape[1]):
            x[t, f] += other[t, f] + bias[f]


@njit(cache=True, fastmath=ANY_ORDER)
def _normed(x, weight_and_bias, out):  # type: ignore[no-untyped-def]
    """Write to `out` rows of mean 0 and variance 1, weighed and shifted."""
    dim = x.shape[1]
    for t in range(len(x)):
        mean, square = np.float32(0), np.float32(0)
        for f in range(dim):
            mean += x[t, f]
        mean /= np.float32(dim)
        for f in range(dim):
            square += (x[t, f] - mean) ** 2
        scale = np.float32(1) / np.sqrt(square / np.float32(dim) + EPSILON)
        for f in range(dim):
            out[t, f] = (x[t, f] - mean) * scale * weight_and_bias[0, f] + weight_and_bias[1, f]
