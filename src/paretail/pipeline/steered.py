"""Lists that serve goals, for many users and settings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.progress import Progress, silent
from paretail.data.types import Candidates, History
from paretail.pipeline import hard_rules
from paretail.pipeline.explaining import position_in_words
from paretail.pipeline.live.bodies.slates import SlateRules
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.requests import SEGMENTS
from paretail.pipeline.steering import Steering
from paretail.policy import PolicyError, goals
from paretail.policy.compositions import How
from paretail.policy.dials import Setting
from paretail.policy.exposure import Exposures
from paretail.policy.goals import Goals
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool
from paretail.policy.rules import Rules
from paretail.policy.slate import compose, pulls

#: Users are composed in blocks of this many; where exposure is a goal, what a block was shown counts for the next.
BLOCK: Final = 64
#: What is served without goals, beside which settings are seen.
TODAY: Final = "today"
COLUMNS: Final = {
    "setting": pl.String(), "user_id": pl.String(), "rank": pl.Int32(), "item_id": pl.String(), "score": pl.Float32(),
    "pulled_by": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Settings by name, in order; names are the lines that asked for them. None is what is served without goals."""

    goals: Mapping[str, Goals | None]

    @classmethod
    def of_line(cls, line: str) -> "Settings":
        """Read one setting; raises PolicyError (POL-03)."""
        return cls({line: goals.parse(line)})

    @classmethod
    def of_file(cls, path: Path) -> "Settings":
        """Read a setting a line; raises PolicyError POL-03 for all that cannot be read, POL-07 for none."""
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        found: dict[str, Goals] = {}
        problems: list[Problem] = []
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            try:
                found[line] = goals.parse(line)
            except PolicyError as error:
                problems += [Problem(p.code, f"{path.name}, line {number}: {p.found}", p.expected, p.do)
                             for p in error.problems]  # fmt: skip
        if problems:
            raise PolicyError(problems)
        if not found:
            raise PolicyError(Problem("POL-07", f"{path.name} holds no setting", goals.EXPECTED, "Write one a line"))
        return cls(found)


def steered(recommender: Recommender, history: History, user_ids: pl.Series, settings: Settings, k: int,
            exclude: Sequence[str] | None, allowed: NDArray[np.bool_] | None, rules: SlateRules | None = None,
            progress: Progress = silent) -> tuple[pl.DataFrame, list[dict[str, Any]]]:  # fmt: skip
    """Return rows of slates as in COLUMNS, and what is expected of TODAY and of each setting.

    The score is what the item adds to its user's slate under the setting's weights, of goals that do not depend on the
    other items; `pulled_by` is the goal that speaks for it most. Items out of stock are in no slate, nor are two
    variants of a product. Slates keep `rules`; how many cannot is told, rule by rule.
    """
    steering, ruled, shelf = recommender.steering, rules or SlateRules(), recommender.shelf()
    how = steering.composed(ruled.composition)
    hard_rules.check(ruled, shelf, next(iter(steering.samples.values())))
    runs = _runs(steering, {TODAY: None} | dict(settings.goals), k, how)
    parts: list[pl.DataFrame] = []
    pinned = np.array([shelf.row(pin.item_id) for pin in ruled.pins], np.int32)
    stocked = recommender.in_stock if allowed is None else allowed & recommender.in_stock
    lists = _lists(recommender, history, exclude, stocked, shelf.parents, progress)
    for users, pool in _pools(steering, history, user_ids, hard_rules.with_pins(lists, pinned, stocked), progress):
        segment, hard = steering.segments(pool.past), hard_rules.hard(ruled, shelf, pool)
        for line, run in runs.items():
            part, places, weights = run.composed(steering, pool, segment, k, hard)
            if line in settings.goals:
                parts.append(_rows(line, user_ids.gather(pl.Series(users)), part, places, weights, steering))
    counts = np.bincount(steering.segments(history), minlength=len(SEGMENTS))
    told = [_told(line, run.solved, run.sums, counts, steering) | {"broken": dict(run.broken)}
            for line, run in runs.items()]  # fmt: skip
    return _in_order(parts, settings), told


def _runs(steering: Steering, asked: Mapping[str, Goals | None], k: int, how: How) -> dict[str, "_Run"]:
    """Solve all settings; raises PolicyError for all of them that cannot be followed."""
    found: dict[str, _Run] = {}
    problems: list[Problem] = []
    for line, goals_asked in asked.items():
        try:
            found[line] = _Run.of(steering, goals_asked, k, how)
        except PolicyError as error:
            problems += [Problem(p.code, f"{line}: {p.found}", p.expected, p.do) if len(asked) > 2 else p
                         for p in error.problems]  # fmt: skip
    if problems:
        raise PolicyError(problems)
    return found


@dataclass(eq=False)
class _Run:
    """A setting while its slates are composed: what was shown counts for the next, what they bring is added up."""

    solved: Sequence[Setting]
    how: How
    exposures: Exposures
    sums: dict[str, float]
    broken: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, steering: Steering, asked: Goals | None, k: int, how: How) -> "_Run":
        """Solve a setting for every segment; raises PolicyError."""
        solved = [steering.setting(asked, segment, k, how) for segment in SEGMENTS]
        items = len(steering.recommender.items)
        return cls(solved, how, Exposures.none(items), dict.fromkeys(steering.available, 0.0))

    def composed(
        self, steering: Steering, pool: Pool, segment: NDArray[np.intp], k: int, hard: Rules
    ) -> tuple[Pool, NDArray[np.int32], dict[str, Values]]:
        """Return the pool as this setting has shown it, the places of its slates, and the weights of each user."""
        weights = {goal: np.array([self.solved[s].weights.get(goal, 0.0) for s in segment])
                   for goal in dict.fromkeys(name for one in self.solved for name in one.weights)}  # fmt: skip
        part = pool.with_exposures(self.exposures)
        places = compose(part, steering.available, weights, k, hard, how=self.how)
        self.broken.update(name for one in hard.broken(places) for name in one)
        for goal, value in steering.values(part, places).items():
            self.sums[goal] += float(value.sum())
        self.exposures.add(part.items(places))
        return part, places, weights


def _in_order(parts: list[pl.DataFrame], settings: Settings) -> pl.DataFrame:
    frame = pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)
    order = pl.DataFrame({"setting": list(settings.goals), "place": range(len(settings.goals))})
    return frame.join(order, on="setting", maintain_order="left").sort("place", maintain_order=True).drop("place")


def _lists(recommender: Recommender, history: History, exclude: Sequence[str] | None, allowed: NDArray[np.bool_],
           parents: NDArray[np.int32], progress: Progress) -> Candidates:  # fmt: skip
    """Return the retriever's candidates, as a question gets them: of several variants of a product the best alone."""
    return hard_rules.one_of_each(
        lambda room: recommender.recommend(history, room, exclude, allowed=allowed, progress=progress), CANDIDATES,
        parents,
    )  # fmt: skip


def _pools(steering: Steering, history: History, user_ids: pl.Series, lists: Candidates,
           progress: Progress) -> Iterator[tuple[NDArray[np.intp], Pool]]:  # fmt: skip
    known = steering.recommender.users.rows(user_ids)
    for start in range(0, history.users, BLOCK):
        users = np.arange(start, min(start + BLOCK, history.users))
        drawn = type(lists)(lists.item_idx[users], lists.scores[users])
        yield users, steering.pool(history.of_users(users), known[users], drawn)
        progress("Composing", (users[-1] + 1) / history.users)


def _rows(line: str, user_ids: pl.Series, pool: Pool, places: NDArray[np.int32], weights: Mapping[str, Values],
          steering: Steering) -> pl.DataFrame:  # fmt: skip
    score = np.zeros(pool.shape)
    for name, weight in weights.items():
        goal = steering.available[name]
        if goal.additive:
            score += weight[:, None] * goal.gains(pool, places.shape[1]).now
    near, there = pool.told_apart(places)
    pulled = pulls(near, steering.available, weights, there)
    names = np.array(list(pulled))
    user, slot = np.nonzero(places >= 0)
    return pl.DataFrame(
        {
            "setting": pl.repeat(line, len(user), eager=True),
            "user_id": user_ids.gather(pl.Series(user)),
            "rank": (slot + 1).astype(np.int32),
            "item_id": steering.recommender.items.names(pool.items(places)[user, slot]),
            "score": score[user, places[user, slot]].astype(np.float32),
            "pulled_by": names[np.stack(list(pulled.values())).argmax(0)[user, slot]],
        }
    )


def _told(line: str, found: Sequence[Setting], sums: Mapping[str, float], counts: NDArray[np.intp],
          steering: Steering) -> dict[str, Any]:  # fmt: skip
    """Return what a setting is expected to bring, a slate, and where each of its dials stands, by segment."""
    users = max(1, int(counts.sum()))
    return {
        "setting": line,
        "expected": {goal: total / users / steering.per(goal) for goal, total in sums.items()},
        "segments": {name: {"users": int(count), "shares": dict(one.shares), "weights": dict(one.weights),
                            "front": {"told": position_in_words(one.position), **asdict(one.position)}}
                     for name, count, one in zip(SEGMENTS, counts, found, strict=True)},
    }  # fmt: skip
