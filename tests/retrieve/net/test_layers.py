"""Layers, their combinations and scorers, number by number; what a step forgets, and weights of one relation alone."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import erf
from torch import Tensor

from paretail.retrieve.batches import Batches
from paretail.retrieve.net import training
from paretail.retrieve.net.edges import Edges
from paretail.retrieve.net.layers import ACTIVATIONS, SHARED, Combination, Layer
from paretail.retrieve.net.network import Network
from paretail.retrieve.net.scorers import SCORERS, Scorer
from paretail.retrieve.net.wiring import Heard
from paretail.retrieve.spec import GraphModelSpec

from .worlds import graph

#: The states of two nodes in three layers.
STATES = np.array([[[1, 2], [0, -1]], [[3, 0], [2, 2]], [[-1, 4], [1, 0]]], np.float32)
WAYS: dict[str, list[list[float]]] = {
    "last": [[-1, 4], [1, 0]],
    "sum": [[3, 6], [3, 1]],
    "mean": [[1, 2], [1, 1 / 3]],
    "concat": [[1, 2, 3, 0, -1, 4], [0, -1, 2, 2, 1, 0]],
}
USERS, ITEMS = torch.tensor([[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]]), torch.tensor([[3.0, -1.0], [0.5, 0.0], [3.0, 4.0]])
#: How much two targets hear of three sources; the message of lightgcn divides by the roots of degrees 4, 1 and 1, 1, 3.
HEARD = sparse.csr_array(np.array([[1, 0, 3], [0, 1, 0]], np.float32))
SOURCES = np.array([[2, 0], [4, -6], [0, -1]], np.float32)
MESSAGE = np.array([[1, -np.sqrt(3) / 2], [4, -6]])
TARGETS = np.array([[10, 20], [30, 40]], np.float32)


def combined(way: str) -> Combination:
    return Combination(GraphModelSpec.parse({"combination": way, "depth": 2, "dim": 2}))


def of_layers(combination: Combination, side: str = "user") -> NDArray[np.float32]:
    made: Tensor = combination(side, list(torch.from_numpy(STATES)))
    return made.detach().numpy()


@pytest.mark.parametrize("way", WAYS)
def test_layers_become_one_vector(way: str) -> None:
    assert of_layers(combined(way)) == pytest.approx(np.array(WAYS[way]))


def test_weighted_layers_start_at_their_mean_and_each_side_has_weights_of_its_own() -> None:
    weighted = combined("weighted")
    assert of_layers(weighted) == pytest.approx(np.array(WAYS["mean"]))
    weighted.load_state_dict({"alpha.user": torch.tensor([0.5, 0.25, 2]), "alpha.item": torch.tensor([0.0, -1, 0])})
    assert of_layers(weighted) == pytest.approx(np.array([[-0.75, 9], [2.5, 0]]))
    assert of_layers(weighted, "item") == pytest.approx(-STATES[1])
    assert all(param.requires_grad for param in weighted.parameters())


def test_attention_weighs_the_layers_of_each_node() -> None:
    W, b, q = np.array([[0, 1], [0.5, 0]]), np.array([0.1, -0.2]), np.array([2, -1])
    attention = combined("attention")
    attention.load_state_dict({
        "lin.weight": torch.from_numpy(W), "lin.bias": torch.from_numpy(b), "query.weight": torch.from_numpy(q)[None]
    })  # fmt: skip
    expected = np.zeros((2, 2))
    for node in range(2):
        raised = np.array([np.exp(q @ np.tanh(W @ STATES[layer, node] + b)) for layer in range(3)])
        expected[node] = raised / raised.sum() @ STATES[:, node]
    assert of_layers(attention) == pytest.approx(expected, abs=1e-6)


def scorer(name: str, **weights: Any) -> Scorer:
    made = SCORERS[name](2)  # type: ignore[index]
    made.load_state_dict({part.replace("__", "."): torch.tensor(values) for part, values in weights.items()})
    return made


W_U, W_I, C, V = [[1.0, -1.0], [0.5, 0.0]], [[0.0, 2.0], [1.0, 1.0]], [0.5, -1.0], [2.0, -3.0]
SCORES: dict[str, tuple[Scorer, Any]] = {
    "dot": (scorer("dot"), lambda u, i: u @ i),
    "cosine": (scorer("cosine"), lambda u, i: u @ i / (np.linalg.norm(u) * np.linalg.norm(i)) if u.any() else 0.0),
    "hadamard, as it starts": (SCORERS["hadamard"](2), lambda u, i: u @ i),
    "hadamard": (scorer("hadamard", weight=[2.0, -0.5]), lambda u, i: 2 * u[0] * i[0] - 0.5 * u[1] * i[1]),
    "mlp": (
        scorer("mlp", of_user__weight=W_U, of_item__weight=W_I, of_item__bias=C, out__weight=[V]),
        lambda u, i: np.array(V) @ np.maximum(0, np.array(W_U) @ u + np.array(W_I) @ i + C),
    ),
}


@pytest.mark.parametrize("name", SCORES)
def test_scores_are_those_of_the_formula(name: str) -> None:
    made, by_hand = SCORES[name]
    expected = np.array([[by_hand(u, i) for i in ITEMS.numpy()] for u in USERS.numpy()])
    users, items = made.user(USERS), made.item(ITEMS)
    assert made.table(users, items).detach().numpy() == pytest.approx(expected, abs=1e-5)
    assert made.pairs(users, items).detach().numpy() == pytest.approx(expected.diagonal(), abs=1e-5)


def test_the_scores_of_the_formula_are_these() -> None:
    """The formula that others are held against, on one user and item."""
    one = {name: by_hand(np.array([1, 2]), np.array([3, -1])) for name, (_, by_hand) in SCORES.items()}
    assert one["dot"] == 1.0
    assert one["cosine"] == pytest.approx(1 / np.sqrt(50))
    assert one["hadamard"] == 2 * 3 + 0.5 * 2
    assert one["mlp"] == -3 * (0.5 + 2 - 1)  # hidden: -1 - 2 + 0.5 is below 0, 0.5 + 3 - 1 - 1 is not


def layer(**settings: Any) -> Layer:
    spec = GraphModelSpec.parse({"dim": 2, "depth": 1, **settings})
    return Layer(spec, {"user": ["user had item"], "item": ["item had user"]})


def heard_by(made: Layer, *matrices: sparse.csr_array) -> NDArray[np.float32]:
    edges = [Heard("user had item", "item", Edges.of(matrix)) for matrix in matrices]
    states: Tensor = made("user", torch.from_numpy(TARGETS), edges, {"item": torch.from_numpy(SOURCES)})
    return states.detach().numpy()


def test_a_layer_takes_the_mean_of_relations_and_nothing_heard_changes_nothing() -> None:
    alone = sparse.csr_array(np.array([[0, 0, 0], [5, 0, 0]], np.float32))
    assert heard_by(layer(), HEARD) == pytest.approx(MESSAGE)
    assert heard_by(layer(), HEARD, alone) == pytest.approx((MESSAGE + np.array([[0, 0], [2, 0]])) / 2)
    assert heard_by(layer(activation="tanh", residual=True)) == pytest.approx(TARGETS)


BY_HAND: dict[str, Any] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_activation_and_then_the_residual(name: str) -> None:
    expected = BY_HAND[name](MESSAGE)
    assert heard_by(layer(activation=name), HEARD) == pytest.approx(expected, abs=1e-6)
    assert heard_by(layer(activation=name, residual=True), HEARD) == pytest.approx(expected + TARGETS, abs=1e-6)


@pytest.mark.parametrize(("normalisation", "axis"), [("layer", 1), ("batch", 0)])
def test_the_normalisation_comes_before_the_activation(normalisation: str, axis: int) -> None:
    made = layer(normalisation=normalisation, activation="relu", residual=True)
    norm = made.norms["of user"]
    norm.load_state_dict({"weight": torch.tensor([2.0, 0.5]), "bias": torch.tensor([-0.5, 1.0])}, strict=False)
    mean, variance = MESSAGE.mean(axis), MESSAGE.var(axis)
    centred = (MESSAGE - np.expand_dims(mean, axis)) / np.sqrt(np.expand_dims(variance, axis) + 1e-5)
    expected = np.maximum(centred * [2, 0.5] + [-0.5, 1], 0) + TARGETS
    assert heard_by(made, HEARD) == pytest.approx(expected, abs=1e-5)
    untouched = made.norms["of item"].weight
    assert untouched.tolist() == [1, 1]


def test_batch_normalisation_keeps_running_figures_for_those_who_come_alone_and_for_serving() -> None:
    made = layer(normalisation="batch")
    heard_by(made, HEARD)
    mean, variance = 0.1 * MESSAGE.mean(0), 0.9 + 0.1 * MESSAGE.var(0, ddof=1)
    expected = (MESSAGE - mean) / np.sqrt(variance + 1e-5)
    alone = [Heard("user had item", "item", Edges.of(HEARD[:1], np.array([1, 1, 3])))]
    single = made("user", torch.from_numpy(TARGETS[:1]), alone, {"item": torch.from_numpy(SOURCES)})
    assert single.detach().numpy() == pytest.approx(expected[:1], abs=1e-5)
    assert heard_by(made.eval(), HEARD) == pytest.approx(expected, abs=1e-5)


def test_dropout_forgets_a_share_before_the_residual_and_nothing_while_serving() -> None:
    made = layer(dropout=0.25, residual=True)
    torch.manual_seed(0)
    left = np.stack([(heard_by(made, HEARD) - TARGETS) / MESSAGE for _ in range(100)])
    forgotten = np.isclose(left, 0, atol=1e-5)
    assert left[~forgotten] == pytest.approx(4 / 3, abs=1e-5)
    assert forgotten.mean() == pytest.approx(0.25, abs=0.07)  # 400 numbers: a standard error of .022
    assert heard_by(made.eval(), HEARD) == pytest.approx(MESSAGE + TARGETS)


def network(**settings: Any) -> tuple[Network, Any]:
    spec = GraphModelSpec.parse({"dim": 4, "batch_size": 100, "negatives": 20, **settings})
    pairs = training.pairs_of(graph(), spec)
    return training.network_of(graph(), spec, pairs, 0), pairs


def vectors(made: Network) -> Tensor:
    found = made.vectors(made.states(made.whole()))
    return torch.cat([found.users, found.items]).detach()


def told(made: Network, pairs: Any, seed: int = 0) -> float:
    """Return the loss of one batch, with all of it; `seed` is that of what a step draws."""
    torch.manual_seed(seed)
    loss = made.loss(Batches(pairs, 100, made.spec, 0).batch(0, 0))
    return sum(part.item() for part in ([loss] if isinstance(loss, Tensor) else loss.values()))


@pytest.mark.parametrize("message", ["lightgcn", "sage"])
def test_dropout_differs_from_call_to_call_in_training_alone(message: str) -> None:
    made, pairs = network(message=message, dropout=0.3)
    assert not torch.equal(vectors(made), vectors(made))
    assert told(made, pairs, 1) != told(made, pairs, 2)
    made.eval()
    assert torch.equal(vectors(made), vectors(made))
    without, _ = network(message=message)
    assert torch.equal(vectors(made), vectors(without))


@pytest.mark.parametrize("message", ["lightgcn", "sage"])
def test_edges_are_left_out_of_steps_and_never_of_what_serves(message: str) -> None:
    made, pairs = network(message=message, edge_dropout=0.3)
    without, _ = network(message=message)
    assert told(made, pairs, 1) != told(made, pairs, 2)
    assert told(made, pairs, 1) == told(made, pairs, 1)
    assert told(without, pairs, 1) == told(without, pairs, 2)
    assert torch.equal(vectors(made), vectors(without))


def test_each_depth_has_so_many_layers_and_another_result() -> None:
    found = []
    for depth in range(5):
        made, pairs = network(depth=depth, message="lightgcn" if depth else "none", combination="last")
        assert len(made.layers) == len(made.states(made.whole())) - 1 == depth
        assert np.isfinite(told(made, pairs))
        found.append(vectors(made))
        wide, pairs = network(depth=depth, message="gcn" if depth else "none", combination="concat")
        assert vectors(wide).shape[1] == 4 * (depth + 1)
        assert np.isfinite(told(wide, pairs))
    assert all(not torch.allclose(one, other, atol=1e-3) for one, other in pairwise(found))


def test_relations_share_one_message_or_have_one_each() -> None:
    for settings in ({"edges": "all"}, {"edges": "events"}):
        separate, _ = network(message="gcn", relations="separate", **settings)
        shared, _ = network(message="gcn", **settings)
        names = [one.name for heard in separate.wiring.hop().values() for one in heard]
        assert len(set(names)) == len(names)
        assert len(names) == 2 if settings["edges"] == "events" else len(names) > 8
        for one, other in zip(separate.layers, shared.layers, strict=True):
            assert set(one.messages) == {f"of {name}" for name in names}
            assert list(other.messages) == [f"of {SHARED}"]


def test_weights_of_one_relation_change_what_is_heard_along_it_alone() -> None:
    """What an item hears is a mean over relations: of a relation's change its state has one part in so many."""
    for relations, changed in (("separate", {"item"}), ("shared", None)):
        made, _ = network(message="gcn", relations=relations, edges="all", depth=1)
        heard = made.wiring.hop()
        one = next(one for one in heard["item"] if one.source == "brand")
        before = made.states(made.whole())
        with torch.no_grad():
            message = made.layers[0].messages["of shared" if changed is None else f"of {one.name}"]
            said = message(before[0]["item"], before[0]["brand"], one.edges)
            message.lin.weight += torch.eye(4)
            more = message(before[0]["item"], before[0]["brand"], one.edges) - said
        after = made.states(made.whole())
        moved = {kind for kind in heard if not torch.equal(before[1][kind], after[1][kind])}
        assert moved == (changed or {kind for kind in heard if heard[kind]})
        if changed:
            torch.testing.assert_close(after[1]["item"] - before[1]["item"], more / len(heard["item"]))


@pytest.mark.parametrize("augmentation", ["edges", "noise"])
def test_the_contrast_has_its_weight_in_the_loss(augmentation: str) -> None:
    plain, tenth, more = (told(*network(contrast=share, augmentation=augmentation)) if share else told(*network())
                         for share in (0.0, 0.1, 0.3))  # fmt: skip
    assert tenth > plain
    assert (more - plain) / (tenth - plain) == pytest.approx(3.0, rel=1e-4)
