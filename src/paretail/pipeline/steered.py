"""Lists that serve goals, for many users and settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.errors import Problem
from paretail.core.progress import Progress, silent
from paretail.data.types import History
from paretail.pipeline.ranking import CANDIDATES
from paretail.pipeline.recommender import Recommender
from paretail.pipeline.steering import SEGMENTS, Steering
from paretail.policy import PolicyError, goals
from paretail.policy.dials import Setting
from paretail.policy.exposure import Exposures
from paretail.policy.goals import Goals
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool
from paretail.policy.slate import compose

#: Users are composed in blocks of this many; where exposure is a goal, what a block was shown counts for the next.
BLOCK: Final = 64
#: What is served without goals, beside which settings are seen.
TODAY: Final = "today"
COLUMNS: Final = {
    "setting": pl.String(), "user_id": pl.String(), "rank": pl.Int32(), "item_id": pl.String(), "score": pl.Float32(),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """Settings by name, in order; names are the lines that asked for them."""

    goals: Mapping[str, Goals]

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
            exclude: Sequence[str] | None, allowed: NDArray[np.bool_] | None,
            progress: Progress = silent) -> tuple[pl.DataFrame, list[dict[str, Any]]]:  # fmt: skip
    """Return `setting, user_id, rank, item_id, score` of slates, and what is expected of TODAY and of each setting.

    The score is what the item adds to its user's slate under the setting's weights, of goals that do not depend on the
    other items. Items out of stock are in no slate.
    """
    steering = recommender.steering
    solved = {line: _by_segment(steering, asked, k) for line, asked in ({TODAY: None} | dict(settings.goals)).items()}
    exposures = {line: Exposures.none(len(recommender.items)) for line in solved}
    parts: list[pl.DataFrame] = []
    forecast = {line: dict.fromkeys(steering.available, 0.0) for line in solved}
    stocked = recommender.in_stock if allowed is None else allowed & recommender.in_stock
    for users, pool in _pools(steering, history, user_ids, exclude, stocked, progress):
        segment = steering.segments(pool.past)
        for line, found in solved.items():
            weights = {goal: np.array([found[s].weights.get(goal, 0.0) for s in segment])
                       for goal in dict.fromkeys(name for one in found for name in one.weights)}  # fmt: skip
            part = pool.with_exposures(exposures[line])
            places = compose(part, steering.available, weights, k, how=steering.how)
            for goal, value in steering.values(part, places).items():
                forecast[line][goal] += float(value.sum())
            exposures[line].add(part.items(places))
            if line != TODAY:
                parts.append(_rows(line, user_ids.gather(pl.Series(users)), part, places, weights, steering))
    told = [_told(line, solved[line], forecast[line], max(1, len(user_ids)), steering) for line in solved]
    return _in_order(parts, settings), told


def _in_order(parts: list[pl.DataFrame], settings: Settings) -> pl.DataFrame:
    frame = pl.concat(parts) if parts else pl.DataFrame(schema=COLUMNS)
    order = pl.DataFrame({"setting": list(settings.goals), "place": range(len(settings.goals))})
    return frame.join(order, on="setting", maintain_order="left").sort("place", maintain_order=True).drop("place")


def _by_segment(steering: Steering, asked: Goals | None, k: int) -> list[Setting]:
    return [steering.setting(asked, segment, k) for segment in SEGMENTS]


def _pools(steering: Steering, history: History, user_ids: pl.Series, exclude: Sequence[str] | None,
           allowed: NDArray[np.bool_], progress: Progress) -> Iterator[tuple[NDArray[np.intp], Pool]]:  # fmt: skip
    recommender = steering.recommender
    known = recommender.users.rows(user_ids)
    lists = recommender.recommend(history, CANDIDATES, exclude, allowed=allowed, progress=progress)
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
    user, slot = np.nonzero(places >= 0)
    return pl.DataFrame(
        {
            "setting": pl.repeat(line, len(user), eager=True),
            "user_id": user_ids.gather(pl.Series(user)),
            "rank": (slot + 1).astype(np.int32),
            "item_id": steering.recommender.items.names(pool.items(places)[user, slot]),
            "score": score[user, places[user, slot]].astype(np.float32),
        }
    )


def _told(line: str, found: Sequence[Setting], sums: Mapping[str, float], users: int,
          steering: Steering) -> dict[str, Any]:  # fmt: skip
    """Return what a setting is expected to bring, a slate, and where each of its dials stands, by segment."""
    return {
        "setting": line,
        "expected": {goal: total / users / steering.per(goal) for goal, total in sums.items()},
        "segments": {name: {"shares": dict(one.shares), "weights": dict(one.weights)}
                     for name, one in zip(SEGMENTS, found, strict=True)},
    }  # fmt: skip
