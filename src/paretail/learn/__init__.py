"""Learning by gradient: the one optimiser step, the loop, checkpoints, sparse products, the Transformer encoder.

Needs the extra `learn`; importing this package without it raises MissingExtraError (LEARN-01).
"""

from importlib.util import find_spec

from paretail.core.errors import MissingExtraError, ParetailError, Problem

if missing := [name for name in ("torch", "jaxtyping") if find_spec(name) is None]:
    raise MissingExtraError(
        Problem(
            "LEARN-01",
            f"{' and '.join(missing)} cannot be imported",
            "Models that are trained by gradient need the extra `learn`",
            "Install it: pip install 'paretail[learn]' (docs/install.md has the small build of PyTorch)",
        )
    )


class LearnError(ParetailError):
    """Training by gradient cannot go on as it was asked to."""
