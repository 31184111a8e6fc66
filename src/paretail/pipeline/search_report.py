"""What a search tells: the choice beside its rivals, the front, how it went, and what mattered."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from paretail.search.goals import GOALS
from paretail.search.importance import Effect
from paretail.search.loop import WHY, Found, Tried
from paretail.search.picking import Picked
from paretail.search.trial import LENGTH

#: By how many standard errors a choice must beat the current version to take its place, and that version's name here.
ERRORS: Final = 2.0
CURRENT: Final = "current"
#: What a report keeps of a trial's measures; those of single users stay in the journal.
KEPT: Final = ("ndcg", "error", "cold_recall", "coverage", "diversity", "p50_ms", "p99_ms", "memory_mib", "epochs",
               "stopped", "seconds", "cpu_seconds", "failed")  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A rival, and by how much the choice is ahead of it on users kept apart, with its error; None: the choice."""

    tried: Tried
    behind: tuple[float, float] | None

    @property
    def apart(self) -> float | None:
        """Accuracy on the users kept apart."""
        values = (self.tried.whole or {}).get("apart")
        return sum(values) / len(values) if values else None


@dataclass(frozen=True, eq=False)
class Searched:
    """What was searched, what came of it, and the version published.

    `told` users were those that the search saw, `apart` those that the choice is judged on; 0 where there were too few
    to part them, and both are the same. `known` evaluations were in the journal before, `others` are of other data.
    """

    strategy: str
    goals: tuple[str, ...]
    seed: int
    mode: str
    target: str
    told: int
    apart: int
    size: int
    found: Found
    picked: Picked
    rivals: tuple[Judged, ...]
    matters: tuple[tuple[str, Effect, tuple[str, ...]], ...]
    known: int = 0
    others: int = 0
    version: str = ""
    ranker: tuple[str, ...] = field(default=())

    @property
    def turns(self) -> bool:
        """Whether the new version becomes the current one: there is none, or it is clearly better."""
        now = next((one.behind for one in self.rivals if one.tried.name == CURRENT and one.behind), None)
        return now is None or now[0] > ERRORS * now[1]

    @property
    def remarks(self) -> Iterator[str]:
        """Say what was chosen and why, a line each."""
        chosen = self.picked.chosen
        whole = chosen.whole or {}
        tried, trained = len(self.found.trials), len(self.found.whole)
        yield (
            f"Chosen: {chosen.title}, {self.picked.why}: NDCG@{LENGTH} {whole['ndcg']:.4f} ± "
            f"{whole['error']:.4f} ({self.told:,} users); {tried} architectures tried, {trained} trained in full"
        )
        if chosen.called:
            yield f"No architecture that was tried is better than the preset {chosen.called}"
        for one in self.rivals:
            if one.behind is not None:
                yield f"{_ahead(one.tried.name, *one.behind)}{self._judged_on}"

    @property
    def _judged_on(self) -> str:
        return f", on {self.apart:,} users that no choice was made by" if self.apart else ", on the same users"

    @property
    def why_current(self) -> str:
        """Say whether the version is the current one, and why."""
        now = next((one for one in self.rivals if one.tried.name == CURRENT), None)
        if now is None:
            return "It is the current version: there was none"
        if now.behind is None:
            return "It is the current version: the one before could not be trained again"
        gain, error = now.behind
        told = f"in validation the choice is ahead of the one before by {gain:+.4f} ± {error:.4f}"
        if self.turns:
            return f"It is the current version now: {told}"
        return f"The version before stays current: {told}, not by more than {ERRORS:g} standard errors"

    @property
    def stopped(self) -> str:
        """Say why the search ended."""
        return f"{WHY[self.found.stopped]}, after {self.found.seconds / 60:.1f} minutes"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "version": self.version, "current": self.turns, "strategy": self.strategy, "goals": list(self.goals),
            "seed": self.seed, "mode": self.mode, "target": self.target, "users": self.told, "users_apart": self.apart,
            "space": self.size, "stopped": self.found.stopped, "seconds": self.found.seconds,
            "evaluated": self.found.evaluated, "known": self.known, "chosen": _plain(self.picked.chosen),
            "why": self.picked.why, "front": [one.number for one in self.picked.front],
            "rivals": [{**_plain(one.tried), "apart": one.apart, "chosen_ahead": one.behind} for one in self.rivals],
            "best": self.found.best, "trials": [_plain(one) for one in self.found.trials],
            "figures": self.found.figures, "alarms": self.found.alarms,
            "matters": [{"field": name, "share": effect.share, "options": dict(zip(options, effect.means, strict=True))}
                        for name, effect, options in self.matters],
        }  # fmt: skip


def shown(one: Tried, goals: tuple[str, ...]) -> list[str]:
    """Return a trial's figures in each goal, as people read them."""
    found = one.whole or one.screened or {}
    return [GOALS[goal].shown(found) for goal in goals]


def cells(one: Judged) -> list[str]:
    """Return what is told of the choice or a baseline: accuracy, on users kept apart, how far behind, p99, memory."""
    whole = one.tried.whole or {}
    size = whole["memory_mib"]
    return [
        f"{whole['ndcg']:.4f} ± {whole['error']:.4f}", f"{one.apart or 0:.4f}",
        "" if one.behind is None else f"{one.behind[0]:+.4f} ± {one.behind[1]:.4f}", f"{whole['p99_ms']:.1f} ms",
        f"{size:,.1f} MiB" if size >= 1 else f"{1024 * size:.0f} KiB",
    ]  # fmt: skip


def as_text(done: Searched) -> str:
    """Return the report as JSON text."""
    return json.dumps(done.to_json(), indent=2, allow_nan=False)


def _plain(one: Tried) -> dict[str, Any]:
    return {
        "number": one.number, "name": one.name, "round": one.round, "settings": dict(one.settings),
        "screened": _measures(one.screened), "trained": _measures(one.whole),
    }  # fmt: skip


def _measures(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if found is None else {name: found[name] for name in KEPT if name in found}


def _ahead(name: str, gain: float, error: float) -> str:
    return f"{'Ahead of' if gain >= 0 else 'Behind'} {name} by {abs(gain):.4f} ± {error:.4f}"
