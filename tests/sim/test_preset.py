"""The frozen settings are those that were measured, and nobody learns on whom it is judged by."""

import numpy as np

from paretail.sim.preset import HABITS, JUDGED_SHOPS, REWARD, TRIAL_SHOPS, frozen_shop, judges, learners
from paretail.sim.visits import Reward, VisitConfig


def test_the_preset_is_what_the_defaults_were_when_they_were_measured() -> None:
    assert VisitConfig() == HABITS
    assert Reward() == REWARD
    assert not set(TRIAL_SHOPS) & set(JUDGED_SHOPS)


def test_users_are_learned_on_or_judged_by() -> None:
    shop = frozen_shop(1)
    both = np.concatenate([learners(shop), judges(shop)])
    assert np.array_equal(np.sort(both), np.arange(shop.sizes.users))
