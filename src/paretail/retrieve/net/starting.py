"""Where training starts: items' vectors at the leading singular vectors of the events, biases at popularity.

    D_u^(-1/2) R D_i^(-1/2) = U S V',   e_i = f_i = c (V S^(1/2))_i,   b_i = p log n_i

with c such that the numbers of the vectors have the mean square 0.01, as random ones would. LightGCN's sums converge to
these vectors from any start: X. He et al., 2020, arXiv:2002.02126; Y. Shen et al., "How powerful is graph convolution
for recommendation?", CIKM 2021, arXiv:2108.07567. Deviations: a start, not a model.
A warm start takes over what an earlier network had trained. Nodes that are new keep their own start; where that is
spectral, it is first turned into the earlier vectors' coordinates by the rotation Q that minimises ‖X Q - Y‖ over the
nodes known to both: P. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31(1),
1966, doi:10.1007/BF02289451. Deviations: none.
"""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from paretail.core.eigen import eigenpairs
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.retrieve.net.inputs import SPREAD, slot
from paretail.retrieve.net.network import Network


def start(network: Network, pairs: sparse.csr_array, seed: int) -> None:
    """Put the vectors and biases of `network` where its specification wants them to start."""
    spec = network.spec
    with torch.no_grad():
        if network.bias is not None:
            events = np.bincount(pairs.indices, minlength=pairs.shape[1])
            network.bias.copy_(torch.from_numpy(spec.bias_start * np.log(np.maximum(events, 1))))
        tables = [inputs.ids for inputs in (network.items, network.profile) if inputs is not None]
        if spec.start == "spectral" and pairs.nnz:
            vectors = torch.from_numpy(spectral(pairs, spec.dim, spec.start_rounds, seed))
            for table in tables:
                if table is not None:
                    table[:, : vectors.shape[1]] = vectors


def go_on(
    network: Network, trained: Mapping[str, Tensor], rows: Mapping[str, Rows], texts: Collection[str] = ()
) -> None:
    """Take over weights of an earlier network by name, with `rows` of each type of node: where each stands now, or -1.

    What has another shape now starts anew, and so do the maps of `texts`: their vectors are leading directions of the
    texts that there are, and those of a larger catalogue are others.
    """
    anew = {f"maps.{slot(name)}" for name in texts}
    kinds = network.kinds()
    with torch.no_grad():
        for name, param in network.state_dict().items():
            before, kind = trained.get(name), kinds.get(name)
            if before is None or name.partition(".")[2] in anew or before.shape[1:] != param.shape[1:]:
                continue
            if kind is None:
                if before.shape == param.shape:
                    param.copy_(before)
            elif kind in rows and len(rows[kind]) == len(before):
                there = torch.from_numpy(rows[kind] >= 0)
                now = torch.from_numpy(rows[kind].astype(np.int64))[there]
                if network.spec.start == "spectral" and name.endswith(".ids"):
                    param.copy_(param @ rotation(param[now], before[there]))
                param[now] = before[there]


def rotation(X: Float[Tensor, "nodes dim"], Y: Float[Tensor, "nodes dim"]) -> Float[Tensor, "dim dim"]:
    """Return the Q with Q'Q = 1 that brings the rows of X nearest to those of Y."""
    left, _, right = torch.linalg.svd(X.T @ Y)
    turn: Tensor = left @ right
    return turn


def spectral(pairs: sparse.csr_array, dim: int, rounds: int, seed: int) -> NDArray[np.float32]:
    """Return the start `[items, rank]` of items' vectors; `rank` is `dim`, or less where the events have less.

    Few rounds of subspace iteration leave in them much of what lies beyond the leading `dim`.
    """
    user, item = (np.asarray(pairs.sum(axis=axis)) for axis in (1, 0))
    row = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    data = pairs.data / np.sqrt(user[row] * item[pairs.indices])
    normal = sparse.csr_array((data.astype(np.float32), pairs.indices, pairs.indptr), shape=pairs.shape)
    found = eigenpairs(normal, dim, rounds, rng_for("retrieve/net/start", seed))
    vectors = found.vectors * found.values**0.25
    scale = SPREAD / np.sqrt(np.mean(vectors**2))
    return np.asarray(scale * vectors, np.float32)
