"""Report: every metric for every segment, with its interval; plain values that go to JSON and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.data.held import Held
from paretail.evaluate.catalogue import CATALOGUE_METRICS, jackknife
from paretail.evaluate.context import Context
from paretail.evaluate.intervals import bootstrap
from paretail.evaluate.metrics import METRICS, RANKING, Case
from paretail.evaluate.ranking import Values
from paretail.evaluate.segments import PAIR_SEGMENTS, USER_SEGMENTS


@dataclass(frozen=True)
class Row:
    """One number: the mean over `n` users and the ends of its interval, None where it has no meaning."""

    metric: str
    k: int
    segment: str
    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Report:
    """The table of one evaluation; rows by k, then segment, then metric in the order of METRICS."""

    rows: tuple[Row, ...]
    level: float = 0.95
    resamples: int = 1000

    def row(self, metric: str, k: int | None = None, segment: str = "all") -> Row:
        """Return one row, by default that of the longest list; UsageError (EVAL-03) where there is none."""
        k = max((row.k for row in self.rows), default=0) if k is None else k
        for row in self.rows:
            if (row.metric, row.k, row.segment) == (metric, k, segment):
                return row
        names = {f"{row.metric}@{row.k} {row.segment}" for row in self.rows}
        found = f"the report has no row {metric}@{k} {segment}"
        raise UsageError(
            Problem("EVAL-03", found, f"Expected {nearest(f'{metric}@{k} {segment}', names)}", "Correct the name")
        )

    def value(self, metric: str, k: int | None = None, segment: str = "all") -> float | None:
        """Return the mean of one row."""
        return self.row(metric, k, segment).mean

    def to_json(self) -> str:
        """Write as one JSON object: `level`, `resamples` and `rows`."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(tuple(Row(**row) for row in values["rows"]), values["level"], values["resamples"])


def evaluate(
    lists: Rows,
    scores: NDArray[np.floating] | None,
    held: Held,
    context: Context,
    *,
    ks: Sequence[int] | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Report:
    """Measure `lists[users, k]` (item rows, best first, -1 past the end) against what was held out.

    Row u of lists, scores, `held` and `context.had` is one user. `ks` are the cut-offs, by default the length of the
    lists; `metrics` some names of METRICS and CATALOGUE_METRICS, by default all. Raises UsageError (EVAL-03) for an
    unknown name.
    """
    chosen = _chosen(metrics)
    case = Case(lists, scores, held, context)
    rows: list[Row] = []
    for k in ks or (lists.shape[1],):
        rng = rng_for(f"evaluate/intervals/{k}", seed)
        rows += _of_users(case.at(k), k, chosen, rng, resamples, level)
        rows += _of_catalogue(case.at(k), k, chosen, rng, level)
    return Report(tuple(rows), level, resamples)


def _chosen(metrics: Sequence[str] | None) -> frozenset[str]:
    names = [*METRICS, *CATALOGUE_METRICS]
    for name in metrics or ():
        if name not in names:
            raise UsageError(
                Problem("EVAL-03", f"there is no metric {name!r}", f"Expected {nearest(name, names)}", "Rename it")
            )
    return frozenset(metrics if metrics is not None else names)


def _of_users(
    case: Case, k: int, chosen: frozenset[str], rng: np.random.Generator, resamples: int, level: float
) -> list[Row]:
    columns: dict[tuple[str, str], Values] = {}
    values = {name: metric(case) for name, metric in METRICS.items() if name in chosen}
    for segment, of_users in USER_SEGMENTS.items():
        inside = of_users(case.context)
        columns |= {(name, segment): np.where(inside, value, np.nan) for name, value in values.items()}
    for segment, of_pairs in PAIR_SEGMENTS.items():
        part = case.only(of_pairs(case.held, case.context))
        columns |= {(name, segment): metric(part) for name, metric in RANKING.items() if name in chosen}
    if not columns:
        return []
    found = bootstrap(np.stack(list(columns.values()), axis=1), rng, resamples=resamples, level=level)
    ends = zip(found.mean, found.low, found.high, strict=True)
    named = zip(columns, ends, found.n, strict=True)
    return [_row(name, k, segment, end, int(n)) for (name, segment), end, n in named]


def _of_catalogue(case: Case, k: int, chosen: frozenset[str], rng: np.random.Generator, level: float) -> list[Row]:
    rows = []
    for name, measure in CATALOGUE_METRICS.items():
        if name in chosen:
            ends = jackknife(measure, case.lists, case.context.items, rng, level)
            rows.append(_row(name, k, "all", ends, len(case.lists)))
    return rows


def _row(metric: str, k: int, segment: str, ends: tuple[float, float, float], n: int) -> Row:
    mean, low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Row(metric, k, segment, mean, low, high, n)
