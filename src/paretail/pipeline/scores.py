"""Scores: how a bundle's model becomes a feature of its ranker (`rank/earlier.py`), in training and in serving."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from paretail.core.kernels import ONE_AT_A_TIME
from paretail.core.progress import Progress
from paretail.data.held import Mode
from paretail.data.kinds import NOT_TARGETS
from paretail.data.types import History
from paretail.graph.shopgraph import ShopGraph
from paretail.rank.earlier import WINDOWS, Fit, Said, Score
from paretail.retrieve.base import Question, Retriever
from paretail.retrieve.fitting import FitContext, fits
from paretail.retrieve.models import model
from paretail.retrieve.parts import scored, vectors_of
from paretail.retrieve.question import modes_to_learn


def score_of(fitted: Retriever, mode: Mode, asked: bool | str = True) -> Score:
    """Return what asks a fitted model for what `[rank] retrieved` wants of users: scores, parts of them, vectors."""

    def score(history: History) -> Said:
        with ONE_AT_A_TIME:
            if asked not in ("parts", "vectors"):
                return Said(np.asarray(fitted.score(history, None, mode)), {}, {})
            scores, parts = scored(fitted, history, mode)
            return Said(np.asarray(scores), parts, vectors_of(fitted, history) if asked == "vectors" else {})

    return score


def fitting(facts: Mapping[str, Any], graph: ShopGraph, seed: int, progress: Progress,
            asked: bool | str = True, seconds: float | None = None) -> Fit:  # fmt: skip
    """Return what fits the model that a bundle's `facts` tell of to one earlier log after another (`fits`).

    `asked` is `[rank] retrieved`. Fits of a model that is trained end after `seconds` in all.
    """
    model_type = model(facts["model"])
    settings = model_type.config_type.parse(facts["settings"], "[model.settings]")
    mode = mode_of(facts, graph.history)
    minutes = None if seconds is None else seconds / 60 / (WINDOWS - 1)
    fitted_to = fits(model_type, graph, settings, seed, FitContext(progress, minutes=minutes))

    def to(log: History) -> Score:
        progress("Fitting the retriever to an earlier log")
        return score_of(fitted_to(log), mode, asked)

    return to


def mode_of(facts: Mapping[str, Any], history: History) -> Mode:
    """Return the mode that a shop's lists are made in unasked."""
    wishes = tuple(kind for kind in history.kinds if kind not in NOT_TARGETS)
    return modes_to_learn(history, Question(facts["target"], facts["repeat"], wishes))[0]
