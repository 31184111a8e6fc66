"""Dials measured anew on the service's own requests: bounded, swapped at once, told, forgotten with their users."""

import pytest

from paretail.pipeline.live import refits
from paretail.pipeline.live.bodies import Goals, ItemChange, RecommendRequest
from paretail.pipeline.live.shop import LiveShop

pytest.importorskip("torch")
GOALS = Goals(dial={"clicks": 0.5})


def _ask(live: LiveShop, users: int) -> None:
    for number in range(users):
        live.recommend(RecommendRequest(user_id=f"u{number:08}", k=5, goals=GOALS))


def test_dials_follow_the_requests_of_the_service(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refits, "FEWEST_LIVE", 16)
    _ask(live, 60)
    engine, refit = live._engine, live._current.refits
    assert len(engine.requests) == live.gauges()["dial_requests"] == 60
    steering = engine.recommender.steering
    before = {key: dials for key, dials in steering._dials.items() if key[1] == 5}
    segments = refit.refit()
    assert segments
    for (segment, k, how), dials in before.items():
        now = steering.dials(segment, k, how)
        assert (now is not dials) == (segment in segments)
        if segment in segments:
            assert [asked.dial for asked in now.asked] == [{"clicks": 0.5}]
            assert 16 <= now.sample.shape[0] - dials.sample.shape[0] <= 60  # beside those of the log
            assert now.setting(now.asked[0]).shares["clicks"] == pytest.approx(0.5, abs=0.05)
    gauges = live.gauges()
    assert gauges["dial_refits"] == 1
    assert 0 <= gauges["dial_refit_age_seconds"] < 60
    assert refit.refit() == []
    _ask(live, 3)


def test_only_so_many_requests_are_kept_and_none_of_the_forgotten(live: LiveShop) -> None:
    engine = live._engine
    engine.recommender.steering.config = engine.recommender.steering.config.model_copy(update={"requests": 16})
    _ask(live, 60)
    assert 16 <= len(engine.requests) <= 48
    users = [f"u{number:08}" for number in range(60)]
    live.forget_users(users)
    assert len(engine.requests) == 0


def test_prices_of_now_are_in_the_sample(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refits, "FEWEST_LIVE", 1)
    item = live.recommend(RecommendRequest(user_id="u00000007", k=5, goals=GOALS)).items[0].item_id
    live.change_items([ItemChange(item, margin=0.25)])
    (segment,) = live._current.refits.refit()
    engine = live._engine
    sample = engine.recommender.steering.samples[segment]
    assert sample.wares.margin[engine.recommender.items.row(item)] == pytest.approx(0.25)
