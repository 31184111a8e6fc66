"""Candidates for every user: popular, trending, neighbours, factors and the spectral graph filter."""
