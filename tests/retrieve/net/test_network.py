"""Networks: users fold in as training saw them, whatever the point; every option trains; graphs of any kind."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.batches import Batches
from paretail.retrieve.fitting import FitContext, WarmStart
from paretail.retrieve.models.graph import GraphModel
from paretail.retrieve.net import serving, starting, training
from paretail.retrieve.net.network import Network
from paretail.retrieve.spec import PRESETS, GraphModelSpec

from .worlds import ITEMS, USERS, graph

SMALL: dict[str, Any] = {"dim": 8, "epochs": 2, "batch_size": 100, "negatives": 20}
OPTIONS: list[dict[str, Any]] = [
    *PRESETS.values(),
    *({"combination": way} for way in ("last", "sum", "mean", "concat", "attention", "weighted")),
    *({"scorer": scorer} for scorer in ("dot", "hadamard", "mlp")),
    *({"message": "gcn", "activation": name} for name in ("none", "relu", "elu", "gelu", "tanh")),
    *({"message": "gin", "normalisation": name, "residual": True} for name in ("layer", "batch")),
    *({"message": "sage", "aggregation": name, "edges": "all"} for name in ("max", "attention")),
    {"message": "gatv2", "heads": 2, "edges": "all", "relations": "separate"},
    {"message": "gcn", "edges": "all", "relations": "separate", "depth": 4}, {"edges": "all"}, {"depth": 4},
    {"profile": "shared"}, {"bias": False}, {"start": "random"}, {"half_life_days": 1.0},
    {"attributes": True, "content": True, "id_dropout": 0.2}, {"ids": False, "attributes": True, "start": "random"},
    {"ids": False, "content": True, "start": "random", "message": "sage"},
    {"dropout": 0.2, "edge_dropout": 0.2, "message": "sage"},
    *({"loss": loss} for loss in ("bpr", "bce")),
    {"loss": "margin", "bias": False}, {"loss": "alignment", "bias": False},
    *({"negatives_from": source, "shared": shared} for source in ("uniform", "popular") for shared in (True, False)),
    {"negatives_from": "batch", "shared": False},
    {"negatives_from": "hard", "shared": False, "negatives": 5, "pool": 10},
    {"contrast": 0.1}, {"contrast": 0.1, "augmentation": "noise"}, {"contrast": 0.1, "message": "gat"},
]  # fmt: skip


def trained(settings: dict[str, Any], shop: ShopGraph | None = None) -> tuple[Network, GraphModel]:
    shop = shop or graph()
    spec = GraphModelSpec.parse({**SMALL, **settings})
    pairs = training.pairs_of(shop, spec)
    network = training.network_of(shop, spec, pairs, 0)
    training.train(network, pairs, 0, FitContext())
    return network, GraphModel.from_arrays(serving.arrays_of(network), spec)


@pytest.mark.parametrize("settings", OPTIONS, ids=str)
def test_users_fold_in_as_training_saw_them(settings: dict[str, Any]) -> None:
    network, served = trained(settings)
    with torch.no_grad():
        vectors = network.vectors(network.states(network.wiring))
        seen = network.scorer.table(vectors.users, vectors.items).numpy()
    bias = network.biases()
    expected = seen if bias is None else seen + bias.detach().numpy()
    assert np.isfinite(expected).all()
    assert expected.std() > 0
    np.testing.assert_allclose(served.score(graph().history), expected, atol=2e-4, rtol=2e-4)


def test_a_lift_changes_lists_and_nothing_that_is_trained() -> None:
    settings = {"temperature": 0.2, "epochs": 1}
    (_, plain), (network, lifted) = trained(settings), trained(settings | {"bias_lift": 0.3})
    before, after = plain.arrays(), lifted.arrays()
    users = np.bincount(training.pairs_of(graph(), network.spec).indices, minlength=ITEMS)
    assert after["bias"] - before["bias"] == pytest.approx(0.2 * 0.3 * np.log(np.maximum(users, 1)), abs=1e-5)
    assert all(np.array_equal(after[name], before[name]) for name in before if name != "bias")


@pytest.mark.parametrize("settings", [{}, {"message": "gat"}, PRESETS["hetero"]], ids=str)
def test_a_step_moves_the_weights_and_the_loss_falls(settings: dict[str, Any]) -> None:
    served = GraphModel.fit(graph(), GraphModelSpec.parse({**SMALL, **settings, "epochs": 15}), 0)
    assert served.run is not None
    losses = [epoch["loss"] for epoch in served.run["epochs"]]
    assert losses[-1] < losses[0] - 0.02


def test_the_loss_of_lightgcn_is_what_the_equations_say() -> None:
    spec = GraphModelSpec.parse({**SMALL, "depth": 2})
    pairs = training.pairs_of(graph(), spec)
    network = training.network_of(graph(), spec, pairs, 0)
    batch = Batches(pairs, 7, spec, 0).batch(0, 0)
    R = pairs.toarray()
    degrees = np.sqrt(R.sum(1))[:, None] * np.sqrt(R.sum(0))
    A = np.divide(R, degrees, where=degrees > 0, out=np.zeros_like(R))
    known = (R.sum(0) > 0)[:, None]
    assert network.items.ids is not None
    assert network.profile is not None
    E, F = (table.detach().numpy() * known for table in (network.items.ids, network.profile.ids))
    users, items = [A @ F], [E]
    for _ in range(2):
        following = A @ items[-1], A.T @ users[-1]
        users.append(following[0])
        items.append(following[1])
    U, V = (sum(side) / 3 for side in (users, items))
    U, V = (side / np.sqrt((side**2).sum(1, keepdims=True) + 1e-12) for side in (U, V))
    assert network.bias is not None
    logits = U @ V.T / spec.temperature + network.bias.detach().numpy()
    assert network.bias.detach().numpy() == pytest.approx(0.7 * np.log(np.maximum((R > 0).sum(0), 1)), abs=1e-5)
    rows, columns, negatives = (part.numpy() for part in (batch.users, batch.items, batch.negatives))
    positive = logits[rows, columns]
    assert batch.free is not None
    assert batch.log_q is not None
    others = np.where(batch.free.numpy(), np.exp(logits[rows][:, negatives[0]] - batch.log_q.numpy()), 0).sum(1)
    losses = np.log(np.exp(positive) + others) - positive
    expected = np.average(losses, weights=batch.weight.numpy())
    loss = network.loss(batch)
    assert isinstance(loss, torch.Tensor)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_the_tree_of_categories_has_a_direction() -> None:
    settings = {**PRESETS["hetero"], "epochs": 1}
    relation = ("category", "within", "category")
    turned = {**graph().edges, relation: graph().edges[relation].reverse()}
    one, other = (trained(settings, shop)[1] for shop in (graph(), replace(graph(), edges=turned)))
    assert not np.allclose(one.score(graph().history), other.score(graph().history), atol=1e-4)


def test_a_new_item_is_what_its_attributes_say() -> None:
    _, served = trained({"attributes": True, "id_dropout": 0.3, "epochs": 10})
    items = served.arrays()["items"]
    assert np.linalg.norm(items[ITEMS - 1]) > 0.1
    _, blind = trained({"epochs": 10})
    assert not blind.arrays()["items"][ITEMS - 1].any()


@pytest.mark.parametrize("settings", [{"attributes": True}, PRESETS["hetero"]], ids=str)
def test_a_user_of_whom_only_traits_and_friends_are_known(settings: dict[str, Any]) -> None:
    _, served = trained({**settings, "epochs": 5})
    someone = graph().history.of_users(np.array([USERS - 1]))
    assert not len(someone.item_idx)
    scores = served.score(someone)
    nobody = replace(someone, about={})
    assert np.isfinite(scores).all()
    assert not np.allclose(scores, served.score(nobody), atol=1e-6)


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_MINUTES", 0.0)
    spec = GraphModelSpec.parse({**SMALL, "epochs": 4, "message": "sage", "depth": 1, "dropout": 0.1})
    whole = GraphModel.fit(graph(), spec, 0).arrays()

    def stop(message: str, share: float | None = None) -> None:
        if share is not None and share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GraphModel.train(graph(), spec, 0, FitContext(progress=stop, checkpoint=tmp_path / "run"))
    again = GraphModel.train(graph(), spec, 0, FitContext(checkpoint=tmp_path / "run")).arrays()
    assert all(again[name].tobytes() == array.tobytes() for name, array in whole.items())


@pytest.mark.parametrize("sampling", ["none", "neighbours"])
def test_a_killed_training_makes_no_batch_again(sampling: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_MINUTES", 0.0)
    spec = GraphModelSpec.parse({**SMALL, "epochs": 2, "sampling": sampling, "batch_size": 16})
    whole, made, own = GraphModel.fit(graph(), spec, 0).arrays(), list[tuple[int, int]](), Batches.batch

    def batch(batches: Batches, epoch: int, step: int) -> Any:
        if (epoch, step) == (1, 6) and not begun:
            raise KeyboardInterrupt
        made.append((epoch, step))
        return own(batches, epoch, step)

    begun: list[bool] = []
    monkeypatch.setattr(Batches, "batch", batch)
    with pytest.raises(KeyboardInterrupt):
        GraphModel.train(graph(), spec, 0, FitContext(checkpoint=tmp_path / "run"))
    begun.append(True)
    made.clear()
    again = GraphModel.train(graph(), spec, 0, FitContext(checkpoint=tmp_path / "run")).arrays()
    assert made[0][0] == 1
    assert made[0][1] > 2
    assert all(again[name].tobytes() == array.tobytes() for name, array in whole.items())


@pytest.mark.parametrize("settings", [{}, PRESETS["hetero"]], ids=str)
def test_a_warm_start_has_the_earlier_scores_and_goes_on_from_them(settings: dict[str, Any]) -> None:
    spec = GraphModelSpec.parse({**SMALL, **settings, "epochs": 10})
    first = GraphModel.fit(graph(), spec, 0)
    rows = {name: np.arange(len(nodes), dtype=np.int32) for name, nodes in graph().nodes.items()}
    network = training.network_of(graph(), spec, training.pairs_of(graph(), spec), 1)
    starting.go_on(network, serving.trained(first.arrays()), rows)
    same = GraphModel.from_arrays(serving.arrays_of(network), spec)
    np.testing.assert_allclose(same.score(graph().history), first.score(graph().history), atol=1e-5)
    short = GraphModelSpec.parse({**SMALL, **settings, "epochs": 1})
    further = GraphModel.train(graph(), short, 0, FitContext(start=WarmStart(first, rows)))
    assert further.run is not None
    assert first.run is not None
    assert further.run["epochs"][0]["loss"] < first.run["epochs"][0]["loss"] - 0.05


def test_nodes_that_moved_keep_their_weights_and_new_ones_start_among_them() -> None:
    spec = GraphModelSpec.parse({**SMALL, "dim": 4})
    pairs = training.pairs_of(graph(), spec)
    network = training.network_of(graph(), spec, pairs, 0)
    assert network.items.ids is not None
    start = network.items.ids.detach().clone()
    turn = torch.linalg.qr(torch.randn(4, 4))[0]
    before = (start @ turn)[torch.arange(ITEMS - 5, 0, -1)]  # row r was row ITEMS - 5 - r
    rows = {"item": np.arange(ITEMS - 5, 0, -1, dtype=np.int32)}
    rows["item"][3] = -1
    starting.go_on(network, {"items.ids": before, "bias": torch.arange(ITEMS - 5.0)}, rows)
    torch.testing.assert_close(network.items.ids.detach(), start @ turn, atol=1e-4, rtol=1e-3)
    assert network.bias is not None
    assert network.bias[ITEMS - 5].item() == 0.0
    assert network.bias[ITEMS - 5 - 3].item() == pytest.approx(training_bias(pairs)[ITEMS - 8], abs=1e-5)


def training_bias(pairs: Any) -> Any:
    return 0.7 * np.log(np.maximum(np.bincount(pairs.indices, minlength=ITEMS), 1))


@pytest.mark.parametrize(
    "settings",
    [
        {"scorer": "mlp"}, {"shared": False}, {"shared": False, "scorer": "mlp"},
        {"negatives_from": "hard", "shared": False, "negatives": 5, "pool": 20, "loss": "bpr"},
    ],
    ids=str,
)  # fmt: skip
def test_scores_of_negatives_take_memory_for_a_few_at_once(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = GraphModelSpec.parse({**SMALL, "dim": 64, **settings})
    pairs = training.pairs_of(graph(), spec)
    batch = Batches(pairs, 100, spec, 0).batch(0, 0)
    seen: list[list[torch.Tensor]] = []
    for cells in (1 << 20, 1000):
        monkeypatch.setattr("paretail.retrieve.net.network.CELLS", cells)
        network, kept = training.network_of(graph(), spec, pairs, 0), [0]
        sizes = kept.append
        with torch.autograd.graph.saved_tensors_hooks(lambda x, tell=sizes: [tell(x.numel()), x][1], lambda x: x):
            loss = network.loss(batch)
        assert isinstance(loss, torch.Tensor)
        loss.backward()  # type: ignore[no-untyped-call]
        seen.append([loss.detach(), *(param.grad for param in network.parameters() if param.grad is not None)])
        assert max(kept) < 100 * 20 * 64 / 4
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "settings", [{}, {"message": "gat", "combination": "concat"}, {"loss": "bpr", "bias": False}], ids=str
)
def test_vectors_of_few_items_are_combined_as_those_of_all(settings: dict[str, Any]) -> None:
    shop = graph()
    spec = GraphModelSpec.parse({**SMALL, "negatives": 3, **settings})
    pairs = training.pairs_of(shop, spec)
    batch = Batches(pairs, 5, spec, 0).batch(0, 0)

    def told(whole: bool) -> list[torch.Tensor]:
        network = training.network_of(shop, spec, pairs, 0)
        assert len(network._asked(network.states(network.whole()), batch, None)[0].items) < ITEMS // 2
        loss = network._loss(network.vectors(network.states(network.whole())), batch) if whole else network.loss(batch)
        assert isinstance(loss, torch.Tensor)
        loss.backward()  # type: ignore[no-untyped-call]
        return [loss, *(param.grad for param in network.parameters() if param.grad is not None)]

    for one, other in zip(told(False), told(True), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
