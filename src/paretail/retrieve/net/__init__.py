"""Networks of graph models, a concern a file: any point of `retrieve.spec` becomes a torch module here."""

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
