"""Policy: which slate serves several goals at once, and how far each goal is turned up."""

from paretail.core.errors import ParetailError


class PolicyError(ParetailError):
    """A goal, dial or rule cannot be followed as it was asked for."""
