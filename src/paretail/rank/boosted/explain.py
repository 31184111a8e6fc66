"""Why trees predict what they do: what each group of columns adds to a level's log-odds, over those of the usual pair.

    L(u, i) - L(usual) = c (a (s_ui - s̄) + Σ_j φ_j),   L = logit P(the pair gets as far as a click, a cart, a purchase)

a and s are slope and score of `levels.py`, s̄ the mean score, φ the Shapley values of `shap.py`, c the slope that
calibrates; the usual pair is the average over all pairs of users asked and items. Groups are sums of their columns, so
nothing is left over. The value of a purchase is that of the item's usual line (price) times the user's habit.

Deviations: 1. Carts and purchases are explained as they are predicted here, of all pairs, not given a click: a ratio of
two probabilities has no exact sum.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from paretail.data.types import Explanations
from paretail.rank.boosted import shap
from paretail.rank.boosted.columns import OF_BOTH, OF_ITEMS, OF_PAIRS, OF_USERS, Dense
from paretail.rank.boosted.levels import Level
from paretail.rank.boosted.money import Money

Floats = NDArray[np.float64]

RETRIEVER, PRICE, SPENDING = "retriever", "price", "spending"
#: The group of columns whose names it holds; the retriever's are those without any, `did ...` is of the past.
GROUP_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("category_lift", "brand_lift"), "interest"),
    **dict.fromkeys(("had", "last", *OF_BOTH), "past with the item"),
    **dict.fromkeys(("price_ratio", "price_level"), PRICE),
    **dict.fromkeys(("new", "trend"), "freshness"),
    **dict.fromkeys(OF_ITEMS, "popularity"),
    **dict.fromkeys(OF_USERS, "activity"),
}
GROUPS: Final = (RETRIEVER, *dict.fromkeys(GROUP_OF.values()), SPENDING)
assert set(GROUP_OF) == {*OF_PAIRS, *OF_ITEMS, *OF_USERS, *OF_BOTH}


def split(levels: Mapping[str, Level], x: Dense, names: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Return probabilities `[pairs, levels]`, contributions `[pairs, levels, GROUPS]` and the usual `[levels]`.

    `names` are those of the last columns of `x`; before them are the retriever's.
    """
    groups = [RETRIEVER] * (x.shape[1] - len(names)) + [GROUP_OF.get(name, "past with the item") for name in names]
    place = np.array([GROUPS.index(group) for group in groups])
    predicted, adds, usual = [], [], []
    for level in levels.values():
        each = shap.contributions(level.trees, x)
        each[:, 0] += level.a * (x[:, 0] - level.usual)
        sums = np.stack([each[:, place == at].sum(1) for at in range(len(GROUPS))], 1)
        middle = level.a * level.usual + level.b + shap.usual(level.trees)
        predicted.append(_sigmoid(level.platt.a * level.logits(x) + level.platt.b))
        adds.append(level.platt.a * sums)
        usual.append(float(_sigmoid(level.platt.a * np.array(middle) + level.platt.b)))
    return np.stack(predicted, 1), np.stack(adds, 1), np.array(usual)


def with_money(told: Explanations, money: Money, user: NDArray[Any], item: NDArray[Any], often: Floats) -> Explanations:
    """Return the same with the value of a purchase; items weigh by how `often` they occur, user -1 is unknown."""
    of_item, of_user = money.item[item], np.append(money.user, 0.0)[user]
    middle = float(np.average(money.item, weights=often))
    adds = np.zeros((len(item), 1, len(GROUPS)))
    adds[:, 0, GROUPS.index(PRICE)], adds[:, 0, GROUPS.index(SPENDING)] = of_item - middle, of_user
    return Explanations(
        (*told.tasks, "value"), told.groups, np.concatenate([told.contributions, adds], 1),
        np.column_stack([told.predicted, np.exp(of_item + of_user)]), np.append(told.usual, np.exp(middle)), told.given,
    )  # fmt: skip


def _sigmoid(eta: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(eta, -30, 30))))
