"""Each space of what follows a click: by its formula, in odd batches, and right in the mean where it says so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paretail.rank.checking import check_rank  # noqa: E402  # torch may be missing
from paretail.rank.config import RankConfig  # noqa: E402  # torch may be missing
from paretail.rank.spaces import SPACES, Followed, Space  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / "docs"
FEATURES = 3


def space(name: str, **settings: Any) -> Space[Any]:
    torch.manual_seed(0)
    return SPACES[name](SPACES[name].config_type(**settings), FEATURES)


def batch(rows: int = 8, seed: int = 0, spread: float = 0.0, clicks: float = 0.5, seen: float = 1.0,
          told: float = 1.0) -> Followed:  # fmt: skip
    """Draw a batch in which clicks and what follows them are as the beliefs say; of some nobody tells what follows."""
    rng = np.random.default_rng(seed)
    click, mean = rng.normal(-1, 1, rows), rng.normal(0, 1, rows)
    clicked = rng.random(rows) < (seen / (1 + np.exp(-click)) if clicks else np.zeros(rows))
    follows, known = rng.random(rows) < 1 / (1 + np.exp(-mean)), rng.random(rows) < told
    label = np.where(clicked & known, follows, np.nan)
    made = [torch.tensor(part, dtype=torch.float64) for part in (click, np.full(rows, spread), mean)]
    ones = torch.ones(rows, dtype=torch.float64)
    fair, features = ones[torch.tensor(clicked & known)], torch.tensor(rng.normal(size=(rows, FEATURES)))
    logit, every = made[2].requires_grad_(), torch.tensor(clicked)
    return Followed(
        made[0],
        made[1],
        logit,
        made[1],
        seen * ones,
        torch.tensor(label),
        ones,
        fair,
        features,
        every,
        ones > 0,
        clicked.sum() / max(1, (clicked & known).sum()),
    )


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(("rows", "clicks", "told"), [(0, 1, 1), (6, 0, 1), (1, 1, 1), (40, 1, 1), (40, 1, 0)])
def test_odd_batches_have_finite_losses_that_reach_the_logit(name: str, rows: int, clicks: int, told: int) -> None:
    of = batch(rows, spread=0.3, clicks=clicks, told=told)
    loss = space(name).double()(of)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert of.mean.grad is not None
    assert of.mean.grad.isfinite().all()


@pytest.mark.parametrize("name", SPACES)
def test_every_space_can_be_asked_for_and_is_documented(name: str) -> None:
    check_rank(RankConfig(space=name))
    assert f"\n### `{name}`\n" in (DOCS / "sharing.md").read_text(encoding="utf-8")


def value(loss: Any) -> float:
    return float(loss.detach())


def by_hand(of: Followed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p_click, p_follow and the labels."""
    return torch.sigmoid(of.click_mean).numpy(), torch.sigmoid(of.mean.detach()).numpy(), of.label.numpy()


def log_loss(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -np.asarray(y * np.log(p) + (1 - y) * np.log(1 - p))


def test_conditional_is_the_weighted_log_loss_of_clicks() -> None:
    of = batch(spread=1e-12)
    _, p, y = by_hand(of)
    there = np.isfinite(y)
    assert value(space("conditional")(of)) == pytest.approx(log_loss(y[there], p[there]).sum(), rel=1e-5)


def test_esmm_is_the_log_loss_of_the_product_over_all() -> None:
    of = batch(spread=1e-12)
    q, p, y = by_hand(of)
    assert value(space("esmm")(of)) == pytest.approx(log_loss(np.nan_to_num(y), q * p).sum(), rel=1e-5)


@pytest.mark.parametrize("told", [0.3, 0.7])
def test_clicks_of_which_nothing_is_known_pull_nowhere(told: float) -> None:
    """The loss over all impressions is least at the truth, however few clicks tell what followed them."""
    of = batch(60_000, spread=1e-12, told=told)
    unknown = of.clicked & ~of.label.isfinite()
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    moved = replace(of, mean=of.mean.detach() + shift)
    space("esmm")(moved).backward()
    own = torch.autograd.grad(space("esmm")(of), of.mean)[0]
    assert (own[unknown] == 0).all()
    assert unknown.any()
    assert shift.grad is not None
    assert abs(float(shift.grad)) < 0.02 * float(of.clicked.sum())  # read as no purchases: -(1 - told) of the clicks'


def test_small_batches_of_few_known_answers_lose_none_in_the_mean() -> None:
    """A batch in which no click tells stands for fewer, and others make up for it, as the whole says how many tell."""
    batches = [batch(32, seed=seed, told=0.1) for seed in range(2000)]
    clicks, told = (sum(int(part(of).sum()) for of in batches) for part in (_clicked, _told))
    stood = sum(float(replace(of, times=clicks / told).stands_for()[_clicked(of)].sum()) for of in batches)
    assert stood == pytest.approx(clicks, rel=1e-6)
    own = sum(float(of.stands_for()[_clicked(of)].sum()) for of in batches)
    assert own < 0.8 * clicks  # which each batch of its own would lose


def _clicked(of: Followed) -> Any:
    return of.clicked


def _told(of: Followed) -> Any:
    return of.label.isfinite()


@pytest.mark.parametrize("name", ["esmm", "escm2_ips", "escm2_dr"])
def test_what_is_too_new_to_be_known_is_no_example_clicked_or_not(name: str) -> None:
    of = batch(400, spread=0.1)
    old = torch.arange(400) < 300
    of = replace(of, asked=old, label=torch.where(old, of.label, torch.nan))
    fair = of.fair[: int(of.label.isfinite().sum())]
    space(name, **({} if name == "esmm" else {"counterfactual": 1.0})).double()(replace(of, fair=fair)).backward()
    assert of.mean.grad is not None
    assert (of.mean.grad[~old] == 0).all()
    assert (of.mean.grad[old] != 0).any()


@pytest.mark.parametrize("seen", [1.0, 0.5])
def test_ips_weighs_clicks_by_the_inverse_of_their_probability(seen: float) -> None:
    of = batch(40, spread=1e-12, seen=seen)
    q, p, y = by_hand(of)
    there = np.isfinite(y)
    weight = 1 / (seen * q[there]).clip(0.01)
    expected = (log_loss(y[there], p[there]) * weight / weight.mean()).sum()
    assert value(space("escm2_ips", counterfactual=1.0, entire=0.0)(of)) == pytest.approx(expected, rel=1e-5)
    whole = 0.5 * expected + 0.5 * value(space("esmm")(of))
    assert value(space("escm2_ips")(of)) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(("seen", "told"), [(1.0, 1.0), (0.5, 1.0), (0.5, 0.6)])
def test_dr_is_right_in_the_mean_whatever_is_imputed(seen: float, told: float) -> None:
    """Of 80,000 impressions; the share of clicks is divided out, and the imputed network's own loss left out."""
    of = batch(80_000, spread=1e-12, seen=seen, told=told)
    _, p, _ = by_hand(of)
    truth = (p * -np.log(p) - (1 - p) * np.log(1 - p)).mean()
    for bias in (-3.0, 0.0, 3.0):
        made = space("escm2_dr", counterfactual=1.0, entire=0.0).double()
        with torch.no_grad():
            made.imputed[2].weight.zero_()
            made.imputed[2].bias.fill_(bias)
        assert value(made.robust(of)) / len(p) == pytest.approx(truth, rel=0.04)


def test_dr_imputes_from_what_was_clicked_and_pulls_at_all() -> None:
    of = batch(200, spread=0.1)
    made = space("escm2_dr", entire=0.0).double()
    made(of).backward()
    unclicked = ~of.label.isfinite()
    assert of.mean.grad is not None
    assert (of.mean.grad[unclicked].abs() > 0).all()
    assert all(param.grad is not None and param.grad.abs().sum() > 0 for param in made.imputed.parameters())
