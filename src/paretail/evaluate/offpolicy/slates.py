"""Estimates for whole slates: what a policy would have earned at all positions together.

    rho_ik = target(a_ik) / propensity(a_ik),   row i, position k; given a_i1 .. a_i(k-1) where the policy looks at them

    standard       mean_i (prod_k rho_ik) sum_k r_ik             nothing assumed; useless beyond a few positions
    item_position  mean_i sum_k rho_ik r_ik                      a reward depends on its item and position alone
    cascade        sum_k sum_i W_ik r_ik / sum_i W_ik            it depends on the items above it too;
                                                                 W_ik = prod_{j <= k} rho_ij
    pseudo_inverse mean_i r_i q_i' Gamma_i^+ 1(slate_i)          the reward of a slate is a sum over its item-position
                                                                 pairs, seen only as a whole

- item_position: S. Li, Y. Abbasi-Yadkori, B. Kveton, S. Muthukrishnan, V. Vinay, Z. Wen, "Offline Evaluation of
  Ranking Policies with Click Models", KDD 2018, arXiv:1804.10488 ("independent IPS" elsewhere). rho is the ratio of the
  marginal probabilities of the item at the position.
- cascade: J. McInerney, B. Brost, P. Chandar, R. Mehrotra, B. Carterette, "Counterfactual Evaluation of Slate
  Recommendations with Sequential Reward Interactions", KDD 2020, arXiv:2007.12986 (RIPS).
- pseudo_inverse: A. Swaminathan et al., "Off-policy evaluation for slate recommendation", NeurIPS 2017,
  arXiv:1605.04812; 1(slate) marks its item-position pairs, q = E_target 1(slate), Gamma = E_logging 1(slate) 1(slate)'.
  Where positions are drawn independently of each other the weight is 1 - slots + sum_k rho_ik.

Deviations: none.
"""

import numpy as np

from paretail.evaluate.offpolicy.logged import Rows, Values
from paretail.evaluate.offpolicy.terms import Terms


def standard(reward: Values, rho: Values) -> Terms:
    """Return plain importance sampling of slates; `reward[rows, slots]`, `rho[rows, slots]` given the items above."""
    return Terms.mean(rho.prod(axis=1) * reward.sum(axis=1))


def item_position(reward: Values, rho: Values) -> Terms:
    """Return the item-position estimate; `rho[rows, slots]` of the item's marginal probabilities at the position."""
    return Terms.mean((rho * reward).sum(axis=1))


def cascade(reward: Values, rho: Values) -> Terms:
    """Return the reward-interaction estimate; `rho[rows, slots]` given the items above."""
    weights: Values = np.multiply.accumulate(rho, axis=1)
    return Terms(np.zeros(len(reward)), weights * reward, weights)


def pseudo_inverse(reward: Values, weights: Values, *, normalised: bool = False) -> Terms:
    """Return the pseudo-inverse estimate of `reward[rows]`, one number a slate, by `weights[rows]` from below.

    `normalised` divides by the weights' mean ("weighted PI", less variance for some bias). Weights may be negative.
    """
    return Terms.ratio(weights * reward, weights) if normalised else Terms.mean(weights * reward)


def independent_weights(rho: Values) -> Values:
    """Return the pseudo-inverse weights where the logging policy draws each position by itself; `rho[rows, slots]`."""
    weights: Values = 1 - rho.shape[1] + rho.sum(axis=1)
    return weights


def listed_weights(slates: Rows, propensity: Values, target: Values) -> Values:
    """Return the pseudo-inverse weight of each of `slates[listed, slots]`, all that the logging policy may show.

    `propensity[listed]` and `target[listed]` are the slates' probabilities. Cost: a pseudo-inverse of as many rows
    and columns as there are item-position pairs.
    """
    positions = np.arange(slates.shape[1])
    marks = np.zeros((len(slates), slates.shape[1], slates.max() + 1))
    marks[np.arange(len(slates))[:, None], positions, slates] = 1
    marks = marks.reshape(len(slates), -1)
    gamma = (marks * propensity[:, None]).T @ marks
    weights: Values = marks @ (np.linalg.pinv(gamma, hermitian=True) @ (target @ marks))
    return weights
