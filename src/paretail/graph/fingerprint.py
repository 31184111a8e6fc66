"""The fingerprint of a graph: equal data give equal fingerprints, whatever made them."""

from hashlib import sha256

import numpy as np
import polars as pl

from paretail.graph.shopgraph import ShopGraph


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
        digest.update(name.encode() + _told(table))
    return digest.hexdigest()


def _told(table: pl.DataFrame) -> bytes:
    return table.write_ndjson().encode()
