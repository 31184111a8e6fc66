"""The frozen settings by which agents are trained and judged: written out, so that no later default moves them.

Chosen before any agent was trained, and measured there with a constant slate, the informed heuristic and the greedy
oracle (`benchmarks/visits`, docs/lab/LOG.md). An agent learns on the users of `learners()` and is judged by the others.
"""

from typing import Final

import numpy as np

from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.sim.truth import SimConfig, grow
from paretail.sim.visits import Reward, VisitConfig, Visits

SIZES: Final = SimConfig(users=2000, items=1000)
HABITS: Final = VisitConfig(
    slots=10, longest=30, life=False, days=60.0, slope=0.3, dulls=0.4, seen=2.0, keep=0.8, quit=0.02, haste=1.5,
    anchor=0.5, learns=0.3, fit=0.5, pleased=0.15, glad=0.5, sorry=1.0, tired=0.3, churn=-1.5, gap_days=7.0, sooner=0.3,
    rest_days=3.0, blur=0.3,
)  # fmt: skip
REWARD: Final = Reward(clicks=1.0, purchases=1.0, revenue=0.0, profit=0.0, staying=0.0)
#: Shops on which agents are developed, and those on which they are judged.
TRIAL_SHOPS: Final = (1, 2)
JUDGED_SHOPS: Final = (21, 22, 23, 24, 25)


def frozen_shop(seed: int) -> Visits:
    """Return the shop of `seed` with the frozen settings."""
    return Visits(grow(SIZES, rng_for("sim/truth", seed)), HABITS)


def learners(shop: Visits) -> Rows:
    """Return the users on whom an agent may learn: the first half."""
    return np.arange(shop.sizes.users // 2, dtype=np.int32)


def judges(shop: Visits) -> Rows:
    """Return the users by whom an agent is judged: the second half."""
    return np.arange(shop.sizes.users // 2, shop.sizes.users, dtype=np.int32)
