"""PCGrad: each task's gradient loses what conflicts with the others', then all are summed.

    d_i = g_i, less its projection to each g_j with <d_i, g_j> < 0, in a random order of j;   d = sum_i d_i

T. Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, arXiv:2001.06782, algorithm 1
(`moo/pcgrad.py`). Deviations: none. With two tasks neither is harmed; with more, what is projected first may conflict
again after the next.
"""

from pydantic import Field

from paretail.core.rng import rng_for
from paretail.moo.pcgrad import pcgrad
from paretail.rank.balance.base import Array, Balancer, Claims, DirectedConfig, State, directed


class PCGradConfig(DirectedConfig):
    """Settings of `pcgrad`."""

    seed: int = Field(0, description="Of the random orders.")


class PCGrad(Balancer[PCGradConfig]):
    """The sum of all gradients where none conflict."""

    config_type, needs_gram, claims = PCGradConfig, True, Claims(equivariant=False)

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return the weights by orders that follow from the seed and the number of the step."""
        step = int(state.get("step", 0))
        rng = rng_for(f"rank/balance/pcgrad/{step}", self.config.seed)

        def solve(among: Array) -> Array:
            return pcgrad(among, [rng.permutation(len(among)).tolist() for _ in among])

        return directed(gram, solve, self.config.unit_gradients), {"step": step + 1}
