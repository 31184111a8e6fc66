"""What a search tells: the choice beside its rivals, the front, how it went, and what mattered."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Final

from paretail.pipeline.search_rivals import CURRENT
from paretail.search.goals import GOALS
from paretail.search.importance import Effect
from paretail.search.loop import WHY, Found, Tried
from paretail.search.picking import Picked
from paretail.search.trial import LENGTH

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
    """What was searched, what came of it, and the version published to `bundle`.

    `told` users were those that the search saw, `apart` those that the choice is judged on; 0 where there were too few
    to part them, and both are the same. `known` evaluations were in the journal before, `others` are of other data.
    `outside` says of presets why they could not be chosen. `live` is the bundle that the version is a candidate for;
    None: there was no version before, and it is the current one.
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
    outside: Mapping[str, str] = field(default_factory=dict)
    bundle: Path = Path("bundle")
    live: Path | None = None

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
        if self.better is not None:
            yield self.better
        if chosen.called and chosen is self.picked.front[0]:
            yield f"No architecture that was tried is better than the preset {chosen.called}"
        for name, why in self.outside.items():
            yield f"The preset {name} is a rival only: it is outside [search.space] ({why})"
        for one in self.rivals:
            if one.behind is not None:
                yield f"{_ahead(one.tried.name, *one.behind)}{self._judged_on(one.tried.name)}"

    @property
    def better(self) -> str | None:
        """Say which rival should be served in place of the choice, if one is better by more than its error."""
        ahead = [(one.behind[0], one.tried.name) for one in self.rivals if one.behind and sum(one.behind) < 0]
        if not ahead:
            return None
        name = min(ahead)[1]
        take = (
            f'publish it: [model] name = "{name}" in shop.toml, and paretail train; "auto" mixes both where that helps'
        )
        do = "leave it as it is" if name == CURRENT else take
        return (
            f"Better than what the search found is {name}, by more than one standard error{self._judged_on(name)}: {do}"
        )

    def _judged_on(self, rival: str) -> str:
        if not self.apart:
            return ", on the same users"
        # settings of the current version may have been chosen by any user
        return f", on {self.apart:,} users{'' if rival == CURRENT else ' that no choice was made by'}"

    @property
    def standing(self) -> str:
        """Say whether the version is the current one of its bundle, or of which bundle it is a candidate."""
        if self.live is None:
            return "It is the current version: there was none"
        return f"It is a candidate: what {self.live} serves did not change"

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the commands that put a candidate live: through the gate, or whatever a log says."""
        if self.live is None:
            return ()
        live, bundle = quote(str(self.live)), quote(str(self.bundle))
        return (
            f"paretail release --bundle {live} --candidate {bundle} --log since-then.parquet --start shop.toml",
            f"paretail bundles adopt {bundle} {live}",
        )

    @property
    def stopped(self) -> str:
        """Say why the search ended."""
        return f"{WHY[self.found.stopped]}, after {self.found.seconds / 60:.1f} minutes"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "version": self.version, "bundle": str(self.bundle), "current": self.live is None,
            "next": list(self.steps), "outside": dict(self.outside),
            "strategy": self.strategy, "goals": list(self.goals),
            "seed": self.seed, "mode": self.mode, "target": self.target, "users": self.told, "users_apart": self.apart,
            "space": self.size, "stopped": self.found.stopped, "seconds": self.found.seconds,
            "evaluated": self.found.evaluated, "known": self.known, "chosen": _plain(self.picked.chosen),
            "why": self.picked.why, "front": [one.name for one in self.picked.front],
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
