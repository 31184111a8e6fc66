"""Training of the sequence model; needs torch."""

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
