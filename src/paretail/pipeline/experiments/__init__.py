"""Experiments of a shop: how they are settled, and what its store says of them (they are served in `live/arms.py`)."""
