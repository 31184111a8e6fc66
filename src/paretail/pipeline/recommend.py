"""Lists for many users from a bundle to a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.clock import now_ms
from paretail.core.errors import Problem, UsageError
from paretail.core.files import atomic_file, check_writable
from paretail.core.ids import Rows
from paretail.core.progress import Progress, silent
from paretail.data.ages import young
from paretail.data.types import Candidates, History
from paretail.pipeline.holdout import read_events
from paretail.pipeline.idlist import read_ids
from paretail.pipeline.live.bodies.slates import SlateRules
from paretail.pipeline.ranking import Order, comes_out_at, expecting, order_of, reach, reordered
from paretail.pipeline.recommender import Recommender, frame
from paretail.pipeline.steered import Settings, steered
from paretail.pipeline.ways import Ways

About = Mapping[str, sparse.csr_array]
#: How many items one list may hold.
MOST_ITEMS = 1000


def recommend_to_file(
    bundle: Path,
    users: str,
    out: Path,
    *,
    k: int = 20,
    exclude: Sequence[str] | None = None,
    history: Path | None = None,
    max_age_days: float | None = None,
    order: Literal["auto", "model"] | Order = "auto",
    settings: Settings | None = None,
    rules: SlateRules | None = None,
    where: str | None = None,
    with_reasons: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write `user_id, rank, item_id, score` for the `users` meant; return what was done, for people and machines.

    With an `order` the score is what the ranker expects of the item, and BundleError (RANK-05) is raised without one;
    `auto` is the model's, or the ranker's where that made better lists of the newest events.
    With `settings` the lists are slates that serve their goals under `rules` of the whole, and a column `setting` comes
    first. Lists hold items for which the filter `where` is true. `with_reasons` adds the columns `reason` and `paths`.
    """
    check_k(k)
    check_out(out)
    recommender = Recommender.load(bundle)
    if order not in ("auto", "model"):
        assert recommender.ranker  # where there is none, that is said now
    recommender.excluded_kinds(exclude)
    allowed = _allowed(recommender, max_age_days, where)
    user_ids = read_ids(users, recommender.columns("user_id", "users", "events"), recommender.users.ids)
    histories, unused = recommender.history_of(user_ids), 0
    if history is not None:
        later = read_events(history, recommender.manifest.config)
        new = recommender.history_from(later, user_ids)
        histories, unused = joined(histories, new), recommender.unused(later, user_ids)
    known = recommender.users.rows(user_ids)
    told: list[dict[str, Any]] = []
    if settings is not None:
        rows, told = steered(recommender, histories, user_ids, settings, k, exclude, allowed, rules, progress)
    else:
        lists = listed(recommender, histories, known, k, exclude, order, allowed, progress)
        rows = frame(lists, user_ids, recommender.items)
    if with_reasons:
        rows = told_why(recommender, histories, user_ids, rows, exclude, progress)
    write_table(rows, out)
    friends = histories.about.get("user")
    events = np.diff(histories.indptr) + (0 if friends is None else np.diff(friends.indptr))
    cold = int(np.sum(events == 0))
    fell = None if settings is not None else _fell(recommender.manifest.facts, order)
    return {
        "version": recommender.version, "users": len(user_ids), "cold": cold, "rows": rows.height, "file": str(out),
        "unused_history": unused, **({"settings": told} if told else {}), **({"remark": fell} if fell else {}),
    }  # fmt: skip


def _fell(facts: Mapping[str, Any], order: Literal["auto", "model"] | Order) -> str | None:
    """Say where lists are in another order than the one asked for, as the ranker did not learn its task."""
    by = expecting(order)
    if by is None or (found := comes_out_at(facts, by)) == by:
        return None
    return f"The ranker learned nothing of `{order}`: lists are in the order of `{found}`"


def _allowed(recommender: Recommender, max_age_days: float | None, where: str | None) -> NDArray[np.bool_] | None:
    """Return which items lists may hold, None for all; raises UsageError for a filter's fault."""
    masks = [] if max_age_days is None else [young(recommender.created_ts_ms, now_ms(), max_age_days)]
    masks += [] if where is None else [recommender.matching(recommender.shelf(), where)]
    return np.logical_and.reduce(masks) if masks else None


def listed(
    recommender: Recommender, histories: History, known: Rows, k: int, exclude: Sequence[str] | None,
    order: Literal["auto", "model"] | Order = "auto", allowed: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
) -> Candidates:  # fmt: skip
    """Return the best `k` items for users of `histories` (`known` rows of the bundle, -1 new) in an order.

    With `auto` users without events keep the model's order: the ranker learned nothing about them.
    """
    facts, mode = recommender.manifest.facts, recommender.mode(recommender.excluded_kinds(exclude))
    by = order_of(facts, mode) if order == "auto" else order
    drawn = k if by == "model" else max(k, reach(facts))
    lists = recommender.recommend(histories, drawn, exclude, progress=progress, allowed=allowed)
    if by == "model":
        return lists
    progress("Ranking")
    ranked = reordered(recommender.ranker_in(mode), histories, known, lists, k, by)
    if order == "auto":
        cold = np.diff(histories.indptr) == 0
        ranked.item_idx[cold], ranked.scores[cold] = lists.item_idx[cold, :k], lists.scores[cold, :k]
    return ranked


def told_why(
    recommender: Recommender,
    histories: History,
    user_ids: pl.Series,
    rows: pl.DataFrame,
    exclude: Sequence[str] | None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Return lists with `reason`, and `paths`: the strongest ways from the user to the item, ` | ` between them.

    Costs about 1 ms a list and .2 ms a line.
    """
    ways, known = Ways(recommender), recommender.users.rows(user_ids).tolist()
    place = {user_id: at for at, user_id in enumerate(user_ids.to_list())}
    pairs, told = rows.select("user_id", "item_id").unique(maintain_order=True), list[tuple[str, str, str, str]]()
    for (user_id,), lines in pairs.group_by("user_id", maintain_order=True):
        at = place[str(user_id)]
        one, items = histories.of_users(np.array([at])), recommender.items.rows(lines["item_id"])
        reasons = map(recommender.in_words, recommender.explain(one, items, exclude))
        paths = (" | ".join(map(ways.in_words, found)) for found in ways.to(items, one, known[at]))
        told += ((*pair, *texts) for pair, *texts in zip(lines.iter_rows(), reasons, paths, strict=True))
        progress("Reasons", at / len(known))
    columns = ("user_id", "item_id", "reason", "paths")
    return rows.join(
        pl.DataFrame(told, dict.fromkeys(columns, pl.String), orient="row"),
        on=["user_id", "item_id"],
        how="left",
        maintain_order="left",
    )


def joined(first: History, second: History) -> History:
    """Return the events of the same users in two histories as one, the oldest first; what else is known is added up."""
    user = np.concatenate([first.user_idx, second.user_idx])
    ts_ms = np.concatenate([first.ts_ms, second.ts_ms])
    order = np.lexsort((ts_ms, user))  # stable: with equal times the events of `second` come after
    return History(
        first.indptr + second.indptr,
        np.concatenate([first.item_idx, second.item_idx])[order],
        np.concatenate([first.kind, second.kind])[order],
        ts_ms[order],
        np.concatenate([first.quantity, second.quantity])[order],
        first.kinds,
        first.time,
        _both(first.about, second.about),
    )


def _both(first: About, second: About) -> dict[str, sparse.csr_array]:
    names = {**first, **second}
    return {
        name: sparse.csr_array(first[name] + second[name]) if name in first and name in second else names[name]
        for name in names
    }


def check_k(k: int) -> None:
    """Raise UsageError for a length that no list has."""
    if not 1 <= k <= MOST_ITEMS:
        raise UsageError(Problem("CLI-05", f"-k {k}", f"A length from 1 to {MOST_ITEMS}", "Correct -k"))


def check_out(out: Path, option: str = "--out") -> None:
    """Raise UsageError, or OSError, for a file that no table can be written to."""
    if out.suffix not in {".parquet", ".csv"} or out.is_dir():
        found = f"{option} {out} is a folder" if out.is_dir() else f"{option} {out} ends in {out.suffix or 'nothing'}"
        raise UsageError(Problem("CLI-06", found, "Expected a file ending in .parquet or .csv", "Rename the output"))
    check_writable(out)


def write_table(rows: pl.DataFrame, out: Path) -> None:
    """Write a table as Parquet or CSV by the file's ending, whole or not at all."""
    with atomic_file(out) as aside:
        rows.write_parquet(aside) if out.suffix == ".parquet" else rows.write_csv(aside)
