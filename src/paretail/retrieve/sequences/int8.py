"""Scores from item vectors of 8-bit integers: a quarter of the memory, and exact integer sums.

    v_i ≈ s_i q_i,  s_i = max |v_i| / 127,  q_i = round(v_i / s_i);   x·v_i ≈ s_x s_i Σ_f p_f q_if,  x ≈ s_x p likewise

Items stand in blocks of BLOCK, one number of all items of a block after the other, so that the sum of products of two
numbers, which fits 16 bits, is taken for many items by one instruction.

Source: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
CVPR 2018, arXiv:1712.05877. Deviations: symmetric, a scale for each vector, after training.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
BLOCK = 256


@dataclass(frozen=True, eq=False)
class Packed:
    """Item vectors as integers `[blocks, even dim, BLOCK]`, the last block filled by 0, and the scale of each item."""

    numbers: NDArray[np.int8]
    scale: Vectors

    @classmethod
    def of(cls, items: Vectors) -> Self:
        """Round `items[items, dim]`; a vector of 0 stays one."""
        numbers, scale = rounded(items)
        rows, dim = -(-len(items) // BLOCK) * BLOCK, items.shape[1] + items.shape[1] % 2
        filled = np.zeros((rows, dim), np.int8)
        filled[: len(items), : items.shape[1]] = numbers
        return cls(np.ascontiguousarray(filled.reshape(-1, BLOCK, dim).swapaxes(1, 2)), scale)

    def vectors(self, dim: int) -> Vectors:
        """Return the vectors that the integers stand for, `[items, dim]`."""
        rows = self.numbers.swapaxes(1, 2).reshape(-1, self.numbers.shape[1])[: len(self.scale), :dim]
        return np.asarray(rows * self.scale[:, None], np.float32)

    def scores(self, asked: Vectors, bias: Vectors) -> Vectors:
        """Return `asked[users, dim]` times each item's vector, plus `bias[items]`, in the caller's thread."""
        numbers, scale = rounded(asked)
        padded = np.zeros((len(asked), self.numbers.shape[1]), np.int8)
        padded[:, : asked.shape[1]] = numbers
        out = np.empty((len(asked), len(self.scale)), np.float32)
        _scores(padded, scale, self.numbers, self.scale, bias, out)
        return out


def rounded(vectors: Vectors) -> tuple[NDArray[np.int8], Vectors]:
    """Return whole numbers from -127 to 127, and the scale of each row."""
    scale = (np.abs(vectors).max(axis=1, initial=0) / np.float32(127)).astype(np.float32)
    numbers = np.rint(vectors / np.where(scale > 0, scale, 1)[:, None]).astype(np.int8)
    return numbers, scale


@njit(cache=True, nogil=True)
def _scores(asked, asked_scale, numbers, scale, bias, out):  # type: ignore[no-untyped-def]
    blocks, dim, block = numbers.shape
    sums = np.empty(block, np.int32)
    for user in range(len(asked)):
        for b in range(blocks):
            sums[:] = 0
            for f in range(0, dim, 2):
                first, second = np.int16(asked[user, f]), np.int16(asked[user, f + 1])
                for i in range(block):
                    pair = first * np.int16(numbers[b, f, i]) + second * np.int16(numbers[b, f + 1, i])
                    sums[i] += np.int32(np.int16(pair))
            for item in range(b * block, min((b + 1) * block, len(scale))):
                out[user, item] = np.float32(sums[item - b * block]) * asked_scale[user] * scale[item] + bias[item]
