"""Recommender: a bundle loaded into memory, answering for known and unknown users alike."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from paretail.core.errors import Problem, UsageError, nearest
from paretail.core.ids import Rows, Vocabulary
from paretail.core.kernels import ONE_AT_A_TIME
from paretail.core.money import minor_per_major
from paretail.core.progress import Progress, silent
from paretail.data import filters
from paretail.data.held import Mode
from paretail.data.kinds import NOT_TARGETS, PRODUCT, SELF, TARGETS
from paretail.data.shelf import Shelf
from paretail.data.types import Candidates, Events, History, Reason
from paretail.graph.targets import ITEM, products_had, translated
from paretail.graph.traits import Traits, and_nobody
from paretail.pipeline import reasons
from paretail.pipeline.akin import Labels
from paretail.pipeline.bundle import Bundle
from paretail.pipeline.evidence import Evidence
from paretail.pipeline.likeness import Likeness
from paretail.pipeline.ranking import ranker_of
from paretail.rank.boosted.ranker import BoostedRanker
from paretail.retrieve.associate import Associations
from paretail.retrieve.base import Retriever, Scores
from paretail.retrieve.falls import tells_falls
from paretail.retrieve.models import model
from paretail.retrieve.shortlist import score_best
from paretail.retrieve.topk import top_k

if TYPE_CHECKING:  # torch comes with it
    from paretail.pipeline.ranking import AnyRanker
    from paretail.pipeline.steering import Steering

#: Users are scored in blocks of about this many scores (float32, 64 MiB): larger blocks pay for fresh memory pages.
SCORES_PER_BLOCK = 16 << 20


class Recommender:
    """What a bundle knows: vocabularies, histories, the model, associations; read-only, safe to share by threads.

    Whole models are asked one at a time: each uses all cores, and a model of the shop's own may have other kernels.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.version
        self._bundle = bundle
        self.manifest = bundle.manifest
        facts = bundle.manifest.facts
        self.target: str = facts["target"]
        self.repeat: bool = facts["repeat"]
        self.lists: str = facts.get("lists", ITEM)
        self.catalogue, self.user_table = bundle.tables["items"], bundle.tables["users"]
        self.users, self.items = Vocabulary(self.user_table["user_id"]), Vocabulary(self.catalogue["item_id"])
        self.traits = Traits.from_frame(bundle.tables["traits"]) if "traits" in bundle.tables else Traits({})
        self.history = _history(bundle.arrays["history"], bundle.arrays.get("about", {}), facts)
        model_type = model(facts["model"])
        self.model: Retriever = model_type.from_arrays(
            dict(bundle.arrays["model"]), model_type.config_type.parse(facts["settings"], "the bundle")
        )
        self.associations = Associations.from_arrays(dict(bundle.arrays["associations"]))
        self.known_nodes = bundle.tables.get("nodes")
        self.labels = bundle.tables.get("labels")
        self.products = Vocabulary(bundle.tables["products"]["item_id"]) if "products" in bundle.tables else None
        self._rankers: dict[Mode, AnyRanker] = {}

    @classmethod
    def load(cls, root: Path, version: str | None = None) -> Self:
        """Load the current (or the named) version of a bundle; raises BundleError where it is damaged."""
        return cls(Bundle.load(root, version))

    def with_model(self, other: Retriever) -> Self:
        """Return the same recommender with another model, for comparisons."""
        twin = copy(self)
        twin.model, twin._rankers = other, {}
        return twin

    def history_of(self, user_ids: pl.Series) -> History:
        """Return the stored histories of `user_ids`; a user that the bundle does not know has an empty one."""
        rows = self.users.rows(user_ids)
        return self._with_nobody.of_users(np.where(rows < 0, self.history.users, rows))

    def history_from(self, events: Events, user_ids: pl.Series) -> History:
        """Return the histories that `events` tell of `user_ids`, events of unknown items left out, and no more of them.

        Events that have no time, told to a bundle that has, count as newer than all that it knows. Where lists hold
        people, `events` are on the shop's items and say whom each user is like.
        """
        users = Vocabulary(user_ids)
        if self.products is not None:
            nothing = History.of(Events(events.frame.clear()), users, self.items, self.history.kinds)
            return replace(nothing, about={PRODUCT: products_had(events, users, self.products).matrix()})
        events = self.in_target(events)
        if events.time == "none" and self.history.time != "none":
            newest = int(self.history.ts_ms.max(initial=0))
            events = Events(events.frame.with_columns(ts_ms=pl.lit(newest, pl.Int64)), self.history.time)
        return History.of(events, users, self.items, self.history.kinds)

    def unused(self, events: Events, user_ids: pl.Series) -> int:
        """Count the events that say nothing here: of users not asked for, of items or kinds that are unknown."""
        known = self.items.ids if self.labels is None else self.labels["item_id"]
        known = known if self.products is None else self.products.ids
        used = pl.col("user_id").is_in(user_ids.implode()) & pl.col("item_id").is_in(known.implode())
        if self.products is None:
            used &= pl.col("kind").is_in(self.history.kinds)
        return events.frame.height - events.frame.filter(used).height

    def in_target(self, events: Events) -> Events:
        """Return events on the shop's items as events on what lists hold."""
        return events if self.labels is None else translated(events, self.labels)

    def excluded_kinds(self, exclude: Sequence[str] | None) -> tuple[str, ...]:
        """Return the kinds that `--exclude` means; by default the target, or none where repeats are wanted.

        `all` is every kind of the history, `none` is none. Raises UsageError for a word that is no kind here.
        """
        kinds = self.history.kinds
        if exclude is None:
            return () if self.repeat else (self.target,)
        if list(exclude) in (["all"], ["none"]):
            return kinds if exclude[0] == "all" else ()
        unknown = [word for word in exclude if word not in self.words]
        if unknown:
            expected = f"Expected `all`, `none` or {nearest(unknown[0], self.words)}"
            raise UsageError(Problem("CLI-04", f"{unknown[0]!r} is no kind of event here", expected, "Correct exclude"))
        return tuple(self.words[word] for word in exclude)

    def mode(self, excluded: Sequence[str]) -> Mode:
        """Return the question that leaving out these kinds asks."""
        if self.target not in excluded:
            return "none"
        done = set(self.history.kinds) - set(NOT_TARGETS)
        return "all" if done <= set(excluded) else "target"

    @staticmethod
    def hidden(history: History, excluded: Sequence[str]) -> History:
        """Return the events whose items are not recommended again: those of the kinds `excluded`, and oneself."""
        numbers = [number for number, kind in enumerate(history.kinds) if kind in (*excluded, SELF)]
        return history.where(np.isin(history.kind, numbers))

    def recommend(
        self,
        history: History,
        k: int = 20,
        exclude: Sequence[str] | None = None,
        now_ms: int | None = None,
        progress: Progress = silent,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Candidates:
        """Return the best `k` items for each user of `history`, without those of the kinds in `exclude`.

        `allowed[items]` says which items lists may hold, None all. Items of the same lowest score follow by popularity
        (`Evidence.wanted`).
        """
        excluded = self.excluded_kinds(exclude)
        mode, hidden = self.mode(excluded), self.hidden(history, excluded)
        block = max(1, SCORES_PER_BLOCK // max(1, len(self.items)))
        parts: list[tuple[Rows, NDArray[np.float32]]] = []
        for start in range(0, history.users, block):
            rows = np.arange(start, min(start + block, history.users))
            with ONE_AT_A_TIME:
                scores = self.evidence.wanted(self.model.score(history.of_users(rows), now_ms, mode), self.target)
                scores = scores if allowed is None else np.where(allowed, scores, np.float32(-np.inf))
                parts.append(top_k(scores, k, _items_of(hidden.of_users(rows), len(self.items))))
            progress("Scoring", rows[-1] / history.users)
        if not parts:
            return Candidates(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
        return Candidates(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))

    def scores(self, history: History, mode: Mode, best: NDArray[np.integer] | None = None) -> Scores:
        """Return `scores[users, items]` of a few users, whose lists leave out what `mode` says.

        With `best[users]` they are exact for that many items (`retrieve/shortlist.py`). Those of the same lowest score
        follow by popularity (`Evidence.wanted`).
        """
        with ONE_AT_A_TIME:
            scores = (
                self.model.score(history, None, mode) if best is None else score_best(self.model, history, best, mode)
            )
            return self.evidence.wanted(scores, self.target)

    def explain(self, history: History, rows: Rows, exclude: Sequence[str] | None = None) -> list[Reason]:
        """Return why each item of `rows` is in the list of the one user of `history`.

        Models that tell falls (`retrieve/falls.py`; all of the table do) are asked at those items alone and in the
        caller's thread: whoever scores waits for no reasons.
        """
        mode = self.mode(self.excluded_kinds(exclude))
        with nullcontext() if tells_falls(self.model) else ONE_AT_A_TIME:
            return reasons.explain(
                self.model, history, rows, self.evidence, self.target, mode, self._akin, self._likeness
            )

    def in_words(self, reason: Reason) -> str:
        """Return a reason as one sentence, items called by their titles where there are any."""
        named = self.traits.named if reason.code == "among" else self._akin.named
        return reasons.in_words(reason, self.target, self.titles, named)

    def called(self, node_type: str) -> str:
        """Return what a person calls the column that labels of this type come from."""
        return self._akin.called(node_type)

    def similar(self, item_ids: pl.Series, relation: str, k: int = 20) -> pl.DataFrame:
        """Return `item_id, rank, similar_item_id, score, support, confidence, lift` for the items known."""
        rows = self.items.rows(item_ids)
        found = self.associations.top(rows[rows >= 0], relation, k)
        return found.select(
            item_id=self.items.names(found["item_idx"].to_numpy()),
            rank=pl.col("rank"),
            similar_item_id=self.items.names(found["other_idx"].to_numpy()),
            score=pl.col("score"), support=pl.col("support"), confidence=pl.col("confidence"), lift=pl.col("lift"),
        )  # fmt: skip

    @cached_property
    def ranker(self) -> "AnyRanker":
        """The ranker of the bundle; raises BundleError (RANK-05) where it has none."""
        return ranker_of(self._bundle, self.catalogue, self.history, self.model)

    def ranker_in(self, mode: Mode) -> "AnyRanker":
        """The same for lists that are made in a mode."""
        if mode not in self._rankers:  # each keeps columns of items
            ranker = self.ranker
            self._rankers[mode] = ranker.under(mode) if isinstance(ranker, BoostedRanker) else ranker
        return self._rankers[mode]

    @cached_property
    def steering(self) -> "Steering":
        """Goals and dials of the bundle; raises BundleError (RANK-05) where it has no ranker."""
        from paretail.pipeline.steering import Steering

        return Steering.of(self)

    @cached_property
    def in_stock(self) -> NDArray[np.bool_]:
        """Which items are in stock, as far as the catalogue tells."""
        if "in_stock" not in self.catalogue.columns:
            return np.ones(len(self.items), bool)
        return self.catalogue["in_stock"].fill_null(True).to_numpy()

    def shelf(self) -> Shelf:
        """Return the catalogue to filter by, as the bundle knows it."""
        return Shelf.of(self.catalogue, self.items, minor_per_major(self.manifest.config["data"]["currency"]))

    def matching(self, shelf: Shelf, where: str) -> NDArray[np.bool_]:
        """Return for which rows of `shelf` a filter is true; raises UsageError for its faults.

        FILT-05 where lists hold labels or people and nothing is known of a field for any: no such list would be filled.
        """
        wanted = filters.parse(where)
        mask = shelf.matching(wanted)
        if self.lists != ITEM and (untold := shelf.untold(wanted)):
            found = f"lists hold {self.lists}, and none of these has {' or '.join(untold)}"
            do = "Filter by what they have, or train a bundle of items and filter these"
            raise UsageError(Problem("FILT-05", found, "Fields that are known of what lists hold", do))
        return mask

    @cached_property
    def moment_ms(self) -> int:
        """The moment of answers about what the bundle knows: right after its newest event."""
        return int(self.history.ts_ms.max(initial=0)) + 1

    @cached_property
    def words(self) -> dict[str, str]:
        """The words that an event's kind may be told in: the shop's and ours."""
        return {**self.manifest.facts["words"], **{kind: kind for kind in self.history.kinds}}

    def columns(self, ours: str, *tables: str) -> list[str]:
        """Return the names that the column `ours` may have in a file: ours, then those of the shop's own `tables`."""
        named = self.manifest.config["data"]["columns"]
        theirs = [named[table][ours] for table in tables]
        texts = [name for value in theirs for name in (value if isinstance(value, list) else [value]) if name]
        return list(dict.fromkeys([ours, *texts]))

    def arrays(self, group: str) -> Mapping[str, NDArray[Any]]:
        """Return a group of the bundle's arrays."""
        return self._bundle.arrays[group]

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of the bundle."""
        return self._bundle.tables[name]

    @property
    def weakest(self) -> str:
        """The kind that an item of a session counts as, where nothing else is said of it."""
        done = [kind for kind in self.history.kinds if kind not in NOT_TARGETS]
        return next((kind for kind in reversed(TARGETS) if kind in done), done[0])

    @property
    def created_ts_ms(self) -> NDArray[np.int64]:
        """Since when each item is sold, 0 where the catalogue does not tell."""
        if "created_ts_ms" not in self.catalogue.columns:
            return np.zeros(len(self.items), np.int64)
        return self.catalogue["created_ts_ms"].fill_null(0).to_numpy().astype(np.int64)

    @cached_property
    def names(self) -> pl.Series:
        """What a person calls each item: its title, else its id."""
        titled = "title" in self.catalogue.columns
        return self.catalogue.select(pl.coalesce("title", "item_id") if titled else pl.col("item_id")).to_series()

    @cached_property
    def titles(self) -> list[str]:
        """The same as a list: ten times as fast, name by name."""
        return self.names.to_list()

    @cached_property
    def evidence(self) -> Evidence:
        """Who had what, for the counts in reasons; `evidence.warm()` builds it ahead of the first question."""
        return Evidence(self.history, len(self.items))

    @cached_property
    def _akin(self) -> Labels:
        return Labels.of(self.catalogue, self.items)

    @cached_property
    def _likeness(self) -> Likeness:
        return Likeness(self.catalogue)

    @cached_property
    def _with_nobody(self) -> History:
        """The histories with one empty user at the end, whom unknown ids are."""
        indptr = np.append(self.history.indptr, self.history.indptr[-1])
        return replace(self.history, indptr=indptr, about=and_nobody(self.history.about))


def frame(candidates: Candidates, user_ids: pl.Series, items: Vocabulary) -> pl.DataFrame:
    """Return the lists as `user_id, rank, item_id, score`, one row an item, rank 1 first."""
    user, place = np.nonzero(candidates.item_idx >= 0)
    rows: Rows = candidates.item_idx[user, place]
    return pl.DataFrame(
        {
            "user_id": user_ids.gather(pl.Series(user)),
            "rank": (place + 1).astype(np.int32),
            "item_id": items.names(rows),
            "score": candidates.scores[user, place],
        }
    )


def _items_of(history: History, items: int) -> sparse.csr_array:
    """Return the items of each user's events as a matrix with sorted columns."""
    ones = np.ones(len(history.item_idx), np.int8)
    cells = (ones, history.item_idx, history.indptr)
    matrix = sparse.csr_array(cells, (history.users, items), copy=True)  # summing sorts in place
    matrix.sum_duplicates()
    return matrix


def history_arrays(history: History) -> dict[str, NDArray[Any]]:
    """Return the arrays that a bundle keeps of a history."""
    return {
        "indptr": history.indptr,
        "item_idx": history.item_idx,
        "kind": history.kind,
        "ts_ms": history.ts_ms,
        "quantity": history.quantity,
    }


def about_arrays(history: History) -> dict[str, NDArray[Any]]:
    """Return the arrays that a bundle keeps of what is known of users, by type of node."""
    return {
        f"{name}/{part}": value for name, known in history.about.items()
        for part, value in (("data", known.data), ("indices", known.indices), ("indptr", known.indptr),
                            ("shape", np.array(known.shape, np.int64)))
    }  # fmt: skip


def _history(arrays: Any, known: Mapping[str, NDArray[Any]], facts: dict[str, Any]) -> History:
    types = [key.removesuffix("/shape") for key in known if key.endswith("/shape")]
    about = {
        name: sparse.csr_array(
            tuple(known[f"{name}/{part}"] for part in ("data", "indices", "indptr")), tuple(known[f"{name}/shape"])
        )
        for name in types
    }
    return History(**arrays, kinds=tuple(facts["kinds"]), time=facts["time"], about=about)
