"""Acting without torch's overhead: the forward passes of `networks.py` in numpy, and slates filled step by step.

The same numbers as `slates.composed` gives (a test), for few lanes at a time. Scores are kept up to date from slot to
slot: what was just shown moves the scores of all items along its own vector, and those of its group alone by the
group's network, so that a slot costs one row of products and a sum over the group. Weights are views of the networks'
own.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from paretail.policy.agents.items import Items
from paretail.policy.agents.memory import State
from paretail.policy.agents.networks import LOOKS, Eyes, Scorer
from paretail.policy.agents.sessions import Rows, tensors

Values = NDArray[np.float32]
#: From the scores of each scorer to those by which slots are filled.
Mix = Callable[[Sequence[Values]], Values]
#: Items up to which all products of their vectors are kept.
_ALL: Final = 4000


class Hands:
    """Fills slates by several scorers together; `refresh` after their weights have changed."""

    def __init__(self, items: Items, eyes: Eyes, scorers: Sequence[Scorer], mix: Mix) -> None:
        self.items, self.mix = items, mix
        self.scorers, self._eyes = [_Scorer(items, scorer, eyes) for scorer in scorers], _Eyes(eyes)
        self._products = items.z @ items.z.T if len(items.z) <= _ALL else None
        self._members = [np.flatnonzero(items.group == group) for group in range(items.groups)]
        self.refresh()

    def refresh(self) -> None:
        """Take note that weights have changed."""
        for scorer in self.scorers:
            scorer.refresh()

    def composed(self, state: State, slots: int, noise: Values | None) -> tuple[Rows, NDArray[np.float64]]:
        """Return slates and the log-probabilities of their slots; `noise[lanes, slots, items]` makes it a draw."""
        seen = self._eyes(state)
        known = [scorer.prepared(state, seen, slots) for scorer in self.scorers]
        lanes = len(state["obs"])
        rows, logs = np.zeros((lanes, slots), np.int64), np.zeros((lanes, slots))
        for lane in range(lanes):
            parts = [(scores[lane].copy(), steps[lane]) for scores, steps in known]
            rows[lane], logs[lane] = self._filled(parts, slots, None if noise is None else noise[lane])
        return rows, logs

    def _filled(
        self, parts: list[tuple[Values, Values]], slots: int, noise: Values | None
    ) -> tuple[Rows, NDArray[np.float64]]:
        rows, logs = np.zeros(slots, np.int64), np.zeros(slots)
        gone, counts = np.zeros(len(self.items.z), np.float32), np.zeros(self.items.groups, np.int64)
        for slot in range(slots):
            scores = self.mix([part for part, _ in parts]) + gone
            best = int((scores if noise is None else scores + noise[slot]).argmax())
            rows[slot] = best
            if noise is not None:
                top = scores.max()
                logs[slot] = scores[best] - top - np.log(np.exp(scores - top).sum())
            gone[best] = -np.inf
            if slot + 1 < slots:
                self._shown(best, parts, counts)
        return rows, logs

    def _shown(self, row: int, parts: list[tuple[Values, Values]], counts: NDArray[np.int64]) -> None:
        """Move the scores by what was just put into the slate."""
        near = self._products[row] if self._products is not None else self.items.z @ self.items.z[row]
        group = int(self.items.group[row])
        for scorer, (scores, steps) in zip(self.scorers, parts, strict=True):
            scores += float(scorer.above) * near
            if self.items.groups:
                scores[self._members[group]] += steps[group, counts[group]]
        if self.items.groups:
            counts[group] += 1


class _Eyes:
    """What networks see of a state, `Eyes.forward` in numpy: `x[lanes, width]` and `groups[lanes, groups, columns]`."""

    def __init__(self, eyes: Eyes) -> None:
        self.components, self.slots, self.weight = eyes.components, eyes.slots, np.float32(eyes.weight)
        self.mean, self.spread, self.usual, self.centre = (
            _array(part) for part in (eyes.mean, eyes.spread, eyes.usual, eyes.centre)
        )

    def __call__(self, state: State) -> tuple[Values, Values]:
        traces, clock, taste = (np.asarray(state[name], np.float32) for name in ("traces", "clock", "taste"))
        observed = np.clip((np.asarray(state["obs"], np.float32) - self.mean) / self.spread, -8, 8)
        count = traces[..., self.components :] / self.weight
        lanes, decays, _, groups = count.shape
        logs = np.log1p(count.transpose(0, 3, 2, 1).reshape(lanes, groups, 2 * decays))
        shown, clicked = count[:, 0, 0], count[:, 0, 1]
        rate = _logit((clicked + LOOKS * self.usual) / (shown + LOOKS)) - _logit(self.usual)
        near = taste @ self.centre.T
        steps, clicks = clock[:, 0], clock[:, 1]
        share = (clicks + LOOKS * self.usual) / (steps * self.slots + LOOKS) - self.usual
        crowd = np.log1p(np.sqrt((count[:, :, 0] ** 2).sum(2)))
        totals = np.concatenate([np.stack([np.log1p(steps) / 3, steps / 50, share], 1), crowd], 1)
        aim = np.asarray(state["aim"], np.float32)
        x = np.concatenate([observed, aim, 2 * taste, totals], 1).astype(np.float32)
        return x, np.concatenate([logs, rate[..., None], 3 * near[..., None]], 2).astype(np.float32)


class _Scorer:
    """A scorer's weights as arrays."""

    def __init__(self, items: Items, scorer: Scorer, eyes: Eyes) -> None:
        self.items, self.scorer, self.eyes, self.phi = items, scorer, eyes, items.phi
        self.user, self.straight = _layers(scorer.user), _array(scorer.straight.weight)
        self.above, self.alpha, self.omega = (_array(w) for w in (scorer.above, scorer.alpha, scorer.omega))
        self.above_group, self.omega_group = _array(scorer.above_group), _array(scorer.omega_group)
        self.doubt = _array(scorer.doubt)
        self.group, self.bias = _array(scorer.group.weight), _array(scorer.group.bias)
        self.out, self.out_bias = _array(scorer.told.weight)[0], _array(scorer.told.bias)

    def refresh(self) -> None:
        """Compute what depends on weights alone."""
        with torch.no_grad():
            self.pulls = self.scorer._pulls().numpy()
            self.weight = (self.scorer.own @ self.scorer.ages).numpy()

    def steps(self, hidden: Values, slots: int) -> Values:
        """Return `[lanes, groups, slots]`: what a group's score moves by with its first showing, its second ..."""
        count = np.arange(slots + 1, dtype=np.float32)
        moved = hidden[..., None, :] + count[:, None] * self.group[:, -1]
        told = np.maximum(moved, 0, out=moved) @ self.out + self.above_group * count
        steps: Values = told[..., 1:] - told[..., :-1]
        return steps

    def prepared(self, state: State, seen: tuple[Values, Values], slots: int) -> tuple[Values, Values]:
        """Return `[lanes, items]` scores for an empty slate, and the steps of groups."""
        if self.scorer.window is not None:
            with torch.no_grad():
                known = self.scorer.prepared(self.eyes(tensors(state)))
                return self.scorer.first(known).numpy(), self.steps(known.hidden.numpy(), slots)
        (x, groups), components = seen, self.items.z.shape[1]
        q = _forward(self.user, x) + x @ self.straight.T
        traces, taste, doubt = (np.asarray(state[name], np.float32) for name in ("traces", "taste", "doubt"))
        q[:, :components] += self.alpha * taste + self.doubt * doubt
        q[:, :components] += _told(traces[..., :components], self.omega)
        q[:, components:] += _told(traces[..., components:], self.omega_group)
        hidden = np.concatenate([groups, self._rests(state)[..., None]], 2) @ self.group[:, :-1].T + self.bias
        if self.items.groups:
            q[:, components:] += np.maximum(hidden, 0) @ self.out + self.out_bias
        return q @ self.phi.T + self.pulls + self._owned(state), self.steps(hidden, slots)

    def _rests(self, state: State) -> Values:
        if not int(self.scorer.rests.rule[0]):
            return np.zeros((len(state["rows"]), self.items.groups), np.float32)
        seen = tensors({name: state[name] for name in ("rows", "clicked")})
        rests: Values = self.scorer.rests(seen["rows"], seen["clicked"]).numpy()
        return rests

    def _owned(self, state: State) -> Values:
        own = np.zeros((len(state["rows"]), len(self.phi)), np.float32)
        for lane, (rows, clicked) in enumerate(zip(state["rows"], state["clicked"], strict=True)):
            there = rows >= 0
            if there.any():
                amount = self.weight[0, there] + self.weight[1, there] * clicked[there]
                own[lane] = np.bincount(rows[there], amount, len(self.phi))
        return own


def _logit(share: Values) -> Values:
    share = np.clip(share, 0.01, 0.99)
    return np.asarray(np.log(share / (1 - share)))


def _told(traces: Values, weight: Values) -> Values:
    told: Values = (traces * weight[..., None]).sum((1, 2))
    return told


def _layers(module: nn.Sequential) -> list[tuple[Values, Values]]:
    return [(_array(layer.weight), _array(layer.bias)) for layer in module if isinstance(layer, nn.Linear)]


def _forward(layers: list[tuple[Values, Values]], x: Values) -> Values:
    for number, (weight, bias) in enumerate(layers):
        x = x @ weight.T + bias
        if number + 1 < len(layers):
            x = np.tanh(x)
    return x


def _array(tensor: torch.Tensor) -> Values:
    array: Values = tensor.detach().numpy()
    return array
