"""Slates: probabilities against brute force, the best slate against all of them, draws against probabilities."""

from itertools import combinations, permutations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from paretail.policy.agents import SlatePPO  # noqa: E402
from paretail.policy.agents.networks import above  # noqa: E402
from paretail.policy.agents.policies import gumbel  # noqa: E402
from paretail.policy.agents.sessions import Sessions, tensors  # noqa: E402
from paretail.policy.agents.slates import (  # noqa: E402
    composed,
    entropy,
    exact_slate,
    free,
    greedy_slate,
    log_prob,
)

from .worlds import Bored  # noqa: E402


def test_log_probabilities_are_those_of_plackett_and_luce() -> None:
    scores, rows = torch.tensor([0.3, -1.0, 2.0, 0.5]), torch.tensor([[2, 0]])
    weight = scores.exp()
    want = [weight[2] / weight.sum(), weight[0] / (weight.sum() - weight[2])]
    found = log_prob(free(scores.expand(1, 2, -1), rows), rows).exp()[0]
    assert found.tolist() == pytest.approx([float(value) for value in want])


def test_all_slates_together_have_probability_1_also_where_scores_depend_on_the_slots_above() -> None:
    agent, seen = _agent(items=8)
    slates = torch.tensor(list(permutations(range(8), 3)))
    many = {name: column.expand(len(slates), *column.shape[1:]) for name, column in tensors(seen).items()}
    with torch.no_grad():
        scores = free(agent.bound.slates(agent.eyes(many), slates), slates)
    p = log_prob(scores, slates).sum(1).exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-5)
    drawn = np.concatenate([
        agent.hands.composed({k: np.repeat(v, 500, 0) for k, v in seen.items()}, 3, gumbel(rng, 500, 3, 8))[0]
        for rng in (np.random.default_rng(seed) for seed in range(8))
    ])  # fmt: skip
    code = {tuple(slate): number for number, slate in enumerate(slates.tolist())}
    count = np.bincount([code[tuple(slate)] for slate in drawn.tolist()], minlength=len(slates))
    spread = np.sqrt(np.maximum(p.numpy() * len(drawn), 1.0))
    assert (np.abs(count - p.numpy() * len(drawn)) < 5.5 * spread).all()


def test_entropy_is_that_of_each_slot() -> None:
    scores = free(torch.zeros(1, 2, 4), torch.tensor([[1, 3]]))
    assert entropy(scores)[0].tolist() == pytest.approx([np.log(4), np.log(3)])


def test_above_is_the_sum_of_the_slots_before() -> None:
    shown = torch.arange(6.0).view(1, 3, 2)
    assert above(shown)[0].tolist() == [[0.0, 0.0], [0.0, 1.0], [2.0, 4.0]]


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_slate_is_the_best_of_all_and_greed_not_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    v, q = (torch.from_numpy(rng.gamma(0.5, size=(3, 9))) for _ in range(2))
    none, worth_none = torch.ones(3, dtype=torch.float64), torch.full((3,), 0.2, dtype=torch.float64)

    def worth(rows: torch.Tensor) -> torch.Tensor:
        mine, its = v.gather(1, rows), q.gather(1, rows)
        return ((mine * its).sum(1) + none * worth_none) / (mine.sum(1) + none)

    every = torch.stack([worth(torch.tensor([one] * 3)) for one in combinations(range(9), 4)])
    exact = worth(exact_slate(v, q, 4, none, worth_none))
    assert torch.allclose(exact, every.max(0).values)
    assert (worth(greedy_slate(v, q, 4, none, worth_none)) <= exact + 1e-9).all()


@pytest.mark.parametrize("encoder", ["none", "gru", "transformer"])
def test_acting_in_numpy_gives_what_the_networks_give(encoder: str) -> None:
    agent, seen = _agent(items=40, encoder=encoder)
    noise = gumbel(np.random.default_rng(0), 1, 3, 40)
    rows, logs = agent.hands.composed(seen, 3, noise)
    with torch.no_grad():
        want, want_logs = composed(agent.bound, agent.eyes(tensors(seen)), 3, torch.from_numpy(noise))
    assert (rows == want.numpy()).all()
    assert np.abs(logs - want_logs.numpy()).max() < 1e-4


def _agent(items: int, encoder: str = "none") -> tuple[SlatePPO, dict[str, np.ndarray]]:
    """Return an agent with random weights, and a state after a few slates."""
    env = Bored(items=items)
    vectors = np.hstack([env.item_vectors, np.random.default_rng(0).normal(size=(items, 2))])
    agent = SlatePPO(env.observation_space, vectors, 3, {"probe": 40, "probe_share": 0.5, "encoder": encoder})
    agent.learn(env, 80, 0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in agent.networks.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    agent._acting = None
    sessions, (seen, _) = Sessions(agent, 1), env.reset(seed=0)
    for _ in range(5):
        seen = env.step(agent._next(sessions, seen, False, agent._rng)[0])[0]
    return agent, sessions.state(agent.reader.raw(seen, 1))
