"""New items: the belief in them moves as the rule says, nothing else does, and logs of draws are right or refused."""

import numpy as np
import pytest
from numpy.typing import NDArray

from paretail.core.errors import DataError
from paretail.evaluate.offpolicy.estimate import estimate
from paretail.evaluate.offpolicy.logged import Logged
from paretail.policy.explore import draw
from paretail.policy.newcomers import WIDTH, Belief, deviates
from paretail.policy.objectives import objective
from paretail.policy.pool import Pool
from tests.policy.pools import pool

SHOWN = np.array([0.0, 5.0, 99.0, 100.0, 5000.0])


def test_the_mean_moves_nothing() -> None:
    assert not deviates("mean", SHOWN, 100, np.random.default_rng(0)).any()


def test_ucb_lifts_what_was_hardly_shown() -> None:
    np.testing.assert_array_equal(
        deviates("ucb", SHOWN, 100, np.random.default_rng(0)), [WIDTH, WIDTH, WIDTH, 0.0, 0.0]
    )


def test_thompson_draws_standard_deviates() -> None:
    drawn = deviates("thompson", np.zeros(20_000), 1, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(0.0, abs=0.03)
    assert drawn.std() == pytest.approx(1.0, abs=0.03)


LISTS, CANDS, SPREAD = 40_000, 5, 0.8
CLICKS = {"clicks": objective("clicks")}


def _thompson(heat: float, seed: int) -> tuple[Pool, Pool, NDArray[np.int32], NDArray[np.float64]]:
    """Return the pools as believed and as true, and slates of one under drawn beliefs, odds given those."""
    rng = np.random.default_rng(seed)
    truth = pool(users=2, cands=CANDS, seed=4).rows(np.zeros(LISTS, int))
    moved = deviates("thompson", np.zeros(LISTS * CANDS), 1, rng).reshape(LISTS, CANDS)
    odds = truth.p_click / (1 - truth.p_click) * np.exp(SPREAD * moved)
    believed = Pool(**{**vars(truth), "p_click": (odds / (1 + odds)).astype(np.float32)})
    drawn = draw(believed, CLICKS, {"clicks": 1.0}, 1, heat, rng)
    return believed, truth, drawn.places[:, 0], drawn.propensity[:, 0]


def _log(truth: Pool, shown: NDArray[np.int32], odds: NDArray[np.float64], wanted: int, seed: int) -> Logged:
    """Return the log of what was clicked, and how the policy that always shows `wanted` would have chosen."""
    clicked = np.random.default_rng(seed).random(LISTS) < truth.p_click[np.arange(LISTS), shown]
    return Logged(clicked.astype(np.float64), odds, (shown == wanted).astype(np.float64))


@pytest.mark.parametrize("wanted", range(CANDS))
def test_a_log_of_draws_under_drawn_beliefs_tells_what_another_policy_is_worth(wanted: int) -> None:
    _, truth, shown, odds = _thompson(0.2, wanted)
    found = estimate(_log(truth, shown, odds, wanted, wanted), "ips")
    assert not found.refused
    assert found.value == pytest.approx(truth.p_click[0, wanted], abs=1.5 * (found.high - found.value))
    assert found.high - found.value < 0.15 * found.value


def test_a_log_of_drawn_beliefs_alone_is_refused_where_certainty_would_be_a_lie() -> None:
    believed, truth, shown, odds = _thompson(0.0, 0)
    wanted = int(truth.p_click[0].argmax())
    lie = (_log(truth, shown, odds, wanted, 1).weights * truth.p_click[0, wanted]).mean()
    assert lie < 0.9 * truth.p_click[0, wanted]
    honest = Belief(believed.p_click.astype(np.float64), drawn=True).unknown(LISTS)
    assert honest is not None
    with pytest.raises(DataError, match="OFFP-01"):
        estimate(_log(truth, shown, honest, wanted, 1), "ips")
    assert Belief(believed.p_click.astype(np.float64), drawn=False).unknown(1) is None
