"""Where training starts: the leading singular vectors, nearer with each round."""

import numpy as np
from scipy import sparse

from paretail.retrieve.net.starting import spectral


def test_rounds_bring_the_start_to_the_leading_singular_vectors() -> None:
    rng = np.random.default_rng(0)
    pairs = sparse.csr_array((rng.random((300, 120)) < 0.1).astype(np.float32))
    dense = pairs.toarray()
    normal = dense / np.sqrt(dense.sum(1, keepdims=True) * dense.sum(0))
    leading = np.linalg.svd(normal)[2][:4].T

    def share(rounds: int) -> float:
        basis = np.linalg.qr(spectral(pairs, 4, rounds, 0).astype(np.float64))[0]
        return float(np.square(leading.T @ basis).sum() / 4)

    shares = [share(rounds) for rounds in (0, 1, 4, 30)]
    assert shares == sorted(shares)
    assert shares[0] < 0.9
    assert shares[-1] > 0.999
