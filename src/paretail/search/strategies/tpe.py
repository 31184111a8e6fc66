"""The tree-structured Parzen estimator of optuna: options that are frequent among the good and rare among the rest.

J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, "Algorithms for hyper-parameter optimization", NeurIPS 2011; as in optuna
(T. Akiba et al., KDD 2019, arXiv:1907.10902) with its defaults. It sees the tokens of an architecture.
Deviations: 1. what it draws and is known already, or illegal, is passed over; after `tries` in a row one is drawn at
random.

Needs the extra `search` (SRCH-03).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import Field

from paretail.core.config import Config
from paretail.core.errors import need_extra
from paretail.search.base import Architecture, Space
from paretail.search.memory import Remembering


class TpeConfig(Config):
    """Settings of the strategy `tpe`."""

    start: int = Field(10, ge=1, description="Architectures drawn at random before the estimator is asked.")
    tries: int = Field(30, ge=1, description="Draws that are known or illegal, one after another, before chance helps.")


class Tpe(Remembering):
    """Asks optuna, anew in each round, with all that was told."""

    name = "tpe"
    config_type = TpeConfig
    config: TpeConfig

    def __init__(self, space: Space, seed: int = 0, goals: int = 1, config: Config | None = None) -> None:
        expected = "The strategy 'tpe' needs the extra `search`"
        need_extra("SRCH-03", ("optuna",), expected, "Install it: pip install 'paretail[search]'")
        super().__init__(space, seed, goals, config)

    def propose(self, count: int, rng: np.random.Generator) -> Iterable[Architecture]:
        """Yield what the estimator draws."""
        if len(self.told) < self.config.start:
            return
        study = self._study(rng)
        for _ in range(count):
            yield from self._drawn(study)

    def _study(self, rng: np.random.Generator) -> Any:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(n_startup_trials=self.config.start, seed=int(rng.integers(2**31)))
        study = optuna.create_study(directions=["maximize"] * self.goals, sampler=sampler)
        self._fields: dict[str, Any] = {
            f"{field:03d}": optuna.distributions.CategoricalDistribution(range(options))
            for field, options in enumerate(self.space.choices)
        }
        study.add_trials([self._trial(a, row) for a, row in self.told.items()])
        return study

    def _trial(self, architecture: Architecture, row: Any) -> Any:
        import optuna

        failed = bool(np.isnan(row).any())
        kept = optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE
        values = None if failed else row.tolist()
        params = dict(zip(self._fields, self.space.tokens(architecture), strict=True))
        return optuna.create_trial(state=kept, params=params, distributions=self._fields, values=values)

    def _drawn(self, study: Any) -> Iterable[Architecture]:
        for _ in range(self.config.tries):
            params = study.ask(self._fields).params
            found = self.space.from_tokens(tuple(params[field] for field in self._fields))
            if found is not None and self.is_new(found):
                yield found
                return
