"""A generator that proposes architectures and a discriminator that judges them; needs the extra `learn` (torch)."""

import paretail.learn  # noqa: F401  # says which extra is missing (LEARN-01)
