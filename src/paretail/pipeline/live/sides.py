"""Sides: bundles beside the one of items, whose lists hold labels (categories, brands ...) or people.

Each follows its own pointer, as the bundle of items does, and all share the live users: an event on an item is in the
next list of categories, and says whom the user is like in the next list of people.
"""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from paretail.core.errors import Problem, UsageError
from paretail.pipeline.config import ServeConfig
from paretail.pipeline.live import bodies, rules
from paretail.pipeline.live.asked import Asked, scores_of
from paretail.pipeline.live.current import OPTIONS, TRAINED, Current, Holds
from paretail.pipeline.live.shown import ShownLists


class Sides:
    """See the module; safe to share by threads."""

    def __init__(self, config: ServeConfig, load: Callable[[Path, Holds], Current], shown: ShownLists) -> None:
        named: dict[Holds, str | None] = {"labels": config.categories, "people": config.friends}
        self._shown = shown
        self._current = {holds: load(Path(bundle), holds) for holds, bundle in named.items() if bundle is not None}

    def ask(self, holds: Holds, question: bodies.TargetRequest) -> bodies.RecommendAnswer:
        """Return a list; raises UsageError (LIVE-04) where no bundle of these is served."""
        if holds not in self._current:
            do = (
                f"Train one with paretail train --target {TRAINED[holds]}; serve it: paretail serve {OPTIONS[holds]} IT"
            )
            found = f"no bundle is served whose lists hold {holds}"
            raise UsageError(Problem("LIVE-04", found, "One beside that of items", do))
        engine = self._current[holds].engine
        asked = Asked.of(engine, _rules(question), self._shown, 0)
        rows, values = rules.draw(engine, scores_of([asked], [question.k])[0], asked.drawing(question.k))
        model, degraded = str(engine.recommender.manifest.facts["model"]), list[str]()
        lines = asked.lines(rows, values, model if asked.is_known else "popular")
        asked.tell_why(lines, rows, degraded)
        return bodies.RecommendAnswer(question.request_id or uuid4().hex, engine.version, lines, degraded)

    def problems(self) -> list[str]:
        """Return which new versions are refused, and why."""
        return [current.refused for current in self._current.values() if current.refused]

    def close(self) -> None:
        """Follow nothing any more."""
        for current in self._current.values():
            current.close()


def _rules(question: bodies.TargetRequest) -> bodies.Rules:
    return bodies.Rules(
        user_id=question.user_id, events=question.events, items=question.items, exclude=question.exclude,
        filter=question.filter, exclude_items=question.exclude_ids, explain=question.explain,
        paths=question.paths, fatigue=0,
    )  # fmt: skip
