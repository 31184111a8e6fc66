"""From what the catalogue says of an item to what people's behaviour says: ridge regression, judged leaving one out.

    y_i ≈ μ + B f_i,   B = argmin Σ_i w_i ‖y_i - μ - B f_i‖² + λ ‖B‖²,   f_i = (scale_b · content_bi) over blocks b
    error left out = Σ_i w_i ‖e_i / (1 - h_i)‖²,   h_i = w_i f_iᵀ (Fᵀ W F + λ)⁻¹ f_i

y_i is a vector of the item from events, w_i = n_i / (n_i + SURE) grows with its number of events. Blocks are titles and
other texts, vector columns, labels (categories, brands, attributes) and the price. λ is that of the least error left
out; a block keeps its scale unless another one, 0 among them, is better by more than the standard error.

Sources: Z. Gantner et al., "Learning attribute-to-feature mappings for cold-start recommendations", ICDM 2010,
doi:10.1109/ICDM.2010.129 (the map); M. Saveski, A. Mantrach, "Item cold-start recommendations: learning local
collective embeddings", RecSys 2014, doi:10.1145/2645710.2645751; the error left out: D. Allen, "The relationship
between variable selection and data augmentation and a method for prediction", 1974,
doi:10.1080/00401706.1974.10489157.
Deviations: 1. Closed form instead of a map trained for the ranking (Gantner's linear map, their equation 3, is a least
squares fit too). 2. A scale a block.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.data.features.content import Content, content_of, is_text, standardised
from paretail.data.features.text import reduced, tf_idf
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.encoder import encoded

Dense = NDArray[np.float32]
Blocks = Mapping[str, Dense]

#: With so many events an item counts half: below, the noise of y is that of a count, above that of tastes.
SURE: Final = 30.0
#: Leading directions of the labels.
LABELS: Final = 128
#: λ that are tried, for blocks of mean square length 1.
STRENGTHS: Final = (1.0, 3.0, 10.0, 30.0, 100.0)
#: Factors that are tried in turn for the scale of each block.
FACTORS: Final = (0.5, 2.0, 0.0)


def content_blocks(graph: ShopGraph, text_encoder: str | None = None) -> dict[str, Dense]:
    """Return what the catalogue says of the graph's items, a standardised matrix a block, zeros where it is silent.

    With a `text_encoder` (`retrieve/encoder.py`) each text has a second block, of the encoder's vectors.
    """
    if "item" not in graph.tables:
        return {}
    table, labels = graph.tables["item"], labels_of(graph)
    blocks = dict(content_of(table))
    if labels is not None:
        blocks["labels"] = standardised(reduced(tf_idf(labels), LABELS))
    blocks |= texts_encoded(table, text_encoder)
    blocks["price"] = standardised(price_levels(table))
    return {name: matrix for name, matrix in blocks.items() if matrix.any()}


def texts_encoded(table: pl.DataFrame, text_encoder: str | None) -> Content:
    """Return each text of the catalogue as the encoder's vectors; nothing without an encoder."""
    if text_encoder is None:
        return {}
    texts = [name for name in table.columns if is_text(name, table[name])]
    found = {f"{name} encoded": standardised(encoded(table[name], text_encoder)) for name in texts}
    return {name: matrix for name, matrix in found.items() if matrix.any()}


def texts_of(graph: ShopGraph) -> list[str]:
    """Return the columns of the catalogue that are read word by word."""
    table = graph.tables.get("item")
    return [] if table is None else [name for name in table.columns if is_text(name, table[name])]


def content_in(graph: ShopGraph) -> Content:
    """Return the texts and vectors of the items, read once a graph."""
    if "content" not in graph.__dict__:
        graph.__dict__["content"] = content_of(graph.tables["item"]) if "item" in graph.tables else {}
    found: Content = graph.__dict__["content"]
    return found


def labels_of(graph: ShopGraph) -> sparse.csr_array | None:
    """Return `[items, labels]`: all categorical attributes of the catalogue side by side, None without any."""
    parts = [edges.matrix() for (source, _, target), edges in sorted(graph.edges.items())
             if source == "item" and target not in ("user", "item")]  # fmt: skip
    return sparse.csr_array(sparse.hstack(parts, format="csr")) if parts else None


def price_levels(items: pl.DataFrame) -> Dense:
    """Return `[items, 2]`: the logarithm of the price, and of its ratio to the narrowest category's median."""
    if "price_minor" not in items.columns:
        return np.zeros((items.height, 0), np.float32)
    price = pl.when(pl.col("price_minor") > 0).then(pl.col("price_minor")).log()
    category = pl.col("category").list.last() if "category" in items.columns else pl.lit(None, pl.String)
    logs = items.select(price=price, category=category)
    found = logs.select("price", ratio=pl.col("price") - pl.col("price").median().over("category"))
    known = found["price"].is_not_null().to_numpy()
    out = found.fill_null(0.0).to_numpy().astype(np.float64)
    out[known] -= out[known].mean(axis=0)
    return np.where(known[:, None], out, 0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Read:
    """How content is read: `features[items, sum of dims]`, scaled and centred over the known items; λ; w.

    `explained` is the part of the weighted variance of y that is predicted leaving the item out.
    """

    features: Dense
    strength: float
    weights: Dense
    scales: dict[str, float]
    explained: float

    def right(self) -> NDArray[np.float64]:
        """Return P[items, dims] = W F (Fᵀ W F + λ)⁻¹: what is known of items, times P, times f_j, predicts item j."""
        WF = self.weights[:, None].astype(np.float64) * self.features
        gram = self.features.T @ WF + self.strength * np.eye(self.features.shape[1])
        return np.asarray(np.linalg.solve(gram, WF.T).T)

    def predicted(self, Y: NDArray[np.floating]) -> Dense:
        """Return μ + B f for every item, from the vectors Y[items, dim] of those with events."""
        w = self.weights / max(float(self.weights.sum()), 1e-30)
        mean = w @ Y
        return np.asarray(mean + self.features @ (self.right().T @ (Y - mean)), np.float32)


def read(blocks: Blocks, Y: NDArray[np.floating], events: NDArray[np.integer]) -> Read | None:
    """Choose scales and λ for the vectors `Y[items, dim]` of items with so many `events`; None where nothing is told.

    None too where content predicts no better than the mean.
    """
    weights = (events / (events + SURE)).astype(np.float32)
    seen = np.flatnonzero(events > 0)
    if not blocks or len(seen) < 2:
        return None
    w, y = weights[seen].astype(np.float64), Y[seen].astype(np.float64)
    y -= (w @ y) / w.sum()
    nothing = w * (y**2).sum(axis=1)
    scales = dict.fromkeys(blocks, 1.0)
    best, strength = _least(_joined(blocks, scales, seen, w), y, w)
    for name in blocks:
        for factor in FACTORS:
            tried = scales | {name: scales[name] * factor}
            if any(tried.values()):
                rival, its_strength = _least(_joined(blocks, tried, seen, w), y, w)
                if _better(rival, best):
                    best, strength, scales = rival, its_strength, tried
    if not _better(best, nothing):
        return None
    whole = np.concatenate([blocks[name] * np.float32(scale) for name, scale in scales.items() if scale], axis=1)
    whole = whole - (w @ whole[seen]) / w.sum()
    explained = 1 - float(best.sum() / nothing.sum())
    return Read(whole.astype(np.float32), strength, weights, scales, explained)


def _joined(blocks: Blocks, scales: Mapping[str, float], rows: NDArray[np.integer], w: NDArray[np.float64]) -> Dense:
    """Return the scaled blocks of `rows` side by side, their weighted mean taken off."""
    parts = [blocks[name][rows] * np.float32(scale) for name, scale in scales.items() if scale]
    F = np.concatenate(parts, axis=1)
    return np.asarray(F - (w @ F) / w.sum(), np.float32)


def _least(F: Dense, y: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return each item's error left out under the λ for which they are least, and that λ."""
    root = np.sqrt(w)[:, None]
    Fw, yw = F * root, y * root
    values, Q = np.linalg.eigh((Fw.T @ Fw).astype(np.float64))
    P = Fw @ Q
    against = P.T @ yw
    found = []
    for strength in STRENGTHS:
        inverse = 1 / (np.maximum(values, 0) + strength)
        h = np.minimum((P**2) @ inverse, 0.99)
        e = (yw - P @ (inverse[:, None] * against)) / (1 - h)[:, None]
        found.append(((e**2).sum(axis=1), strength))
    return min(found, key=lambda one: float(one[0].sum()))


def _better(rival: NDArray[np.float64], errors: NDArray[np.float64]) -> bool:
    """Say whether errors fall by more than the standard error of the paired difference."""
    fall = errors - rival
    return bool(fall.mean() > fall.std() / np.sqrt(len(fall)))
