"""Looking at an experiment: what its users did since they first saw a list of their arm, from the store alone.

A user's clicks (views where the shop tells no clicks), purchases, money and refunds after the first exposure count,
whatever list they came from (`metrics.py`); the same in the days before it takes out what was known (CUPED). What may
be read when, and the end, are `evaluate/experiments`'. Who was in the experiment by two ids before they were merged is
left out, whether or not both were in one arm: were it only where the arms differ, more would stay of a greater arm, by
the odds of the second draw.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.errors import DataError, Problem
from paretail.data.stores.base import Store
from paretail.evaluate.experiments import stopping
from paretail.evaluate.experiments.cuped import cuped
from paretail.evaluate.experiments.ratio import any_time
from paretail.evaluate.experiments.sequences import Arm, compared
from paretail.pipeline.experiments.config import ExperimentConfig
from paretail.pipeline.experiments.metrics import KINDS, METRICS, Metric, check, facts, of_events, of_lists

#: What a user did in so many days before says what they would do anyway.
BEFORE_DAYS: Final = 28
#: The store is read in slices, back to so many days.
SLICE_DAYS, MOST_DAYS = 8, 400
#: Columns of events that count.
USED: Final = ("user_id", "item_id", "kind", "ts_ms", "price_minor", "quantity")
#: From this share of users in two arms on, no figure may be read; below, they are left out.
CROSSED: Final = 0.01


@dataclass(frozen=True)
class Effect:
    """One metric of a candidate against the incumbent: means a user, their difference, and its interval.

    `better` says which way: `more` or `less`.
    """

    metric: str
    unit: str
    better: str
    incumbent: float
    candidate: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Status:
    """Where one candidate stands; `because` names the metrics that say so.

    `left_out`: how many people of the experiment were in it by two ids, and count in no arm.
    """

    arm: str
    users: int
    incumbent_users: int
    effects: tuple[Effect, ...]
    verdict: str
    because: tuple[str, ...]
    left_out: int = 0


def look(
    store: Store, experiment: ExperimentConfig, now_ms: int, minor: int, catalogue: pl.DataFrame | None = None
) -> list[Status]:
    """Return where each candidate stands; `minor` units of money make one of the shop's currency.

    `catalogue` tells margins and categories of the items of which the store has no document. Raises DataError: EXPT-02
    where the arms do not have the users that they should have, EXPT-03 where users are in two arms, EXPT-04 where
    nobody was exposed, EXPT-08 where nothing is told of what a metric reads.
    """
    items = facts(store, catalogue)
    check(experiment.metrics, items)
    exposed, left_out = _exposed(store, experiment, now_ms)
    users = _metrics(store, exposed, now_ms, items)
    if any(METRICS[name].of_lists for name in experiment.metrics):
        users = users.join(of_lists(_lists(store, experiment, now_ms), items), on="user_id", how="left")
    arm = users["number"].to_numpy().astype(np.int64)
    _check_ratio(np.bincount(arm, minlength=len(experiment.arms)).tolist(), experiment)
    values = {name: _adjusted(users, name, arm) * METRICS[name].sign / (minor if METRICS[name].money else 1.0)
              for name in experiment.metrics}  # fmt: skip
    told = (_status(experiment, number, values, arm) for number in range(1, len(experiment.arms)))
    return [replace(status, left_out=left_out) for status in told]


def _status(
    experiment: ExperimentConfig, number: int, values: dict[Metric, NDArray[np.float64]], arm: NDArray[np.int64]
) -> Status:
    rivals, shares = len(experiment.arms) - 1, (experiment.arms[number].share, experiment.arms[0].share)
    planned = max(1, round(experiment.users * sum(shares)))  # of several candidates each sees its part of the users
    settled = stopping.Rules(users=planned, margin=experiment.margin, alpha=experiment.alpha / rivals,
                             guardrail_margin=experiment.guardrail_margin)  # fmt: skip
    pairs: dict[Metric, stopping.Metric] = {
        name: stopping.Metric(Arm.of(each[arm == number]), Arm.of(each[arm == 0])) for name, each in values.items()
    }
    guardrails: dict[str, stopping.Metric] = {name: pairs[name] for name in experiment.metrics[1:]}
    told = stopping.look(pairs[experiment.goal], guardrails, settled, shares)
    if told.problem is not None:
        raise DataError(told.problem)
    effects = [_effect(name, pair, settled) for name, pair in pairs.items()]
    because = tuple(experiment.goal if name == "goal" else name for name in told.because)
    size = int((arm == number).sum()), int((arm == 0).sum())
    return Status(experiment.arms[number].name, *size, tuple(effects), told.verdict, because)


def _effect(name: Metric, pair: stopping.Metric, settled: stopping.Rules) -> Effect:
    """Return a metric as people count it: what is better if it is less has its sign back."""
    found, sign = compared(pair.candidate, pair.incumbent, settled.users, settled.alpha), METRICS[name].sign
    low, high = sorted((sign * found.low, sign * found.high))
    means = sign * pair.incumbent.mean, sign * pair.candidate.mean
    return Effect(name, METRICS[name].unit, "more" if sign > 0 else "less", *means, sign * found.difference, low, high)


def _exposed(store: Store, experiment: ExperimentConfig, now_ms: int) -> tuple[pl.DataFrame, int]:
    """Return `user_id, number` (of the arm) and `first_ms` of whoever saw a list of one arm.

    Beside it: how many were in the experiment by two ids, and are not among them.
    """
    mine = pl.col("experiment") == experiment.name
    parts = [
        part.filter(mine & pl.col("user_id").is_not_null()).select("user_id", "arm", "ts_ms", "drawn_by")
        for part in _slices(store.answers, now_ms - MOST_DAYS * DAY_MS, now_ms + DAY_MS)
    ]
    numbers = {arm.name: number for number, arm in enumerate(experiment.arms)}
    shown = pl.concat(parts).filter(pl.col("arm").is_in(list(numbers)))
    found = shown.group_by("user_id").agg(
        first_ms=pl.col("ts_ms").min(), arms=pl.col("arm").n_unique(), arm=pl.col("arm").first(),
        ids=pl.col("drawn_by").n_unique(),
    )  # fmt: skip
    everybody, found = found.height, found.filter(pl.col("ids") == 1)
    crossed = found.filter(pl.col("arms") > 1).height
    if crossed > CROSSED * found.height:
        raise DataError(_crossed(experiment, crossed, found.height))
    if not found.height:
        raise DataError(_nobody(experiment))
    number = pl.col("arm").replace_strict(numbers, return_dtype=pl.Int64).alias("number")
    kept = found.filter(pl.col("arms") == 1).select("user_id", "first_ms", number).sort("user_id")
    return kept, everybody - found.height


def _lists(store: Store, experiment: ExperimentConfig, now_ms: int) -> pl.DataFrame:
    """Return user_id and item_ids of the lists of an experiment."""
    mine = (pl.col("experiment") == experiment.name) & pl.col("user_id").is_not_null()
    parts = _slices(store.answers, now_ms - MOST_DAYS * DAY_MS, now_ms + DAY_MS)
    return pl.concat([part.filter(mine).select("user_id", "item_ids") for part in parts])


def _metrics(store: Store, exposed: pl.DataFrame, now_ms: int, items: pl.DataFrame) -> pl.DataFrame:
    """Return `exposed` with metrics after the first exposure, and `before_NAME`, null for whom nothing was known."""
    start = int(exposed["first_ms"].min()) - BEFORE_DAYS * DAY_MS  # type: ignore[arg-type]  # there is somebody
    parts = [
        part.filter(pl.col("kind").is_in(KINDS)).select(USED)
        .join(exposed.select("user_id", "first_ms"), on="user_id")
        for part in _slices(store.events, max(start, 0), now_ms + DAY_MS)
    ]  # fmt: skip
    events = pl.concat(parts).filter(pl.col("ts_ms") >= pl.col("first_ms") - BEFORE_DAYS * DAY_MS)
    events = events.join(items.select("item_id", "margin"), on="item_id", how="left")
    later, summed = pl.col("ts_ms") >= pl.col("first_ms"), of_events(events)
    after = events.group_by("user_id").agg(
        **{name: (each * later).sum() for name, each in summed.items()},
        **{f"before_{name}": (each * ~later).sum() for name, each in summed.items()}, known=(~later).any(),
    )  # fmt: skip
    joined = exposed.join(after, on="user_id", how="left").with_columns(pl.col(list(summed)).fill_null(0.0))
    known = pl.col("known").fill_null(False)
    return joined.with_columns(pl.when(known).then(pl.col(f"before_{name}")).alias(f"before_{name}")
                               for name in summed).sort("user_id")  # fmt: skip


def _adjusted(users: pl.DataFrame, name: str, arm: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a metric of each user less what was known of them."""
    before = users.select(pl.col("^before_.*$").cast(pl.Float64)).to_numpy()
    return cuped(users[name].fill_null(0.0).to_numpy().astype(np.float64), before, arm)


def _slices(
    read: Callable[[int, int], pl.DataFrame], since_ms: int, until_ms: int, days: int = SLICE_DAYS
) -> Iterator[pl.DataFrame]:
    """Yield what lies between, a slice at a time; the store's own frame without rows comes first."""
    yield read(0, 0)
    for start in range(max(since_ms, 0), until_ms, days * DAY_MS):
        yield read(start, min(start + days * DAY_MS, until_ms))


def _check_ratio(users: Sequence[int], experiment: ExperimentConfig) -> None:
    shares = [arm.share for arm in experiment.arms]
    if any_time(users, shares) >= stopping.Rules(users=1).mismatch:
        return
    told = ", ".join(f"{arm.name} {count:,}" for arm, count in zip(experiment.arms, users, strict=True))
    expected = ", ".join(f"{arm.name} {arm.share:.1%}" for arm in experiment.arms)
    do = "Look for users who are lost in one arm (errors, redirects, robots), and start anew under another name"
    raise DataError(Problem("EXPT-02", f"the arms of {experiment.name!r} have these users: {told}",
                            f"Expected {expected}", do))  # fmt: skip


def _crossed(experiment: ExperimentConfig, crossed: int, users: int) -> Problem:
    found = f"{crossed:,} of {users:,} users of {experiment.name!r} saw lists of two arms"
    do = "Start anew under another name; change no shares meanwhile, and tell logins (POST /v1/users/ID/merge)"
    return Problem("EXPT-03", found, "Expected each user in one arm", do)


def _nobody(experiment: ExperimentConfig) -> Problem:
    found = f"the store has no list of the experiment {experiment.name!r}"
    do = "Serve with this shop.toml (paretail serve --config), with questions that name a user_id and no goals"
    return Problem("EXPT-04", found, "Expected lists that were shown to its users", do)
