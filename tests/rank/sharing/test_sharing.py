"""What every sharing architecture must do, what each is by its formula, and that it learns a planted world."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch")

from paretail.learn.step import Losses, step  # noqa: E402  # torch may be missing
from paretail.rank.balance import balancer  # noqa: E402
from paretail.rank.sharing import SHARING, Sharing  # noqa: E402

DOCS = Path(__file__).resolve().parents[3] / "docs"
TASKS = ("click", "cart", "purchase")
INPUTS = 6


def made(name: str, tasks: tuple[str, ...] = TASKS, inputs: int = INPUTS, **settings: Any) -> Sharing[Any]:
    torch.manual_seed(0)
    found = SHARING[name]
    return found(found.config_type(**({"dim": 8} | settings)), tasks, inputs)


def batch(rows: int = 5) -> Any:
    return torch.randn(rows, INPUTS, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_logit_a_task_and_an_example(name: str, rows: int) -> None:
    out = made(name)(batch(rows))
    assert list(out.logits) == list(TASKS)
    assert all(logit.shape == (rows,) for logit in out.logits.values())
    assert out.penalty.shape == ()
    assert out.penalty.isfinite()


@pytest.mark.parametrize("name", SHARING)
def test_one_task_is_enough(name: str) -> None:
    assert made(name, tasks=("click",))(batch()).logits["click"].isfinite().all()


@pytest.mark.parametrize("name", [name for name, kind in SHARING.items() if not kind.ordered])
def test_the_order_of_the_tasks_does_not_matter(name: str) -> None:
    one, other = made(name), made(name, tasks=TASKS[::-1])
    other.load_state_dict(one.state_dict())
    for task, logit in one(batch()).logits.items():
        torch.testing.assert_close(other(batch()).logits[task], logit)


@pytest.mark.parametrize("name", SHARING)
def test_gradients_reach_what_is_shared_and_its_parameters(name: str) -> None:
    model = made(name)
    out = model(batch())
    assert bool(out.shared) is (name != "single")
    for logit in out.logits.values() if out.shared else ():
        assert all(g.abs().sum() > 0 for g in torch.autograd.grad(logit.sum(), out.shared, retain_graph=True))
    grads = torch.autograd.grad(
        sum(out.logits.values()).sum() + out.penalty, list(model.parameters()), allow_unused=True
    )
    assert all(g is not None for g in grads), "a parameter that nothing reads"


@pytest.mark.parametrize("name", SHARING)
def test_it_has_its_source_and_its_section(name: str) -> None:
    text = __import__(SHARING[name].__module__, fromlist=["_"]).__doc__
    assert re.search(r"arXiv:\d{4}\.\d{5}|doi:10\.|there is no paper", text)
    assert "eviations" in text
    assert f"### `{name}`" in (DOCS / "sharing.md").read_text(encoding="utf-8")


def test_experts_by_hand() -> None:
    model, x = made("mmoe", experts=3), batch()
    experts = [network(x) for network in model.experts.networks]
    gate = torch.softmax(model.gates["cart"](x), 1)
    z = sum(gate[:, [e]] * experts[e] for e in range(3))
    torch.testing.assert_close(model(x).logits["cart"], model.last["cart"](model.towers["cart"](z))[:, 0])


def test_selectors_are_distributions_that_reach_a_single_expert() -> None:
    model, x = made("dselect_k", experts=8, k=2, gamma=0.5), batch()
    r = model.selected("cart", x)
    assert r.shape == (5, 2, 8)
    torch.testing.assert_close(r.sum(-1), torch.ones(5, 2))
    far = model.selected("cart", 1e6 * x)
    assert ((far == 0) | (far == 1)).all()
    with pytest.raises(ValidationError, match="a power of two, such as 4"):
        made("dselect_k", experts=6)


def test_every_selector_starts_where_its_step_has_a_slope() -> None:
    model = made("dselect_k", inputs=32, gamma=0.5)
    far = torch.randn(2000, 32, generator=torch.Generator().manual_seed(3)).clamp(-5, 5)
    assert all((model.selectors[task](far).abs() < 0.5 / 2).all() for task in TASKS)
    assert all(0 < param.abs().max() <= 0.5 / 100 for param in model.selectors.parameters())


def test_the_calibrator_asks_later_steps_to_be_no_likelier() -> None:
    model = made("aitm", calibrator=2.0)
    click, cart, purchase = (torch.tensor(part) for part in ([0.5, 0.2], [0.3, 0.4], [0.4, 0.1]))
    told = model.disorder({"click": click, "cart": cart, "purchase": purchase})
    torch.testing.assert_close(told, torch.tensor(2 * ((0.0 + 0.2) / 2 + (0.1 + 0.0) / 2)))
    assert model.disorder({"click": click[:0], "cart": cart[:0]}) == 0
    assert made("mmoe").disorder({"click": cart, "cart": click}) == 0


@pytest.mark.parametrize("name", SHARING)
def test_both_tasks_of_a_planted_world_are_learned(name: str) -> None:
    """Logits of new examples correlate with the true ones, which differ from task to task."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2000, INPUTS))
    truth = np.tanh(x @ rng.standard_normal((INPUTS, 3)) / 2) @ rng.standard_normal((3, 2))
    truth = torch.from_numpy(3 * truth / truth.std(0)).float()
    features, seen, new = torch.from_numpy(x).float(), slice(0, 1500), slice(1500, 2000)
    labels = torch.bernoulli(truth.sigmoid(), generator=torch.Generator().manual_seed(2))
    model = made(name, tasks=("click", "purchase"), dim=16, layers=1)
    optimiser, asked = torch.optim.Adam(model.parameters(), lr=0.02), balancer("nash", model.tasks)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for _ in range(60):
        out = model(features[seen])
        losses = {task: bce(out.logits[task], labels[seen, k]) for k, task in enumerate(model.tasks)}
        step(Losses(losses, out.shared), model.parameters(), optimiser, asked)
    with torch.no_grad():
        found = model(features[new]).logits
    for k, task in enumerate(model.tasks):
        assert np.corrcoef(found[task], truth[new, k])[0, 1] > 0.93


def test_stitches_by_hand() -> None:
    model, x = made("cross_stitch", layers=1, own=0.7), batch()
    first = {task: model.levels[0].towers[task](x) for task in TASKS}
    heard = 0.7 * first["cart"] + 0.15 * first["click"] + 0.15 * first["purchase"]
    expected = model.last["cart"](model.levels[1].towers["cart"](heard))[:, 0]
    torch.testing.assert_close(model(x).logits["cart"], expected)


def test_own_and_common_experts_by_hand() -> None:
    model, x = made("ple", levels=1), batch()
    level = model.levels[0]
    experts = [*level.own["cart"].networks, *level.common.networks]
    gate = torch.softmax(level.gates["cart"](x), 1)
    z = sum(gate[:, [e]] * expert(x) for e, expert in enumerate(experts))
    torch.testing.assert_close(model(x).logits["cart"], model.last["cart"](model.towers["cart"](z))[:, 0])


def test_own_experts_of_a_later_level_read_what_their_task_heard_by_hand() -> None:
    model, x = made("ple", levels=2), batch()
    one, two = model.levels
    own = {task: one.own[task](x) for task in TASKS}
    heard = torch.cat([own["cart"], one.common(x)], 1)
    h = torch.einsum("be,bed->bd", one.gates["cart"](x).softmax(1), heard)
    every = torch.cat([*(own[task] for task in sorted(TASKS)), one.common(x)], 1)
    common = torch.einsum("be,bed->bd", one.gate(x).softmax(1), every)
    heard = torch.cat([two.own["cart"](h), two.common(common)], 1)
    z = torch.einsum("be,bed->bd", two.gates["cart"](h).softmax(1), heard)
    torch.testing.assert_close(model(x).logits["cart"], model.last["cart"](model.towers["cart"](z))[:, 0])


def test_each_step_of_the_funnel_takes_over_from_the_one_before_by_hand() -> None:
    model, x = made("aitm"), batch()
    q = {task: model.towers[task](model.bottom(x)) for task in TASKS}
    z = q["click"]
    for task in TASKS[1:]:
        one, u = model.transfers[task], (model.transfers[task].g(z), q[task])
        a = torch.stack([(one.h1(v) * one.h2(v)).sum(1) / 8**0.5 for v in u]).exp()
        z = (a[0, :, None] * one.h3(u[0]) + a[1, :, None] * one.h3(u[1])) / a.sum(0)[:, None]
        torch.testing.assert_close(model(x).logits[task], model.last[task](z)[:, 0])


def test_the_smooth_step_by_hand() -> None:
    """At a quarter of its width it is 27/32, -2/64 + 3/8 + 1/2, and 5/32 on the other side."""
    model, gamma = made("dselect_k", k=1, gamma=2.0), 2.0
    with torch.no_grad():
        model.selectors["cart"].weight.zero_()
        model.selectors["cart"].bias.copy_(torch.tensor([gamma / 4, -gamma / 4]))
    a, b = 27 / 32, 5 / 32
    expected = torch.tensor([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b])
    torch.testing.assert_close(model.selected("cart", batch(1))[0, 0], expected)
