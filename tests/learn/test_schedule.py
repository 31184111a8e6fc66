"""Learning rates by hand."""

import pytest

from paretail.learn.schedule import SCHEDULES, share_of_lr


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [("constant", [1, 1, 1, 1]), ("linear", [1, 0.75, 0.5, 0.25]), ("cosine", [1, 0.853553, 0.5, 0.146447])],
)
def test_shares_of_four_epochs(schedule: str, shares: list[float]) -> None:
    assert [share_of_lr(schedule, epoch, 4, 99, 0) for epoch in range(4)] == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_starts_whole_never_grows_and_never_ends_at_nothing(schedule: str) -> None:
    shares = [share_of_lr(schedule, epoch, 20, 0, 0) for epoch in range(20)]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] > 0


def test_warm_up_rises_over_its_steps_and_meets_the_schedule() -> None:
    assert [share_of_lr("constant", 0, 1, step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert share_of_lr("linear", 1, 2, 0, 4) == pytest.approx(0.125)
