"""Learning by gradient: the one optimiser step, the loop, checkpoints, sparse products, the Transformer encoder.

Needs the extra `learn`; importing this package without it raises MissingExtraError (LEARN-01).
"""

from paretail.core.errors import ParetailError, need_extra

need_extra(
    "LEARN-01", ("torch", "jaxtyping"), "Models that are trained by gradient need the extra `learn`",
    "Install it: pip install 'paretail[learn]' (docs/install.md has the small build of PyTorch)",
)  # fmt: skip


class LearnError(ParetailError):
    """Training by gradient cannot go on as it was asked to."""
