"""Searches replayed on `table.csv`: what is chosen after 40 trainings, beside the preset, tuned MF and the best of all.

Each search sees the validation of one seed's trainings, all in full, and tells its choice, the best of 40 by
validation; a strategy is told of no preset beforehand. `test` is of the users kept apart, by whom nothing is chosen:
the mean over searches, with Student's 95 % of the means of each seed's table: searches of one table share its
trainings, so that three tables are three observations, however many searches. Of one table there is no interval.
`users` is the standard error over users, which all figures of a set share: so differences are more certain than the
figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any, Final

import harness
import numpy as np
import table
from scipy.stats import t as student

from paretail.retrieve.spec import PRESETS
from paretail.search.base import Architecture, Array
from paretail.search.space import GraphSpace
from paretail.search.strategies import DEFAULT_STRATEGY, build

TRAININGS: Final = 40
#: As many as `[search] batch` asks for at once.
BATCH: Final = 6
SEARCHES: Final = 60
Row = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Listed:
    """The space of the table, but for what it does not hold of one set and seed."""

    whole: GraphSpace
    rows: Mapping[Architecture, Row]
    codes: Mapping[Architecture, Array]

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of options of each field."""
        return self.whole.choices

    def sample(self, rng: np.random.Generator, count: int) -> list[Architecture]:
        known = list(self.rows)
        return [known[row] for row in rng.integers(len(known), size=count)]

    def neighbours(self, architecture: Architecture, rng: np.random.Generator, count: int) -> list[Architecture]:
        near = self.whole.neighbours(architecture, rng, len(self.codes))
        return [one for one in near if one in self.rows][:count]

    def encode(self, architectures: Sequence[Architecture]) -> Array:
        return np.array([self.codes[one] for one in architectures])

    def tokens(self, architecture: Architecture) -> tuple[int, ...]:
        return self.whole.tokens(architecture)

    def from_tokens(self, tokens: Sequence[int]) -> Architecture | None:
        found = self.whole.from_tokens(tokens)
        return found if found in self.rows else None


def record(folder: Path) -> None:
    """Replay on every set that the table holds, and put the rows into results.json."""
    about = harness.circumstances() | {"searches": SEARCHES, "trainings": TRAININGS}
    rows = [row for name in table.SETS for row in compared(name)]
    for row in rows:
        print(row, flush=True)
    harness.record(folder, "replay", about, rows)


def compared(name: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each way to come to a model on one set."""
    known, lists = listed(name)
    for strategy in (DEFAULT_STRATEGY, "random"):
        chosen = [search(lists[number % len(lists)], strategy, number) for number in range(SEARCHES)]
        yield {"data": name, "model": f"{strategy}, best of {TRAININGS}", "of": SEARCHES, **_told(chosen, lists)}
    point = known.place_of(known.settings(next(iter(lists[0].rows))) | {"message": "lightgcn", **_preset()})
    preset = [one.rows[point] for one in lists if point in one.rows]
    yield {"data": name, "model": "lightgcn preset", "of": len(preset), **_told(preset, lists)}
    for model in table.RIVALS:
        rival = [row for row in table.known_rows().values() if (row["data"], row["model"]) == (name, model)]
        yield {"data": name, "model": f"{model}, tuned", "of": len(rival), **_told(rival, lists)}
    every = [max(one.rows.values(), key=_validation) for one in lists]
    yield {"data": name, "model": "best of all by validation", "of": len(every), **_told(every, lists)}


def listed(name: str) -> tuple[GraphSpace, list[Listed]]:
    """Return the space, and what the table holds of it on a set: one list a seed, the longest alone or all as long."""
    known, found = table.space(), dict[int, dict[Architecture, Row]]()
    places = {table.key(one.row(known)): one for one in table.planned(known, [name], table.SEEDS)}
    for key, row in table.known_rows().items():
        one = places.get(key)
        if one is not None and one.architecture is not None and row["ndcg"]:
            found.setdefault(one.job.seed, {})[one.architecture] = row
    points = [point for rows in found.values() for point in rows]
    codes = dict(zip(points, known.encode(points), strict=True))
    most = max(map(len, found.values()))
    return known, [Listed(known, rows, codes) for rows in found.values() if len(rows) == most]


def search(space: Listed, strategy: str, seed: int) -> Row:
    """Return the row that is chosen."""
    searching, told = build(strategy, space, seed=seed), list[Row]()
    while len(told) < TRAININGS:
        asked = searching.ask(min(BATCH, TRAININGS - len(told)))
        rows = [space.rows[one] for one in asked]
        searching.tell(asked, [_validation(row) for row in rows])
        told += rows
    return max(told, key=_validation)


def _preset() -> dict[str, Any]:
    usual = {"depth": 2, "combination": "mean", "loss": "softmax", "scorer": "cosine", "start": "spectral"}
    return usual | PRESETS["lightgcn"]


def half_width(tables: Mapping[str, Sequence[float]]) -> float | None:
    """Return half of Student's 95 % interval of the mean of each table's mean, None of one table."""
    means = [mean(values) for values in tables.values() if values]
    if len(means) < 2:
        return None
    return float(student.ppf(0.975, len(means) - 1)) * stdev(means) / len(means) ** 0.5


def _seed(one: Listed) -> str:
    return next(iter(one.rows.values()))["seed"]


def _validation(row: Row) -> float:
    return float(row["ndcg"])


def _told(chosen: Sequence[Row], lists: Sequence[Listed]) -> dict[str, Any]:
    test, scores = [float(row["apart"]) for row in chosen], [_validation(row) for row in chosen]
    every = {_seed(one): [_validation(row) for row in one.rows.values()] for one in lists}
    ranks = [1 + sum(other > _validation(row) for other in every.get(row["seed"], ())) for row in chosen]
    error = half_width({seed: [float(row["apart"]) for row in chosen if row["seed"] == seed]
                        for seed in {row["seed"] for row in chosen}})  # fmt: skip
    return {
        "architectures": len(lists[0].rows), "seeds": len(lists), "validation": f"{mean(scores):.4f}",
        "rank": f"{median(ranks):.0f}", "test": f"{mean(test):.4f}" + (f" ± {error:.4f}" if error is not None else ""),
        "users": f"{mean(float(row['apart_error']) for row in chosen):.4f}",
    }  # fmt: skip
