"""Rivals: bundles that serve arms of experiments, beside the one that is live.

Each follows its own pointer as the live bundle does: a version that cannot be read is refused when the service starts,
and later leaves the version before in its place; so is one that counts in another currency than the live bundle, and a
version of the live bundle that counts in another than theirs. All share the live users, and each is told of every event
and item, so that a rival's next answer knows what the live bundle's does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from paretail.core.errors import BundleError, Problem
from paretail.data.documents import ItemDocument
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.live.current import Current
from paretail.pipeline.live.engine import Engine

log = structlog.get_logger()


class Rivals:
    """See the module; its changes are made under the live shop's lock."""

    def __init__(self) -> None:
        self._current: dict[str, Current] = {}

    def open(self, experiments: Sequence[ExperimentConfig], follow: Callable[[Path], Current], live: Current) -> None:
        """Load the bundles of all arms; raises BundleError (EXPT-07 for one of another currency)."""
        for bundle in dict.fromkeys(arm.bundle for one in experiments if one.active for arm in one.arms):
            if bundle is not None:
                self._current[bundle] = follow(Path(bundle))
                self._current[bundle].hold_to(partial(_check_rival, bundle, live))
        live.hold_to(self._check_live)
        live.lead(tuple(self._current.values()))

    def engine(self, bundle: str | None, live: Engine) -> Engine:
        """Return the engine of an arm's bundle, that of the live one for None."""
        return live if bundle is None else self._current[bundle].engine

    @property
    def engines(self) -> list[Engine]:
        """The engines that answer now."""
        return [current.engine for current in self._current.values()]

    def put(self, items: Sequence[tuple[str, ItemDocument | None]]) -> None:
        """Set items, None deleting one; an attribute that a rival knows as another type stays unknown there."""
        for engine in self.engines:
            for problem in engine.shelf.put_all(items):
                log.warning("attribute_left_out", version=engine.version, problem=str(problem))

    def problems(self) -> list[str]:
        """Return which new versions are refused, and why."""
        return [current.refused for current in self._current.values() if current.refused]

    def close(self) -> None:
        """Follow nothing any more."""
        for current in self._current.values():
            current.close()

    def _check_live(self, engine: Engine) -> None:
        for bundle, current in self._current.items():
            _check_currency(bundle, current.engine, engine)


def _check_rival(bundle: str, live: Current, engine: Engine) -> None:
    _check_currency(bundle, engine, live.engine)


def _check_currency(bundle: str, rival: Engine, live: Engine) -> None:
    if rival.currency != live.currency:
        found = f"the arm's bundle {bundle} (version {rival.version}) counts in {rival.currency}"
        expected = f"Expected {live.currency}, as the live bundle (version {live.version}) does"
        raise BundleError(Problem("EXPT-07", found, expected, "Train both with the same [data] currency"))
