"""What the ranker's network asks of its architecture, and what a click of which nothing more is known does to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from paretail.core.errors import ConfigError  # noqa: E402
from paretail.learn.step import step  # noqa: E402  # torch may be missing
from paretail.rank.balance import balancer  # noqa: E402
from paretail.rank.config import RankConfig  # noqa: E402  # torch may be missing
from paretail.rank.learned.fitting import Frame  # noqa: E402  # torch may be missing
from paretail.rank.learned.gaussian import expected  # noqa: E402  # torch may be missing
from paretail.rank.learned.network import Answered, Batch, Beliefs, RankNet, Sizes, _masks  # noqa: E402  # torch may be missing

TASKS = ("click", "long_view", "cart", "purchase", "value")
ROWS = 12


def network(**settings: Any) -> RankNet:
    torch.manual_seed(0)
    made = RankNet(RankConfig(dim=3, own_dim=1, **settings), TASKS, Sizes(4, 4, 5, 2, 2, 6))
    made.get_buffer("user_of").copy_(torch.arange(4))
    return made


def batch(**labels: Any) -> Batch:
    random = torch.Generator().manual_seed(1)
    user, item = (torch.randint(most, (ROWS,), generator=random) for most in (4, 5))
    click = torch.tensor([1.0, 0.0, 1.0] * 4)
    known = {task: torch.where(click > 0, torch.tensor([1.0, 0.0] * 6), torch.nan) for task in TASKS[1:4]}
    every = {"click": click, **known, "value": torch.full((ROWS,), torch.nan), **labels}
    return Batch(user, user, item, torch.ones(ROWS, dtype=torch.int64), torch.ones(ROWS),
                 torch.randn(ROWS, 6, generator=random), torch.zeros(ROWS), user * 0, every,
                 torch.arange(ROWS))  # fmt: skip


def test_steps_of_the_funnel_are_compared_over_the_same_impressions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cart given a click may be likelier than a click: what is asked is whether a click and a cart are."""
    net, seen = network(sharing="aitm"), list[Mapping[str, Any]]()
    monkeypatch.setattr(net.net, "disorder", lambda p: seen.append(p) or torch.tensor(3.0))
    with torch.no_grad():
        net.bias.copy_(torch.tensor([-3.0, 0.0, 2.0, 1.0, 0.0]))
    asked = batch()
    with_order = net.loss(asked).penalty
    (told,) = seen
    assert list(told) == ["click", "cart", "purchase"]
    beliefs = net.beliefs(net._end("user", asked.standing), net._end("item", asked.item), asked.features, asked.price)
    click, cart, purchase = (
        expected(torch.sigmoid, beliefs.mean[task], beliefs.variance[task]) for task in ("click", "cart", "purchase")
    )
    assert (cart > click).any()
    for one, other in zip(told.values(), (click, click * cart, click * purchase), strict=True):
        torch.testing.assert_close(one, other)
    monkeypatch.setattr(net.net, "disorder", lambda p: torch.tensor(0.0))
    torch.testing.assert_close(with_order, net.loss(asked).penalty + 3)
    assert network(sharing="aitm").net.disorder({"click": click, "cart": click * cart}) == 0


def test_balancers_see_what_tasks_share_and_no_task_s_own_numbers() -> None:
    """Clicks and what is paid read no number together: the bargain weighs clicks, and values count as in the sum."""
    net, asked = network(), batch(value=torch.linspace(-1.0, 1.0, ROWS))
    with torch.no_grad():
        net.net.last["value"].weight.zero_()
    losses = net.loss(asked)
    click, value = (torch.autograd.grad(losses.tasks[task], losses.shared, retain_graph=True, materialize_grads=True)
                    for task in ("click", "value"))  # fmt: skip
    assert [part.shape[1] for part in losses.shared[:2]] == [net.columns, net.columns]
    assert [float(part.abs().sum()) for part in value] == [0.0] * len(value)
    assert all(float(part.abs().sum()) > 0 for part in click)
    told = step(losses, net.parameters(), torch.optim.SGD(net.parameters(), lr=0.0), balancer("nash", TASKS))
    weighed = sum(told[f"weight/{task}"] * told[f"loss/{task}"] for task in TASKS[:-1])
    plain = sum(told[f"loss/{task}"] / net.config.weight_of(task) for task in TASKS[:-1])
    assert told["weight/value"] == pytest.approx(weighed / plain)


def test_columns_of_their_own_are_all_read_by_one_task_each() -> None:
    """What is paid reads none, whatever its place among the tasks."""
    for tasks in (TASKS, ("click", "value", "purchase")):
        learned, fixed = _masks(RankConfig(dim=12, own_dim=4, shared_vectors=False), tasks)
        assert fixed.sum(0).tolist() == [1.0] * 16
        assert learned.sum() == 0
        shares = {task: int(n) for task, n in zip(tasks, fixed.sum(1), strict=True)}
        assert shares.pop("value") == 0
        assert max(shares.values()) - min(shares.values()) <= 1


def test_fewer_columns_than_tasks_that_read_them_are_refused() -> None:
    few = RankConfig(dim=2, own_dim=0, shared_vectors=False)
    told = r"dim \+ own_dim = 2 with shared_vectors = false.*Expected 3 or more.*click, cart, purchase.*CONF-03"
    with pytest.raises(ConfigError, match=told):
        _masks(few, ("click", "cart", "purchase", "value"))
    _masks(few, ("click", "purchase", "value"))


def test_the_covariance_that_is_told_counts_columns_by_what_they_amount_to() -> None:
    """Purchases follow clicks by the one column that has not vanished; other weights say nothing of that."""
    net = network()
    click, purchase = TASKS.index("click"), TASKS.index("purchase")
    with torch.no_grad():
        for table in (net.user_own, net.item_own):
            table.mean[:, 1 : net.columns] = 0.0
        for side in (net.user_side, net.item_side):
            side.mean.zero_()
        net.mix[purchase] = torch.tensor([0.5, -9.0, 7.0, 1.0])
    assert float(net.relations()[click, purchase]) == pytest.approx(1)
    omega = net.covariance()
    assert float(omega.trace()) == pytest.approx(1)
    assert float(omega[click, purchase] / (omega[click, click] * omega[purchase, purchase]).sqrt()) > 0.99


def test_where_gradients_are_looked_at_changes_no_bit_of_a_plain_step() -> None:
    """As where whole rows are read, which hold the columns that are shared."""
    net, asked = network(), batch(value=torch.linspace(-1.0, 1.0, ROWS))

    def gradients() -> list[Any]:
        losses = net.loss(asked)
        return list(torch.autograd.grad(sum(losses.tasks.values()) + losses.penalty, list(net.parameters())))

    def rows(user: Any, item: Any, features: Any, price: Any) -> Beliefs:
        (p, p_var), (q, q_var), k, every = user, item, net.columns, len(TASKS)
        both = p[:, :k] * q[:, :k]
        spread = p_var[:, :k] * q[:, :k] ** 2 + p[:, :k] ** 2 * q_var[:, :k] + p_var[:, :k] * q_var[:, :k]
        mix, out = net.weights(), net.net(features)
        x = torch.stack([out.logits[task] for task in TASKS], 1) * net.gain
        biases, slopes = p[:, k : k + every] + q[:, k:], net.slope + p[:, k + every :]
        mean = net.bias + both @ mix.T + biases + slopes * price[:, None] + x
        variance = spread @ (mix**2).T + p_var[:, k : k + every] + q_var[:, k:]
        variance = variance + p_var[:, k + every :] * price[:, None] ** 2
        return Beliefs(*(dict(zip(TASKS, one.unbind(1), strict=True))
                         for one in (mean, variance, spread @ (mix * mix[0]).T)))  # fmt: skip

    ours = gradients()
    net.beliefs = rows  # type: ignore[method-assign]
    for one, other in zip(ours, gradients(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize("space", ["esmm", "escm2_ips", "escm2_dr"])
def test_clicks_that_do_not_tell_how_long_pull_the_task_nowhere(space: str) -> None:
    """With no click that tells, nothing but what was not clicked does: as no click is a long view."""
    net = network(space=space)
    plain = (
        batch(long_view=torch.full((ROWS,), torch.nan)),
        batch(long_view=torch.full((ROWS,), torch.nan), click=torch.zeros(ROWS)),
    )
    clicked = plain[0].labels["click"] > 0
    grads = []
    for asked in plain:
        user, item = net._end("user", asked.standing), net._end("item", asked.item)
        told = net.beliefs(user, item, asked.features, asked.price)
        told.mean["long_view"].retain_grad()
        net._task_loss("long_view", told, asked).backward()
        grads.append(told.mean["long_view"].grad)
    assert (grads[0][clicked] == 0).all()
    assert (grads[1][clicked] > 0).all()


def test_a_frame_tells_until_when_answers_are_known_and_how_many_clicks_tell() -> None:
    """Of twelve impressions, the last four too new: clicks at 0 2 3 5 6 of which three tell what followed."""
    asked = batch()
    click = torch.tensor([1.0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1])
    cart = torch.full((ROWS,), torch.nan)
    cart[torch.tensor([0, 3, 6])] = torch.tensor([1.0, 0.0, 0.0])
    frame = Frame(**vars(replace(asked, labels={**asked.labels, "click": click, "cart": cart})))
    assert frame.answered("cart") == Answered(7, pytest.approx(5 / 3))
    assert frame.where(torch.tensor([6, 3, 11, 2])).answered("cart") == Answered(7, pytest.approx(3 / 2))
    assert frame.answered("value") == Answered(0, 0.0)
