"""Sparse kernels that scipy lacks: products of rows into dense scores, item-to-item products, pruning; parallel by row.

Every kernel sums each output cell in one thread in a fixed order, so results do not depend on the number of threads.
Shapes that do not fit raise ValueError: a kernel would read beyond its arrays. `spread_one`, `terms`, `product` and
`in_common` run in the caller's thread, so that any number of threads may call: they are for what is asked of one user.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.kernels import parallel_kernel

Dense = NDArray[np.float32]
#: From so many times the length on, an array is searched and not read through.
SEARCHED = 16
#: From one term for so many cells on, a row of a product is summed without noting which cells it touches.
MANY = 8


def spread(left: sparse.csr_array, right: sparse.csr_array, out: Dense | None = None) -> Dense:
    """Return `left @ right` as a dense float32 array, added to `out` where that is given.

    scipy's sparse result and `toarray` take several times longer.
    """
    _check_fit(left, right)
    out = np.zeros((left.shape[0], right.shape[1]), np.float32) if out is None else out
    _spread(left.indptr, left.indices, left.data, right.indptr, right.indices, right.data, out)
    return out


def gather(left: sparse.csr_array, right: Dense) -> Dense:
    """Return `left @ right` for a dense `right[rows, dim]`."""
    _check_fit(left, right)
    out = np.zeros((left.shape[0], right.shape[1]), np.float32)
    _gather(left.indptr, left.indices, left.data, np.ascontiguousarray(right), out)
    return out


def spread_one(rows: NDArray[np.integer], weights: Dense, right: sparse.csr_array) -> Dense:
    """Return `weights @ right[rows]`, dense; rows that are not there raise IndexError."""
    rows = _rows_of(rows, right.shape[0])
    out = np.zeros(right.shape[1], np.float32)
    _spread_row(rows, weights, right.indptr, right.indices, right.data, out)
    return out


def terms(rows: NDArray[np.integer], weights: Dense, right: sparse.csr_array, columns: NDArray[np.integer]) -> Dense:
    """Return the terms that `spread_one` sums: `weights[:, None] * right[rows][:, columns]`; `columns` are distinct."""
    rows = _rows_of(rows, right.shape[0])
    place = np.full(right.shape[1], -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    out = np.zeros((len(rows), len(columns)), np.float32)
    _terms(rows, weights, right.indptr, right.indices, right.data, place, out)
    return out


def product(left: Dense, right: Dense) -> Dense:
    """Return `left @ right` of two small dense matrices; BLAS would wake its threads."""
    _check_fit(left, right)
    out = np.zeros((left.shape[0], right.shape[1]), np.float32)
    _product(np.ascontiguousarray(left), np.ascontiguousarray(right), out)
    return out


def add_to_best(scores: Dense, best: NDArray[np.integer], left: Dense, columns: Dense) -> None:
    """Add `left[user] . columns[item]`, in place, to the `best[user]` largest positive `scores[user, item]`.

    Of equal scores at the end of the best the lower items are taken.
    """
    if left.shape[1] != columns.shape[1] or scores.shape != (len(left), len(columns)) or len(best) != len(left):
        raise ValueError(f"{left.shape} and {columns.shape} do not give {scores.shape} for {len(best)} users")
    _add_to_best(scores, best, left, columns)


def pruned_product(
    left: sparse.csr_array, right: sparse.csr_array, scale: NDArray[np.float32], most: int, power: float = 1.0, *,
    diagonal: bool = False,
) -> sparse.csr_array:  # fmt: skip
    """Return `(left @ right * scale[columns]) ** power`, the `most` largest of each row, by default no diagonal.

    Entries must not be negative, `most` is 1 or more. Equal entries go to the lower column. Memory is bounded by the
    result, not by the product; columns of each row ascend.
    """
    _check_fit(left, right)
    reach = _summed(np.diff(right.indptr)[left.indices])  # of a row: how many products there are at most
    room = np.minimum(np.diff(reach[left.indptr]), min(most, right.shape[1]))
    starts = _summed(room)
    columns, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    counts = np.zeros(left.shape[0], np.int64)
    _pruned_product(
        left.indptr, left.indices, left.data, right.indptr, right.indices, right.data,
        np.asarray(scale, np.float32), power, diagonal, starts, columns, values, counts,
    )  # fmt: skip
    indptr = _summed(counts)
    _close_gaps(starts, indptr, columns, values)
    size = indptr[-1]
    return sparse.csr_array((values[:size].copy(), columns[:size].copy(), indptr), (len(counts), right.shape[1]))


def transposed(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the transpose in CSR."""
    return sparse.csr_array(matrix.T.tocsr())


def turned(indptr: NDArray[np.integer], indices: NDArray[np.integer], columns: int) -> tuple[Dense, Dense, Dense]:
    """Return the reading by column of a CSR: where each column begins, its rows ascending, and each entry's place."""
    bounds = np.zeros(columns + 1, indptr.dtype)
    rows, places = np.empty(len(indices), indices.dtype), np.empty(len(indices), indices.dtype)
    _turn(indptr, indices, bounds, rows, places)
    return bounds, rows, places


def _summed(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return where each part begins and the last one ends."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _check_fit(left: sparse.csr_array | Dense, right: sparse.csr_array | Dense) -> None:
    if left.shape[1] != right.shape[0]:
        raise ValueError(f"{left.shape} and {right.shape} cannot be multiplied")


def _rows_of(rows: NDArray[np.integer], there: int) -> NDArray[np.int32]:
    if len(rows) and not 0 <= rows.min() <= rows.max() < there:
        raise IndexError(f"rows {rows.min()} to {rows.max()} of a matrix with {there}")
    return rows.astype(np.int32, copy=False)


@parallel_kernel
def _spread(lp, li, lx, rp, ri, rx, out):  # type: ignore[no-untyped-def]
    for row in prange(len(lp) - 1):
        _spread_row(li[lp[row] : lp[row + 1]], lx[lp[row] : lp[row + 1]], rp, ri, rx, out[row])


@njit(cache=True, nogil=True)
def _spread_row(rows, weights, rp, ri, rx, cells):  # type: ignore[no-untyped-def]
    for a in range(len(rows)):
        weight, middle = weights[a], rows[a]
        for b in range(rp[middle], rp[middle + 1]):
            cells[ri[b]] += weight * rx[b]


@njit(cache=True, nogil=True)
def _terms(rows, weights, rp, ri, rx, place, out):  # type: ignore[no-untyped-def]
    for a in range(len(rows)):
        for b in range(rp[rows[a]], rp[rows[a] + 1]):
            if place[ri[b]] >= 0:
                out[a, place[ri[b]]] += weights[a] * rx[b]


@njit(cache=True, nogil=True)
def _product(left, right, out):  # type: ignore[no-untyped-def]
    for row in range(left.shape[0]):
        cells = out[row]
        for middle in range(left.shape[1]):
            weight, source = left[row, middle], right[middle]
            for column in range(right.shape[1]):
                cells[column] += weight * source[column]


@njit(cache=True, nogil=True)
def counts_in_common(values, bounds, one, other, counts):  # type: ignore[no-untyped-def]
    """Write into `counts` how many `values` the runs `one[n]` and `other[n]`, which `bounds` bounds, have in common."""
    for pair in range(len(one)):
        left = values[bounds[one[pair]] : bounds[one[pair] + 1]]
        counts[pair] = in_common(left, values[bounds[other[pair]] : bounds[other[pair] + 1]])


@njit(cache=True, nogil=True)
def in_common(left, right):  # type: ignore[no-untyped-def]
    """Return how many values two ascending arrays without repeats have in common."""
    few, many = (left, right) if len(left) < len(right) else (right, left)
    count = at = other = 0
    if SEARCHED * len(few) < len(many):
        for value in few:
            other += np.searchsorted(many[other:], value)
            count += other < len(many) and many[other] == value
        return count
    while at < len(few) and other < len(many):
        difference = few[at] - many[other]
        count += difference == 0
        at += difference <= 0
        other += difference >= 0
    return count


@parallel_kernel
def _gather(lp, li, lx, right, out):  # type: ignore[no-untyped-def]
    for row in prange(len(lp) - 1):
        cells = out[row]
        for a in range(lp[row], lp[row + 1]):
            weight, source = lx[a], right[li[a]]
            for column in range(right.shape[1]):
                cells[column] += weight * source[column]


@parallel_kernel
def _add_to_best(scores, best, left, columns):  # type: ignore[no-untyped-def]
    for user in prange(len(scores)):
        row = scores[user]
        places = np.empty(len(row), np.int32)
        count = 0
        for item in range(len(row)):
            places[count] = item
            count += row[item] > 0
        values = row[places[:count]]
        cut, free = np.float32(0.0), best[user]
        if count > free:
            cut = _largest(values.copy(), free)
            for place in range(count):
                free -= values[place] > cut
        for place in range(count):
            if values[place] < cut:
                continue
            if values[place] == cut:
                if free == 0:
                    continue
                free -= 1
            row[places[place]] += _dot(left[user], columns[places[place]])


@njit(cache=True, fastmath={"reassoc"})
def _dot(one, other):  # type: ignore[no-untyped-def]
    total = np.float32(0.0)
    for dim in range(len(one)):
        total += one[dim] * other[dim]
    return total


@parallel_kernel
def _pruned_product(lp, li, lx, rp, ri, rx, scale, power, diagonal, starts, columns, values, counts):  # type: ignore[no-untyped-def]
    rows, width = len(lp) - 1, len(scale)
    chunks = min(rows, 64)
    for chunk in prange(chunks):
        cells, touched = np.zeros(width, np.float32), np.empty(width, np.int32)
        for row in range(chunk, rows, chunks):  # interleaved: neighbouring rows differ in cost
            count = sum_row(row, lp, li, lx, rp, ri, rx, cells, touched)
            found = touched[:count]
            strength = np.empty(count, np.float32)
            for place in range(count):
                column = found[place]
                value = cells[column] * scale[column]
                strength[place] = value if power == 1.0 else value**power
                cells[column] = 0.0
            room = slice(starts[row], starts[row + 1])
            counts[row] = keep_best(-1 if diagonal else row, found, strength, columns[room], values[room])


@njit(cache=True)
def sum_row(row, lp, li, lx, rp, ri, rx, cells, found):  # type: ignore[no-untyped-def]
    """Sum a row of the product's positive terms into `cells`, all 0 before; return how many `found` are, ascending.

    Where the terms are many, all cells are read through behind them: to note each that is new takes 5 times longer.
    """
    reach = 0
    for middle in li[lp[row] : lp[row + 1]]:
        reach += rp[middle + 1] - rp[middle]
    if reach * MANY < len(cells):
        count = _row(row, lp, li, lx, rp, ri, rx, cells, found)
        found[:count] = np.sort(found[:count])
        return count
    for a in range(lp[row], lp[row + 1]):
        weight, middle = lx[a], li[a]
        for b in range(rp[middle], rp[middle + 1]):
            cells[ri[b]] += max(weight * rx[b], np.float32(0.0))
    count = 0
    for column in range(len(cells)):
        found[count] = column
        count += cells[column] > 0.0
    return count


@njit(cache=True)
def _row(row, lp, li, lx, rp, ri, rx, cells, touched):  # type: ignore[no-untyped-def]
    count = 0
    for a in range(lp[row], lp[row + 1]):
        weight, middle = lx[a], li[a]
        for b in range(rp[middle], rp[middle + 1]):
            column, part = ri[b], weight * rx[b]
            if part <= 0.0:  # a zero that is stored, or a product too small for float32
                continue
            if cells[column] == 0.0:
                touched[count] = column
                count += 1
            cells[column] += part
    return count


@njit(cache=True)
def _largest(values, rank):  # type: ignore[no-untyped-def]
    """Return the value of the given rank, 1 the largest, by quickselect; numba's partition compiles for 8 seconds."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if rank - 1 <= right:
            high = right
        elif rank - 1 >= left:
            low = left
        else:
            break
    return values[rank - 1]


@njit(cache=True)
def keep_best(row, found, strength, columns, values):  # type: ignore[no-untyped-def]
    """Copy the strongest entries but that of the column `row`, columns ascending; return how many."""
    positive = 0
    for place in range(len(found)):
        strength[place] = np.float32(0.0) if found[place] == row else strength[place]
        positive += strength[place] > 0
    cut, free = np.float32(-1.0), len(columns)
    if positive > free:
        cut = _cut(strength, free)
        above = 0
        for place in range(len(found)):
            above += strength[place] > cut
        free -= above
    count = 0
    for place in range(len(found)):
        value = strength[place]
        if value <= 0 or value < cut:
            continue
        if value == cut:
            if free == 0:
                continue
            free -= 1
        columns[count], values[count] = found[place], value
        count += 1
    return count


@njit(cache=True)
def rank_best_first(items, values):  # type: ignore[no-untyped-def]
    """Put positive values in the order of the largest, equal ones in that of their items, both in one integer each."""
    codes = values.view(np.int32)
    keys = np.empty(len(items), np.int64)
    for place in range(len(items)):
        keys[place] = (-np.int64(codes[place]) << 32) | np.int64(items[place])
    keys = np.sort(keys)
    for place in range(len(items)):
        codes[place], items[place] = -(keys[place] >> 32), keys[place] & 0x7FFFFFFF


@njit(cache=True)
def _cut(strength, rank):  # type: ignore[no-untyped-def]
    """Return the value of the given rank, 1 the largest, of which at least so many are positive.

    Of positive float32 the leading bits order as the numbers do: those are counted, and one part alone is searched.
    """
    codes = strength.view(np.int32)
    counts = np.zeros(2048, np.int32)
    for code in codes:
        if code > 0:
            counts[code >> 20] += 1
    part, above = 2047, np.int64(0)
    while above + counts[part] < rank:
        above += counts[part]
        part -= 1
    within, count = np.empty(counts[part], np.float32), 0
    for place in range(len(codes)):
        if codes[place] >> 20 == part and codes[place] > 0:
            within[count] = strength[place]
            count += 1
    return _largest(within, rank - above)


@njit(cache=True)
def _close_gaps(starts, indptr, columns, values):  # type: ignore[no-untyped-def]
    """Move the entries of each row to where those of the row before end."""
    for row in range(len(starts) - 1):
        for place in range(indptr[row + 1] - indptr[row]):
            columns[indptr[row] + place] = columns[starts[row] + place]
            values[indptr[row] + place] = values[starts[row] + place]


@njit(cache=True, nogil=True)
def _turn(indptr, indices, bounds, rows, places):  # type: ignore[no-untyped-def]
    """Sort the entries by column, counting; `bounds` is 0 on entry."""
    for column in indices:
        bounds[column + 1] += 1
    for column in range(len(bounds) - 1):
        bounds[column + 1] += bounds[column]
    at = bounds.copy()
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            place = at[indices[entry]]
            rows[place], places[place] = row, entry
            at[indices[entry]] += 1
