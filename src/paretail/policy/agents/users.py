"""A model of users fitted to logs: what they click in a slate, and whether they stay for another.

    P(click at j | session, slots above),   P(stay | session, slate) = σ(V(s) + mean_j a(s, i_j | above))

The click model is the one that agents hold (`networks.Response`); the other has the form of Q. It predicts and it makes
features for fitted-Q evaluation; what policies are worth is never read off it: it is no judge of what was learned
from it, and whoever evaluates fits one on other sessions. Its calibration is measured on sessions that it has not seen.
Source: none; deviations: none.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from paretail.data.sessions import SessionLog
from paretail.policy.agents.logs import replayed
from paretail.policy.agents.memory import State
from paretail.policy.agents.offline import OfflineAgent
from paretail.policy.agents.sessions import Rows, tensors

_BATCH: Final = 256
_PASSES: Final = 6
_BINS: Final = 10
#: Decisions that are looked at together.
_BLOCK: Final = 1024
#: Best items of a user whose chance of a click tells how much there is to come.
_BEST: Final = 30
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Cases of like predictions: how many, the mean prediction, and the share that happened."""

    count: int
    predicted: float
    happened: float


class UserModel:
    """What users do, as a log of sessions tells it."""

    def __init__(self, mind: OfflineAgent) -> None:
        self.mind = mind

    @classmethod
    def fit(cls, mind: OfflineAgent, log: SessionLog, seed: int = 0) -> "UserModel":
        """Fit to a log; `mind`, an agent made for its observations and items that has learned nothing, holds the state.

        Raises AgentError (AGENT-03, AGENT-12) for a log that does not fit.
        """
        mind.take_log(log, seed)
        return cls(mind)

    def predicted(self, states: State, rows: Rows) -> tuple[Values, Values]:
        """Return the chances of a click `[decisions, slots]` and of staying `[decisions]`."""
        parts = [self._at(states, rows, slice(at, min(at + _BLOCK, len(rows)))) for at in range(0, len(rows), _BLOCK)]
        clicks, stays = zip(*parts, strict=True)
        return np.concatenate(clicks), np.concatenate(stays)

    def calibration(self, log: SessionLog) -> dict[str, list[Bin]]:
        """Return, of sessions that the model was not fitted to, what it predicts beside what happened."""
        clicks, stays = self.predicted(replayed(self.mind, log).states, log.rows)
        return {"clicks": _bins(clicks.ravel(), log.clicks.ravel()), "stays": _bins(stays, ~log.ended)}

    def features(self, states: State, rows: Rows) -> Values:
        """Return `[decisions, features]` in which the rest of a session is about linear.

        The first five say Q = k c + p V(s) with V linear in how well liked the best items are, in the share of clicks
        so far and in the number of steps; the others what that misses.
        """
        clicks, stays = self.predicted(states, rows)
        left = np.exp(-states["clock"][:, 0].astype(np.float64) / 8)
        c, p, best, share = clicks.sum(1), stays, self._best(states), _share(states, self.mind)
        return np.stack([c, p, p * best, p * share, p * left, c * c, c * best, c * share, c * left, p * p], 1)

    def _at(self, states: State, rows: Rows, part: slice) -> tuple[Values, Values]:
        response = self.mind.response
        with torch.no_grad():
            seen, shown = self.mind.eyes(tensors(states, part)), torch.from_numpy(rows[part])
            scorer = response.scorer
            clicks = (scorer.at(scorer.prepared(seen), shown) + response.bias).sigmoid()
            return clicks.double().numpy(), self.mind.stays(seen, shown).sigmoid().double().numpy()

    def _best(self, states: State) -> Values:
        scorer, found = self.mind.response.scorer, []
        with torch.no_grad():
            for at in range(0, len(states["obs"]), _BLOCK):
                scores = scorer.first(scorer.prepared(self.mind.eyes(tensors(states, slice(at, at + _BLOCK)))))
                found.append(scores.topk(min(_BEST, scores.shape[1]), 1).values.sigmoid().mean(1).double().numpy())
        return np.concatenate(found)


def _share(states: State, mind: OfflineAgent) -> Values:
    """Return the share of slots clicked in the session so far, drawn to the usual one."""
    steps, clicks = states["clock"].astype(np.float64).T
    return np.asarray((clicks + 4 * mind.usual) / (steps * mind.slots + 4))


def _bins(predicted: Values, happened: NDArray[np.generic]) -> list[Bin]:
    order = np.array_split(np.argsort(predicted, kind="stable"), _BINS)
    return [Bin(len(part), float(predicted[part].mean()), float(happened[part].mean())) for part in order if len(part)]
