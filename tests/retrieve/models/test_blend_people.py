"""The blend and who is known by others: signals of links, and weights for people without events of their own."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.models.blend import UNTIMED, Blend, BlendConfig, Mix
from paretail.sim.planted import planted

from ..histories import WEIGHTS, Did, history_of
from .test_blend import MIXES, blend_of, chosen, funnel, graph_of, shop_graph


def with_links(links: np.ndarray) -> ShopGraph:
    """A world of one kind without time, whose users are linked."""
    graph = shop_graph(planted(200, 60, 8), "none")
    about = {"user": sparse.csr_array(links.astype(np.float32))}
    return graph.with_history(replace(graph.history, about=about))


def test_friends_join_only_where_they_help() -> None:
    """Friends who share tastes help; friends at random do not, and then the published filter stays as it is."""
    graph = with_links(np.zeros((200, 200)))
    had = graph.interactions({"purchase": 1.0}).toarray()
    alike = np.corrcoef(had) - 2 * np.eye(200)
    near = alike >= np.sort(alike, axis=1)[:, [-8]]
    question = Question("purchase", False, ("purchase",))
    helped = chosen(with_links(near | near.T), question)
    assert isinstance(helped.config, BlendConfig)
    assert set(helped.config.modes["target"].theta) == {"plateau|all", "friends had|about user"}
    assert "joins" in helped.remarks[1]
    strangers = chosen(with_links(np.random.default_rng(0).random((200, 200)) < 0.04), question)
    assert isinstance(strangers.config, BlendConfig)
    assert strangers.config.modes["target"] == UNTIMED
    assert "stays out" in strangers.remarks[1]


@pytest.mark.parametrize("alike", [True, False])
def test_with_time_too_friends_join_only_where_they_help_and_it_is_told(alike: bool) -> None:
    """Weights are learned on the newest events: friends who share tastes have one, friends at random none."""
    world = planted(200, 60, 8)
    graph, likeness = shop_graph(world, "clock"), np.corrcoef(world.oracle) - 2 * np.eye(200)
    near = likeness >= np.sort(likeness, axis=1)[:, [-8]]
    links = near | near.T if alike else np.random.default_rng(0).random((200, 200)) < 0.04
    graph = graph.with_history(replace(graph.history, about={"user": sparse.csr_array(links.astype(np.float32))}))
    choice = chosen(graph, Question("purchase", False, ("purchase",)))
    assert ("friends had|about user" in choice.config.modes["target"].theta) == alike  # type: ignore[attr-defined]
    (told,) = (remark for remark in choice.remarks if remark.startswith("What friends had"))
    assert told.startswith("What friends had " + ("joins" if alike else "stays out"))


def test_a_model_that_reads_links_says_so() -> None:
    links = np.random.default_rng(0).random((200, 200)) < 0.05
    graph = with_links(links)
    mix = {"target": Mix(theta={"friends had|about user": 1.0})}
    fitted = Blend.fit(graph, BlendConfig(modes=mix), 0)
    assert fitted.reads_traits
    assert not blend_of(funnel(), 20).reads_traits
    two = graph.history.of_users(np.arange(2))
    assert fitted.score(two).std(axis=1).min() > 0
    alone = replace(two, about={})
    np.testing.assert_array_equal(fitted.score(alone)[0], fitted.score(alone)[1])  # popularity for both


def test_users_without_events_have_weights_of_their_own() -> None:
    nobody = Mix(theta={"pop target|anyone": 1.0}, kappa=0.0)
    history = funnel()
    both = history.of_users(np.array([0, 1, 2, 3]))
    keep = both.user_idx % 2 == 0
    mixed = both.where(keep)
    plain = Blend.fit(graph_of(history, 20), BlendConfig(kind_weights=WEIGHTS, modes=MIXES), 0)
    config = BlendConfig(kind_weights=WEIGHTS, modes=MIXES, nobody=nobody)
    found = Blend.fit(graph_of(history, 20), config, 0).score(mixed)
    assert np.array_equal(found[[0, 2]], plain.score(mixed)[[0, 2]])
    wanted = np.zeros(20)
    for user, item in {*zip(history.user_idx, history.item_idx[:], strict=True)}:
        kinds = history.kind[(history.user_idx == user) & (history.item_idx == item)]
        wanted[item] += history.kinds.index("purchase") in kinds
    order = found[[1, 3]][:, wanted > 0] / found[[1, 3]][:, wanted > 0].max(axis=1, keepdims=True)
    np.testing.assert_allclose(order, np.tile(wanted[wanted > 0] / wanted.max(), (2, 1)), rtol=1e-5)


def test_weights_of_newcomers_are_learned_from_newcomers() -> None:
    """Newcomers take what those of their country take; who has been here for long takes anything."""
    rng = np.random.default_rng(0)
    users: list[Did] = []
    country = []
    for user in range(500):
        mine, start = user % 2, float(rng.integers(0, 100))
        first = rng.choice(10, 3, replace=False) + 10 * mine
        later = rng.choice(40, 4, replace=False)
        users.append([("purchase", int(item), start) for item in first]
                     + [("purchase", int(item), start + 30) for item in later])  # fmt: skip
        country.append([mine == 0, mine == 1])
    history = history_of(users, kinds=("purchase",))
    keep = history.ts_ms <= history.ts_ms.min() + 100 * 86_400_000
    about = {"country": sparse.csr_array(np.array(country, np.float32))}
    history = replace(history.where(keep), about=about)
    choice = chosen(graph_of(history, 40), Question("purchase", False, ("purchase",)))
    nobody = choice.config.nobody  # type: ignore[attr-defined]
    assert nobody is not None
    assert max(nobody.theta, key=nobody.theta.get) == "among country|about country"
    assert any("without any event" in remark for remark in choice.remarks)
    fitted = Blend.fit(graph_of(history, 40), choice.config, 0)
    new = replace(history_of([[], []], kinds=("purchase",)), about={"country": sparse.csr_array(np.eye(2, dtype="f4"))})
    lists = np.argsort(-fitted.score(new), axis=1)[:, :8] // 10
    assert np.array_equal(lists, np.array([[0] * 8, [1] * 8]))
    assert fitted.reads_traits
