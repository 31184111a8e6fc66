"""A graph as a folder: .npy arrays to be memory-mapped, ids as Arrow, graph.json to name them; no pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from paretail.core.errors import DataError, Problem
from paretail.core.files import atomic_folder
from paretail.core.ids import Vocabulary
from paretail.data.types import History
from paretail.graph.edges import EdgeSet, Relation

FORMAT = 2
HISTORY = ("indptr", "item_idx", "kind", "ts_ms", "quantity")
EDGES = ("indptr", "indices", "weight", "ts_ms")


Tables = Mapping[str, pl.DataFrame]


def write(
    folder: Path,
    nodes: Mapping[str, Vocabulary],
    history: History,
    edges: Mapping[Relation, EdgeSet],
    tables: Tables,
) -> None:
    """Write the parts of a graph to the new folder `folder`, whole or not at all."""
    described = [
        {
            "relation": list(relation),
            "targets": edges[relation].targets,
            "timed": edges[relation].ts_ms is not None,
        }
        for relation in edges
    ]
    manifest = {
        "format": FORMAT,
        "nodes": list(nodes),
        "history": {"kinds": list(history.kinds), "time": history.time},
        "edges": described,
        "tables": list(tables),
    }
    with atomic_folder(folder) as aside:
        for number, ids in enumerate(nodes.values()):
            pl.DataFrame({"id": ids.ids}).write_ipc(aside / f"nodes{number}.arrow", compression="uncompressed")
        _write_arrays(aside, "history", history, HISTORY)
        for number, edge_set in enumerate(edges.values()):
            _write_arrays(aside, f"edges{number}", edge_set, EDGES)
        for number, table in enumerate(tables.values()):
            table.write_ipc(aside / f"table{number}.arrow", compression="uncompressed")
        (aside / "graph.json").write_text(json.dumps(manifest, indent=1) + "\n")


Parts = tuple[dict[str, Vocabulary], History, dict[Relation, EdgeSet], dict[str, pl.DataFrame]]


def read(folder: Path, mmap: bool) -> Parts:
    """Read what `write` wrote, or raise DataError (GRAPH-01)."""
    try:
        manifest = json.loads((folder / "graph.json").read_text())
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}, and this program reads format {FORMAT}")
        return _read(folder, manifest, mmap)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            Problem(
                "GRAPH-01",
                f"{folder} is not a graph that can be read: {error}",
                "A folder that this version of paretail wrote, whole",
                "Build the graph again from the shop's data",
            )
        ) from None


def _read(folder: Path, manifest: dict[str, Any], mmap: bool) -> Parts:
    nodes = {
        name: Vocabulary(pl.read_ipc(folder / f"nodes{number}.arrow")["id"])
        for number, name in enumerate(manifest["nodes"])
    }
    about = manifest["history"]
    history = History(**_arrays(folder, "history", HISTORY, mmap), kinds=tuple(about["kinds"]), time=about["time"])
    edges: dict[Relation, EdgeSet] = {}
    for number, entry in enumerate(manifest["edges"]):
        source, verb, target = entry["relation"]
        names = EDGES if entry["timed"] else EDGES[:-1]
        edges[source, verb, target] = EdgeSet(
            **_arrays(folder, f"edges{number}", names, mmap), targets=entry["targets"]
        )
    tables = {name: pl.read_ipc(folder / f"table{number}.arrow") for number, name in enumerate(manifest["tables"])}
    return nodes, history, edges, tables


def _write_arrays(folder: Path, prefix: str, holder: object, names: tuple[str, ...]) -> None:
    for name in names:
        if (values := getattr(holder, name)) is not None:
            np.save(folder / f"{prefix}.{name}.npy", values, allow_pickle=False)


def _arrays(folder: Path, prefix: str, names: tuple[str, ...], mmap: bool) -> dict[str, Any]:
    mode: Literal["r"] | None = "r" if mmap else None
    return {name: np.load(folder / f"{prefix}.{name}.npy", mmap_mode=mode, allow_pickle=False) for name in names}
