"""What of the ranker is learned by gradient: Gaussian tables, the network, its training and predictions.

Needs the extra `learn`.
"""

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
