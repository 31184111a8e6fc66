"""Ranking: what a user would click, put in the cart and buy, and for how much."""

from paretail.core.errors import ParetailError


class RankError(ParetailError):
    """Ranking cannot be trained or used as it was asked to."""
