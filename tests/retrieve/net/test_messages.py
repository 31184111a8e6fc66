"""Messages: against torch_geometric's layers where weights are 1, and by hand where they are not."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor, nn

from paretail.retrieve.net.edges import Edges
from paretail.retrieve.net.messages import MESSAGES, Message
from paretail.retrieve.spec import GraphModelSpec

peer = pytest.importorskip("torch_geometric.nn")
DIM, TARGETS, SOURCES = 6, 7, 9


def spec(message: str, **more: Any) -> GraphModelSpec:
    return GraphModelSpec.parse({"message": message, "depth": 1, "dim": DIM, **more})


def made(message: str, **more: Any) -> Message:
    torch.manual_seed(3)
    module = MESSAGES[spec(message).message](spec(message, **more))
    for param in module.parameters():
        param.data.add_(0.1 * torch.randn_like(param))  # so that biases matter
    return module


def matrix(seed: int = 0, shape: tuple[int, int] = (TARGETS, SOURCES), weighted: bool = False) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    there = (rng.random(shape) < 0.4).astype(np.float32)
    there[0] = 0  # a target that hears nothing
    return sparse.csr_array(there * rng.uniform(0.2, 3.0, shape).astype(np.float32) if weighted else there)


def states(seed: int = 1, targets: int = TARGETS, sources: int = SOURCES) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(targets, DIM), torch.randn(sources, DIM)


def edge_index(found: sparse.csr_array) -> Tensor:
    targets, sources = found.nonzero()
    return torch.from_numpy(np.stack([sources, targets]).astype(np.int64))


def copied(ours: nn.Module, theirs: nn.Module, names: dict[str, str]) -> nn.Module:
    """Return their layer with our weights, `names` from ours to theirs."""
    weights = ours.state_dict()
    theirs.load_state_dict({there: weights[here].view_as(theirs.state_dict()[there]) for here, there in names.items()})
    return theirs


def close(ours: Tensor, theirs: Tensor) -> None:
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), atol=1e-5, rtol=1e-5)


def test_gcn_is_gcnconv() -> None:
    found = matrix(shape=(8, 8))
    found = sparse.csr_array(((found + found.T) > 0).astype(np.float32))
    found.setdiag(0)
    found.eliminate_zeros()
    ours, (x, _) = made("gcn"), states(targets=8)
    theirs = copied(ours, peer.GCNConv(DIM, DIM), {"lin.weight": "lin.weight", "bias": "bias"})
    close(ours(x, x, Edges.of(found)), theirs(x, edge_index(found)))


@pytest.mark.parametrize("aggregation", ["mean", "max", "attention"])
def test_sage_is_sageconv(aggregation: str) -> None:
    ours, (x, y), found = made("sage", aggregation=aggregation), states(), matrix()
    names = {"lin_l.weight": "lin_l.weight", "lin_l.bias": "lin_l.bias", "lin_r.weight": "lin_r.weight"}
    if aggregation == "attention":
        names |= {"gate.weight": "aggr_module.gate_nn.weight", "gate.bias": "aggr_module.gate_nn.bias"}
        theirs = peer.SAGEConv((DIM, DIM), DIM, aggr=peer.aggr.AttentionalAggregation(nn.Linear(DIM, 1)))
    else:
        theirs = peer.SAGEConv((DIM, DIM), DIM, aggr=aggregation, project=aggregation == "max")
        names |= {"lin.weight": "lin.weight", "lin.bias": "lin.bias"} if aggregation == "max" else {}
    close(ours(x, y, Edges.of(found)), copied(ours, theirs, names)((y, x), edge_index(found)))


@pytest.mark.parametrize("heads", [1, 2])
def test_gat_is_gatconv(heads: int) -> None:
    ours, (x, y), found = made("gat", heads=heads), states(), matrix()
    theirs = peer.GATConv(DIM, DIM // heads, heads=heads, add_self_loops=False)
    copied(ours, theirs, {name: name for name in ("lin.weight", "bias", "att_src", "att_dst")})
    close(ours(x, y, Edges.of(found)), theirs((y, x), edge_index(found)))


@pytest.mark.parametrize("heads", [1, 3])
def test_gatv2_is_gatv2conv(heads: int) -> None:
    ours, (x, y), found = made("gatv2", heads=heads), states(), matrix()
    theirs = peer.GATv2Conv((DIM, DIM), DIM // heads, heads=heads, add_self_loops=False)
    copied(ours, theirs, {name: name for name in theirs.state_dict()})
    close(ours(x, y, Edges.of(found)), theirs((y, x), edge_index(found)))


def test_gin_is_ginconv() -> None:
    ours, (x, y), found = made("gin"), states(), matrix()
    inner = nn.Sequential(nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, DIM))
    theirs = copied(ours, peer.GINConv(inner, train_eps=True), {name: name for name in ours.state_dict()})
    close(ours(x, y, Edges.of(found)), theirs((y, x), edge_index(found)))


def shares_by_hand(message: str, ours: Any, x: Tensor, y: Tensor, dense: Tensor) -> Tensor:
    """Return the share that each target gives to each source, from a full table of scores."""
    if message == "gat":
        own, others = ours.lin(x) @ ours.att_dst[0, 0], ours.lin(y) @ ours.att_src[0, 0]
        scores = nn.functional.leaky_relu(own[:, None] + others, 0.2)
    else:
        both = nn.functional.leaky_relu(ours.lin_r(x)[:, None] + ours.lin_l(y), 0.2)
        scores = both @ ours.att[0, 0]
    raised = dense * scores.exp()
    return raised / raised.sum(1, keepdim=True).clamp(min=1e-30)


def by_hand(message: str, ours: Any, x: Tensor, y: Tensor, found: sparse.csr_array) -> Tensor:
    """Return a message from dense matrices."""
    dense = torch.from_numpy(found.toarray())
    rows, columns = dense.sum(1, keepdim=True), dense.sum(0, keepdim=True)
    normal = torch.where(dense > 0, dense / (rows * columns).sqrt(), 0.0)
    if message == "lightgcn":
        return normal @ y
    if message == "ngcf":
        m = normal @ y
        return ours.plain(x + m) + ours.agreeing(x * m)
    if message == "gcn":
        heard = x / (rows + 1) + dense / ((rows + 1) * (columns + 1)).sqrt() @ y
        return heard @ ours.lin.weight.T + ours.bias
    if message == "sage":
        return ours.lin_l(dense / rows.clamp(min=1e-30) @ y) + ours.lin_r(x)
    if message == "gin":
        return ours.nn((1 + ours.eps) * x + dense @ y)
    values = ours.lin(y) if message == "gat" else ours.lin_l(y)
    return shares_by_hand(message, ours, x, y, dense) @ values + ours.bias


@pytest.mark.parametrize("message", MESSAGES)
def test_weights_and_direction_enter_as_computed_by_hand(message: str) -> None:
    ours, (x, y), found = made(message), states(), matrix(weighted=True)
    close(ours(x, y, Edges.of(found)), by_hand(message, ours, x, y, found))
    heavier = sparse.csr_array(found * matrix(seed=5, weighted=True).toarray().clip(0.5))
    close(ours(x, y, Edges.of(heavier)), by_hand(message, ours, x, y, heavier))
    assert not torch.allclose(ours(x, y, Edges.of(heavier)), ours(x, y, Edges.of(found)), atol=1e-3)
    turned = sparse.csr_array(found.T.tocsr())
    close(ours(y, x, Edges.of(found).turned), by_hand(message, ours, y, x, turned))


def test_the_greatest_and_the_attention_of_sage_count_weights_as_computed_by_hand() -> None:
    """A maximum is of what neighbours say times the weights of their edges; attention counts an edge so many times."""
    (x, y), found = states(), matrix(weighted=True)
    D = torch.from_numpy(found.toarray())
    most, gated = (made("sage", aggregation=way) for way in ("max", "attention"))
    greatest = (D[:, :, None] * most.lin(y).relu()).amax(1)
    close(most(x, y, Edges.of(found)), most.lin_l(greatest) + most.lin_r(x))
    raised = D * torch.exp(gated.gate(y))[:, 0]
    shares = raised / raised.sum(1, keepdim=True).clamp(min=1e-30)
    close(gated(x, y, Edges.of(found)), gated.lin_l(shares @ y) + gated.lin_r(x))


def test_direction_matters_where_source_and_target_are_of_one_type() -> None:
    found = matrix(shape=(8, 8), weighted=True)
    x, _ = states(targets=8)
    for message in MESSAGES:
        ours = made(message)
        forth, back = ours(x, x, Edges.of(found)), ours(x, x, Edges.of(found).turned)
        assert not torch.allclose(forth, back, atol=1e-3), message


@pytest.mark.parametrize("message", [*MESSAGES, "max", "attention"])
def test_gradients_are_those_of_finite_differences(message: str) -> None:
    ours = made("sage", aggregation=message) if message in ("max", "attention") else made(message)
    ours = ours.double()
    found = sparse.csr_array(matrix(weighted=True).astype(np.float64))
    edges = Edges.of(found)
    edges = Edges(edges.csr, edges.target_degree.double(), edges.source_degree.double())
    x, y = (state.double().requires_grad_() for state in states())
    params = [param.requires_grad_() for param in ours.parameters()]

    def out(x: Tensor, y: Tensor, *_: Tensor) -> Tensor:
        return ours(x, y, edges)

    assert torch.autograd.gradcheck(out, (x, y, *params), atol=1e-4)


@pytest.mark.parametrize(("message", "more"), [("gat", {}), ("gatv2", {}), ("sage", {"aggregation": "attention"})])
def test_edges_that_a_step_leaves_out_are_as_if_they_were_not_there(message: str, more: dict[str, Any]) -> None:
    ours, found = made(message, **more), matrix()
    gone = torch.zeros(TARGETS, dtype=torch.bool)
    gone[[2, 5]] = True  # they had neighbours, and are left with none
    kept = found.toarray()
    kept[gone.numpy()] = 0
    gradients = []
    for edges in (Edges.of(found).without(targets=gone), Edges.of(sparse.csr_array(kept))):
        x, y = (state.requires_grad_() for state in states())
        heard = ours(x, 40 * y, edges)  # scores so far apart that those left out would swallow the others
        gradients.append((heard, *torch.autograd.grad(heard.square().sum(), [x, y, *ours.parameters()])))
    for left_out, absent in zip(*gradients, strict=True):
        assert torch.isfinite(left_out).all()
        close(left_out, absent)


def test_a_maximum_is_not_scaled_where_edges_are_left_out() -> None:
    """Sums keep their mean over what is left out; what is greatest of the rest is what it is."""
    ours, found = made("sage", aggregation="max"), matrix(weighted=True)
    edges = Edges.of(found)
    torch.manual_seed(5)
    dropped = edges.dropped(0.5).dropped(0.2).turned.turned
    kept = found.copy()
    kept.data = np.where(dropped.csr.by_row.values.numpy() > 0, kept.data, 0)
    assert 0 < np.count_nonzero(kept.data) < kept.nnz
    close(ours(*states(), dropped), ours(*states(), Edges.of(kept)))
