"""Chance inside kernels: random numbers by counter, and alias tables to draw by weight.

Number n of a stream is mix(key + n γ): it follows from the key and n alone, so that no result depends on the number of
threads, nor on what was drawn before; a stream inside a stream has the key mix(key xor mix(n)).

mix and γ are those of SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014, doi:10.1145/2660193.2660195. Alias tables: M. Vose, "A linear algorithm for generating random numbers with a given
distribution", IEEE TSE 17(9), 1991, doi:10.1109/32.92917. Deviations: an entry of weight 0 is never drawn, whatever the
rounding; one random number chooses both the entry and whether it stays.
Samples without replacement: R. Floyd's algorithm, in J. Bentley, "Programming pearls: a sample of brilliance", CACM
30(9), 1987, doi:10.1145/30401.315746; where many are wanted, D. Knuth, "The art of computer programming", volume 2,
algorithm 3.4.2 S.
A random order without an array: M. Luby, C. Rackoff, "How to construct pseudorandom permutations from pseudorandom
functions", SIAM J. Comput. 17(2), 1988, doi:10.1137/0217022 (Feistel's network); what falls outside is sent through
again: J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002, doi:10.1007/3-540-45760-7_9.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from paretail.core.kernels import parallel_kernel
from paretail.core.rng import rng_for

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_CHUNKS = 64
_ROUNDS = 6


@dataclass(frozen=True, eq=False)
class AliasTables:
    """How to draw an entry of a row in proportion to its weight in constant time.

    Entry e of row r (`bounds[r] <= e < bounds[r + 1]`) stays with `chance[e]`, else `bounds[r] + other[e]` is meant.
    `total[rows]` is the weight of each row; of a row whose total is 0 nothing can be drawn.
    """

    bounds: NDArray[np.int64]
    chance: NDArray[np.float32]
    other: NDArray[np.int32]
    total: NDArray[np.float64]

    @classmethod
    def of(cls, bounds: NDArray[np.int64], weight: NDArray[np.floating]) -> Self:
        """Build in time and memory linear in the entries (8 bytes each). Weights are finite and 0 or more."""
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError("weights to draw by must be finite and 0 or more")
        chance, other = np.empty(len(weight), np.float32), np.empty(len(weight), np.int32)
        total = np.zeros(len(bounds) - 1)
        _build(bounds, weight, chance, other, total)
        return cls(bounds, chance, other, total)


def key_for(name: str, seed: int, *numbers: int) -> np.uint64:
    """Return the key of the stream `name` under `seed`; `numbers` (an epoch, a step) lead to streams within."""
    key = np.uint64(rng_for(name, seed).integers(2**64, dtype=np.uint64))
    for number in numbers:
        key = np.uint64(inner(key, number))
    return key


@njit(cache=True, nogil=True)
def mix(word):  # type: ignore[no-untyped-def]
    """Return the finaliser of SplitMix64."""
    word = (word ^ (word >> _30)) * _A
    word = (word ^ (word >> _27)) * _B
    return word ^ (word >> _31)


@njit(cache=True, nogil=True)
def inner(key, number):  # type: ignore[no-untyped-def]
    """Return the key of the stream `number` within the stream `key`."""
    return mix(key ^ mix((np.uint64(number) + np.uint64(1)) * _GAMMA))


@njit(cache=True, nogil=True)
def fraction(key, n):  # type: ignore[no-untyped-def]
    """Return number `n` of a stream in [0, 1), in steps of 2^-53."""
    return np.float64(mix(key + np.uint64(n) * _GAMMA) >> _11) * 2.0**-53


@njit(cache=True, nogil=True)
def below(key, n, bound):  # type: ignore[no-untyped-def]
    """Return number `n` of a stream as a whole number in [0, bound)."""
    return np.int64(fraction(key, n) * bound)


@njit(cache=True, nogil=True)
def by_weight(chance, other, start, stop, u):  # type: ignore[no-untyped-def]
    """Return the entry of a row's alias table that `u` in [0, 1) draws."""
    place = u * (stop - start)
    entry = start + np.int64(place)
    return entry if place - np.int64(place) < chance[entry] else start + other[entry]


@njit(cache=True, nogil=True)
def choose(key, first, size, out):  # type: ignore[no-untyped-def]
    """Fill `out` with distinct numbers out of the `size` from `first` on, each subset equally likely."""
    wanted = len(out)
    if wanted == size:
        for place in range(wanted):
            out[place] = first + place
    elif wanted * wanted < 16 * size:  # Floyd's: compares each with those before
        for place in range(wanted):
            top = size - wanted + place
            chosen = first + below(key, place, top + 1)
            for before in range(place):
                if out[before] == chosen:
                    chosen = first + top
                    break
            out[place] = chosen
    else:  # algorithm S: one pass through the numbers
        place = 0
        for number in range(size):
            if (size - number) * fraction(key, number) < wanted - place:
                out[place] = first + number
                place += 1
                if place == wanted:
                    break


@njit(cache=True, nogil=True)
def permuted(key, first, size, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the places `first` and following of a random order of the numbers below `size`."""
    half = np.uint64(1)
    while (np.int64(1) << np.int64(2 * half)) < size:
        half += np.uint64(1)
    mask = (np.uint64(1) << half) - np.uint64(1)
    for place in range(len(out)):
        number = np.uint64(first + place)
        while True:
            left, right = number >> half, number & mask
            for turn in range(_ROUNDS):
                left, right = right, left ^ (mix(right ^ inner(key, turn)) & mask)
            number = (left << half) | right
            if number < np.uint64(size):
                break
        out[place] = number


@njit(cache=True, nogil=True)
def draw_entries(key, first, chance, other, out):  # type: ignore[no-untyped-def]
    """Fill `out` with draws number `first` and following from the one row of an alias table."""
    for place in range(len(out)):
        out[place] = by_weight(chance, other, 0, len(chance), fraction(key, first + place))


@parallel_kernel
def _build(bounds, weight, chance, other, total):  # type: ignore[no-untyped-def]
    rows = len(bounds) - 1
    longest = 0
    for row in range(rows):
        longest = max(longest, bounds[row + 1] - bounds[row])
    for chunk in prange(_CHUNKS):
        scaled, stack = np.empty(longest), np.empty(longest, np.int32)
        for row in range(chunk, rows, _CHUNKS):  # interleaved: neighbouring rows differ in cost
            part = slice(bounds[row], bounds[row + 1])
            total[row] = _build_row(weight[part], chance[part], other[part], scaled, stack)


@njit(cache=True, nogil=True)
def _build_row(weight, chance, other, scaled, stack):  # type: ignore[no-untyped-def]
    """Pair entries below the mean with entries above it; the stack holds the former on the left, the latter right."""
    total, heaviest, size = 0.0, 0, len(weight)
    for entry in range(size):
        total += weight[entry]
        heaviest = entry if weight[entry] > weight[heaviest] else heaviest
        chance[entry], other[entry] = 1.0, entry
    small, large = 0, size
    for entry in range(size if total > 0 else 0):
        scaled[entry] = weight[entry] * (size / total)
        if scaled[entry] < 1.0:
            stack[small] = entry
            small += 1
        else:
            large -= 1
            stack[large] = entry
    while small > 0 and large < size:
        low, high = stack[small - 1], stack[large]
        chance[low], other[low] = scaled[low], high
        scaled[high] -= 1.0 - scaled[low]
        small -= 1
        if scaled[high] < 1.0:
            large += 1
            stack[small] = high
            small += 1
    for place in range(small):  # left over by rounding: whole, but for what must not be drawn
        if weight[stack[place]] == 0:
            chance[stack[place]], other[stack[place]] = 0.0, heaviest
    return total
