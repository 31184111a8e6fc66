"""Dynamic weight average: tasks whose losses fall more slowly weigh more.

    w_i = K exp(r_i / T) / sum_k exp(r_k / T),   r_i = L_i(t - 1) / L_i(t - 2)

S. Liu, E. Johns, A. J. Davison, "End-To-End Multi-Task Learning with Attention", CVPR 2019, arXiv:1803.10704, section
3.2. Deviations: 1. t counts windows of `window` steps in place of epochs, and L_i(t) is the mean over a window, of the
steps that had examples of the task.
"""

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.rank.balance.base import Array, Balancer, Claims, State, kept, known


class DwaConfig(Config):
    """Settings of `dwa`."""

    temperature: float = Field(2.0, gt=0, description="The greater, the more even the weights.")
    window: int = Field(100, ge=1, description="So many steps make one mean of the losses.")


class Dwa(Balancer[DwaConfig]):
    """Needs losses of 0 or more. Weights know no units, so that the direction is that of the largest loss."""

    config_type, needs_gram, claims = DwaConfig, False, Claims()

    def weights(self, gram: Array, losses: Array, state: State) -> tuple[Array, State]:
        """Return even weights in the first two windows, then those of the formula."""
        tasks, told, step = len(losses), known(losses, self), int(state.get("step", 0))
        sums, counts = kept(state, "sums", tasks), kept(state, "counts", tasks)
        last, before = kept(state, "last", tasks), kept(state, "before", tasks)
        if step and step % self.config.window == 0:
            means = np.divide(sums, counts, out=last.copy(), where=counts > 0)
            last, before, sums, counts = means, last, np.zeros(tasks), np.zeros(tasks)
        r = np.divide(last, before, out=np.ones(tasks), where=before > 0)
        raised = np.exp((r - r.max()) / self.config.temperature)
        following = {"sums": sums + losses, "counts": counts + told, "last": last, "before": before}
        return tasks * raised / raised.sum(), {k: v.tolist() for k, v in following.items()} | {"step": step + 1}
