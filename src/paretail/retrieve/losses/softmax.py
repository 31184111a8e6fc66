"""Sampled softmax: what a user had, among all that the user could have had, of which a sample stands for the rest.

    L = mean over (u, i) of -ln  e^{x_ui / τ} / (e^{x_ui / τ} + Σ_j e^{x_uj / τ - log(m q_j)})

for m negatives j drawn with probabilities q: the sum then is in expectation that over all items the user does not know.
Without the correction the -log(m q_j) is left out, which punishes by how often an item is drawn.

Y. Bengio, J.-S. Senécal, "Adaptive importance sampling to accelerate training of a neural probabilistic language
model", IEEE TNN 19(4), 2008, doi:10.1109/TNN.2007.912312 (the correction); J. Wu et al., "On the effectiveness of
sampled softmax loss for item recommendation", ACM TOIS 42(4), 2024, arXiv:2201.02327 (the temperature, recommendation);
X. Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019,
doi:10.1145/3298689.3346996 (negatives of the batch). Deviations: 1. what the user knows is no negative; 2. from Yi et
al.: the positive's score is not corrected, as it is there whatever was drawn, and q is that of the log, not a running
estimate.
"""

import torch

from paretail.retrieve.losses.base import Scalar, Scored
from paretail.retrieve.objective import LossConfig


def softmax(scored: Scored, config: LossConfig) -> Scalar:
    """Return the loss; an example without a free negative adds 0."""
    positive, negative = scored.positive / config.temperature, scored.negative / config.temperature
    if config.correction and scored.log_q is not None:
        negative = negative - scored.log_q
    if scored.free is not None:
        negative = negative.masked_fill(~scored.free, -torch.inf)
    everything = torch.cat([positive[:, None], negative], 1).logsumexp(1)
    return scored.mean(everything - positive)
