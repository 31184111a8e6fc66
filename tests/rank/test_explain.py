"""Explanations of predictions: complete, of exactly what is predicted, and of what the world was made of."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from paretail.data.types import Explanations, Predictions  # noqa: E402  # torch may be missing
from paretail.rank.isotonic import logit  # noqa: E402  # torch may be missing
from paretail.rank.learned.ranker import Ranker  # noqa: E402  # torch may be missing

from .test_ranker import graph, planted, trained  # noqa: E402

PAIRS = 700  # more than one block


def told(ranker: Ranker, known: bool = True) -> tuple[Explanations, Predictions, NDArray[Any], NDArray[Any]]:
    """Explain and predict random pairs of the log's users, or of people who only look like them."""
    rng = np.random.default_rng(0)
    user = rng.integers(graph().users, size=PAIRS).astype(np.int32)
    item = rng.integers(graph().items, size=PAIRS).astype(np.int32)
    rows = np.arange(graph().users, dtype=np.int32) if known else np.full(graph().users, -1, np.int32)
    asked = graph().history, rows, user, item, np.full(PAIRS, int(graph().history.ts_ms.max()) + 1)
    return ranker.explain(*asked), ranker.predict(*asked), user, item


def of(predictions: Predictions, task: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = getattr(predictions, "order_value" if task == "value" else f"p_{task}")
    return found


@pytest.mark.parametrize("settings", [{}, {"sharing": "mmoe", "epochs": 2}, {"sharing": "aitm", "epochs": 2}], ids=str)
@pytest.mark.parametrize("known", [True, False])
def test_contributions_sum_to_the_difference_from_the_usual(settings: dict[str, Any], known: bool) -> None:
    ranker = trained(**settings)
    explained, predictions, _, _ = told(ranker, known)
    assert explained.tasks == ("click", "cart", "purchase", "value")
    for at, task in enumerate(explained.tasks):
        predicted, level = of(predictions, task), np.log if task == "value" else logit
        np.testing.assert_allclose(explained.predicted[:, at], predicted, rtol=1e-5)
        difference = level(predicted) - level(explained.usual[at : at + 1])
        np.testing.assert_allclose(explained.contributions[:, at].sum(1), difference, atol=1e-4)


def test_what_the_world_was_made_of_is_what_counts() -> None:
    """Buying depends on the price, clicking hardly; and what a user likes of categories tells the items apart."""
    explained, _, user, item = told(trained())
    spread = {task: dict(zip(explained.groups, explained.contributions[:, at].std(0), strict=True))
              for at, task in enumerate(explained.tasks)}  # fmt: skip
    assert spread["purchase"]["price"] > 3 * spread["click"]["price"]
    assert spread["value"]["price"] > 10 * max(size for group, size in spread["value"].items() if group != "price")
    price = explained.contributions[:, explained.tasks.index("purchase"), explained.groups.index("price")]
    assert np.corrcoef(price, np.log(planted().value[user, item]))[0, 1] < -0.9
    tasty = [spread["click"][group] for group in ("taste", "attributes", "interest")]
    assert max(tasty) > 2 * spread["click"]["moment"]


def test_of_nothing_nothing_is_told() -> None:
    none = np.zeros(0, np.int32)
    explained = trained().explain(graph().history, np.arange(graph().users), none, none, none.astype(np.int64))
    assert explained.contributions.shape == (0, 4, len(explained.groups))
    assert explained.predicted.shape == (0, 4)


def test_a_bundle_explains_to_the_last_bit() -> None:
    ranker = trained()
    again = Ranker.from_arrays(ranker.arrays(), ranker.facts, graph().tables["item"], graph().history)
    for name in ("contributions", "usual"):
        np.testing.assert_array_equal(getattr(told(again)[0], name), getattr(told(ranker)[0], name))
