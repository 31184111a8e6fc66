"""paretail: the self-hosted recommender that an online shop can steer."""

__version__ = "0.1.0"
