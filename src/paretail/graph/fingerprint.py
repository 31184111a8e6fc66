"""The fingerprint of a graph: equal data give equal fingerprints, whatever made them."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import numpy as np
import polars as pl

from paretail.data.features.content import is_vector
from paretail.graph.shopgraph import ShopGraph

#: Rows of a table that are written as text at once.
ROWS: Final = 10_000


def fingerprint(graph: ShopGraph) -> str:
    """Return a SHA-256 (hex) of all that a graph holds: events, ids, edges, and what the shop tells of each node."""
    digest, history = sha256(), graph.history
    arrays = [history.indptr, history.item_idx, history.kind, history.ts_ms, history.quantity]
    digest.update("/".join(history.kinds).encode())
    for relation, edges in sorted(graph.edges.items()):
        digest.update("/".join(relation).encode())
        matrix = edges.matrix()
        arrays += [matrix.indptr, matrix.indices, matrix.data]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    for name, nodes in sorted(graph.nodes.items()):
        digest.update(f"{name}\n".encode() + "\n".join(nodes.ids.to_list()).encode())
    for name, table in sorted(graph.tables.items()):
        digest.update(name.encode())
        for part in _told(table):
            digest.update(part)
    return digest.hexdigest()


def _told(table: pl.DataFrame) -> Iterator[bytes]:
    """Yield what a table holds, a block of rows at a time; vectors as they lie in memory."""
    vectors = [name for name, dtype in table.schema.items() if is_vector(dtype)]
    for name in vectors:
        yield name.encode() + table[name].is_null().to_numpy().tobytes()
        yield table[name].drop_nulls().to_numpy().tobytes()
    for block in table.drop(vectors).iter_slices(ROWS):
        yield block.write_ndjson().encode()
