"""A piece made a few rows at a time is what it is made at once, gradients too."""

import torch
from torch import Tensor

from paretail.learn.parts import by_parts


def test_a_piece_by_parts_has_the_value_and_the_gradients_of_the_whole() -> None:
    torch.manual_seed(0)
    users, items, weight = (torch.randn(rows, 3, dtype=torch.float64, requires_grad=True) for rows in (7, 5, 1))
    picked = torch.randint(5, (7, 2))
    most = []

    def make(users: Tensor, picked: Tensor, items: Tensor) -> Tensor:
        most.append(len(users))
        return (users[:, None] * items[picked] * weight).relu().sum(2)

    told = by_parts(make, 3, [users, picked], [items], [weight])
    assert most == [3, 3, 1]
    torch.testing.assert_close(told, make(users, picked, items))
    assert torch.autograd.gradcheck(
        lambda u, i, w: by_parts(make, 3, [u, picked], [i], [weight]), (users, items, weight)
    )
