"""DeepWalk and node2vec: tastes, what other edges tell of a new item, what p and q change, the score's formula."""

from dataclasses import replace

import numpy as np
import pytest

from paretail.graph.edges import EdgeSet
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.foldin import profiles
from paretail.retrieve.models.deepwalk import DeepWalk, DeepWalkConfig
from paretail.retrieve.models.node2vec import Node2Vec, Node2VecConfig

from ..shops import Event, graph, shop

SMALL = {"dim": 4, "walks": 40, "window": 2, "length": 20, "lr": 0.05}


def two_tastes() -> ShopGraph:
    """Half of the users like a, b, c, the others d, e, f; nobody had y or z."""
    events: list[Event] = [(f"u{n}", item, "purchase", 0) for n in range(40) for item in ("abc" if n % 2 else "def")
                           if (n * 7 + ord(item)) % 3]  # fmt: skip
    return graph(shop(events), "abcdefyz")


def test_tastes_are_learned_and_what_nobody_had_counts_as_rare() -> None:
    made = two_tastes()
    model = DeepWalk.fit(made, DeepWalkConfig(**SMALL), 0)
    one = made.history.where(made.history.item_idx == 0).of_users(np.array([made.nodes["user"].row("u1")]))
    scores = model.score(one)[0]
    assert scores[:3].min() > scores[3:6].max()
    assert not model.Q[6:].any()
    assert scores[6] == model.b.min()


def test_other_edges_tell_what_a_new_item_is_like() -> None:
    made = two_tastes()
    brand = EdgeSet.of(np.array([0, 1, 6, 3, 4, 7]), np.array([0, 0, 0, 1, 1, 1]), (8, 2))
    branded = replace(made, edges={("item", "of", "brand"): brand})
    one = made.history.where(made.history.item_idx == 0).of_users(np.array([made.nodes["user"].row("u1")]))
    scores = DeepWalk.fit(branded, DeepWalkConfig(edges="all", **SMALL), 0).score(one)[0]
    assert scores[6] > scores[7] + 0.5
    alone = DeepWalk.fit(branded, DeepWalkConfig(**SMALL), 0).score(one)[0]
    assert alone[6] == alone[7]


def test_scores_by_the_formula() -> None:
    made = two_tastes()
    model = DeepWalk.fit(made, DeepWalkConfig(**SMALL), 0)
    w, c = model.Q[:, :4], model.Q[:, 4:]
    pairs = made.interactions({"purchase": 1.0})
    user = profiles(pairs, model.Q) @ model.A
    expected = user[:, :4] @ c.T + user[:, 4:] @ w.T + model.b
    assert model.score(made.history) == pytest.approx(expected, abs=1e-5)


def test_node2vec_without_a_memory_is_deepwalk() -> None:
    made = two_tastes()
    plain, same, other = (
        DeepWalk.fit(made, DeepWalkConfig(**SMALL), 0),
        Node2Vec.fit(made, Node2VecConfig(p=1.0, q=1.0, **SMALL), 0),
        Node2Vec.fit(made, Node2VecConfig(p=0.1, q=1.0, **SMALL), 0),
    )
    assert plain.Q.tobytes() == same.Q.tobytes() != other.Q.tobytes()
