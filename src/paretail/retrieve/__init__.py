"""Candidates for every user: popular, trending, neighbours, factors and the spectral graph filter."""

from numba import config

#: Present on every machine, unlike the others; and its threads sleep between kernels, where OpenMP's spin and take
#: BLAS its cores (eigenvectors: 3 times slower). It bears one caller at a time: `pipeline/recommender.py` sees to it.
config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]  # numba sets its settings by name
