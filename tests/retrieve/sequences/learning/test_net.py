"""The net's loss is the cross-entropy of what comes next: over all items, over a sample, and with a teacher."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from paretail.learn.device import Place
from paretail.learn.encoders import EncoderConfig
from paretail.retrieve.sequences.learning.net import Batch, Net, Teacher, softened
from paretail.retrieve.sequences.start import Start

ITEMS, DIM = 6, 4


def net(seed: int = 0, teacher: Teacher | None = None, once: int | None = None) -> Net:
    rng = np.random.default_rng(seed)
    marks = sparse.csr_array((rng.random((ITEMS, 3)) < 0.5).astype(np.float32))
    own, told = (rng.standard_normal((n, DIM)).astype(np.float32) for n in (ITEMS, 3))
    bias, known = rng.standard_normal(ITEMS).astype(np.float32), np.arange(ITEMS) != 2
    torch.manual_seed(seed)
    start = Start(own, told, marks, bias, known)
    made = Net(EncoderConfig(dim=DIM, layers=1, dropout=0), start, 2, 0.5, teacher, once)
    for param in (made.kinds, made.asked):
        torch.nn.init.normal_(param)
    return made.eval()


def batch() -> Batch:
    real = torch.tensor([[True, True, True], [True, False, False]])
    item = torch.tensor([[0, 1, 3], [5, 5, 5]])
    return Batch(
        item, item % 2, torch.zeros(2, 3, dtype=torch.long), real, torch.tensor([1, 3, 4, 0]),
        torch.tensor([1, 1, 0, 0]), torch.tensor([1.0, 0.5, 1.0, 0.25]),
    )  # fmt: skip


def by_hand(made: Net) -> tuple[Tensor, Tensor]:
    """Return scores of the items with events, and where what came next stands among them."""
    vectors = made.own + torch.from_numpy(made.start.marks.toarray()) @ made.told
    told = batch()
    states = made.encoder(vectors[told.item] + made.kinds[told.kind], told.real)
    rows = [states[0, 0], states[0, 1], states[0, 2], states[1, 0]]
    asked = torch.stack(rows) + made.asked[told.next_kind]
    known = torch.tensor([0, 1, 3, 4, 5])
    return (asked @ vectors.T / 0.5 + made.bias)[:, known], torch.tensor([1, 2, 3, 0])


def test_the_loss_is_the_weighted_cross_entropy_of_items_with_events() -> None:
    scores, wanted = by_hand(net())
    chance = scores.softmax(1)[torch.arange(4), wanted]
    weight = batch().weight
    assert net().loss(batch()).item() == pytest.approx(((-chance.log() * weight).sum() / weight.sum()).item(), rel=1e-5)


def test_a_sample_of_all_items_is_all_items() -> None:
    sampled = replace(batch(), negatives=torch.tensor([0, 1, 3, 4, 5]), log_q=torch.zeros(5))
    assert net().loss(sampled).item() == pytest.approx(net().loss(batch()).item(), rel=1e-5)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_loss_of_half_precision_is_near_the_whole_one(sampled: bool) -> None:
    told = replace(batch(), negatives=torch.tensor([0, 4, 5]), log_q=torch.zeros(3)) if sampled else batch()
    losses = []
    for half in (None, torch.bfloat16):
        made = net(0, Teacher(net(1), 0.5, 2.0), once=1)
        with Place(torch.device("cpu"), half).autocast():
            loss = made.loss(told)
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.dtype == torch.float32
        assert all(param.grad is None or param.grad.isfinite().all() for param in made.parameters())
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_items_that_were_had_compete_no_more_where_they_do_not_come_back() -> None:
    scores, wanted = by_hand(net())
    for row, had in ((1, [1]), (2, [1, 2]), (3, [4])):  # columns of the items had under kind 1 by then
        scores[row, had] = -torch.inf
    chance = scores.softmax(1)[torch.arange(4), wanted]
    weight = batch().weight
    expected = ((-chance.log() * weight).sum() / weight.sum()).item()
    sampled = replace(batch(), negatives=torch.tensor([0, 1, 3, 4, 5]), log_q=torch.zeros(5))
    again = replace(batch(), next_item=torch.tensor([1, 1, 4, 5]))
    assert net(once=1).loss(batch()).item() == pytest.approx(expected, rel=1e-5)
    assert net(once=1).loss(sampled).item() == pytest.approx(expected, rel=1e-5)
    assert net(once=1).loss(again).isfinite()  # what came next stays, had or not


def test_draws_are_corrected_by_how_many_are_expected() -> None:
    many = torch.from_numpy(np.random.default_rng(0).choice([0, 1, 3, 4, 5], 4000, p=[0.4, 0.3, 0.1, 0.1, 0.1]))
    log_q = torch.log(4000 * torch.tensor([0.4, 0.3, 0.0, 0.1, 0.1, 0.1]))[many]
    sampled = replace(batch(), negatives=many, log_q=log_q)
    assert net().loss(sampled).item() == pytest.approx(net().loss(batch()).item(), rel=0.02)


def test_a_teachers_scores_have_their_share() -> None:
    teacher = net(1)
    taught = net(0, Teacher(teacher, 0.25, 2.0))
    (scores, wanted), (told, _) = by_hand(net()), by_hand(teacher)
    hard = -scores.log_softmax(1)[torch.arange(4), wanted]
    soft = -4 * ((told / 2).softmax(1) * (scores / 2).log_softmax(1)).sum(1)
    weight = batch().weight
    expected = ((0.75 * hard + 0.25 * soft) * weight).sum() / weight.sum()
    assert taught.loss(batch()).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_teacher_is_no_part_of_who_learns() -> None:
    teacher = net(1)
    taught = net(0, Teacher(teacher, 0.5, 1.0))
    assert len(list(taught.parameters())) == len(list(net().parameters()))
    taught.loss(batch()).backward()
    assert all(param.grad is None for param in teacher.parameters())


def test_scores_that_are_left_out_say_nothing() -> None:
    scores, told = torch.tensor([[1.0, 2.0, -torch.inf]]), torch.tensor([[0.0, 1.0, -torch.inf]])
    assert softened(scores, told, 1.0).item() == pytest.approx(softened(scores[:, :2], told[:, :2], 1.0).item())
