"""Current: the engine that answers now, and what follows the bundle's pointer and what others write to the store."""

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final, Literal

import msgspec
import numpy as np
import structlog

from paretail.core.errors import BundleError, ParetailError, Problem
from paretail.data.documents import ItemDocument
from paretail.data.live import LiveUsers
from paretail.data.people import People
from paretail.data.stores.base import Store
from paretail.graph.targets import ITEM, USER
from paretail.pipeline.bundle import current, current_or_none
from paretail.pipeline.live import bodies, ranked, rules
from paretail.pipeline.live.asked import Asked, scores_of
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.refits import Refits
from paretail.pipeline.live.shown import ShownLists
from paretail.pipeline.ranking import GROUP
from paretail.pipeline.recommender import Recommender
from paretail.rank.boosted.ranker import KIND

#: How often the bundle's pointer and the store are looked at for what others changed.
WATCH_SECONDS: Final = 0.5
#: How soon a version that was refused is looked at again: it may have been copied anew.
LOOK_AGAIN_SECONDS: Final = 5.0

#: What the lists of a bundle hold: its option of `paretail serve`, and the target that trains one.
Holds = Literal["items", "labels", "people"]
OPTIONS: Final = {"items": "--bundle", "labels": "--categories", "people": "--friends"}
TRAINED: Final[dict[Holds, str]] = {"items": ITEM, "labels": "category", "people": USER}

log = structlog.get_logger()


class Current:
    """The engine of the bundle's current version; a thread replaces it. `writing` guards its shelf's documents.

    One of all `leads`: what others wrote to the store it takes in for its `followers` too. `warm` is called with each
    engine before it answers.
    """

    engine: Engine

    def __init__(
        self, bundle: Path, store: Store, users: LiveUsers, people: People, shown: ShownLists, writing: Lock,
        holds: Holds = "items", leads: bool = True, warm: Callable[[Engine], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._bundle, self._store, self._users, self._people = bundle, store, users, people
        self._shown, self._writing = shown, writing
        self._holds, self._leads = holds, leads and holds == "items"
        self.followers: tuple[Current, ...] = ()
        self._warm = warm
        self.refused: str | None = None
        self._look_again = 0.0
        self._check: Callable[[Engine], None] = lambda _: None
        self._seen_version = store.version()
        self._load(current(bundle))
        self._stop = Event()
        self._watcher = Thread(target=self._watch, name="paretail-watch", daemon=True)
        self._watcher.start()
        self.refits = Refits(lambda: self.engine)

    def close(self) -> None:
        """Follow nothing any more."""
        self._stop.set()
        self.refits.close()
        self._watcher.join()

    def hold_to(self, check: Callable[[Engine], None]) -> None:
        """Check the engine that answers now, and from now on each before it does; a version that fails is refused.

        `check` is called under `writing`; it raises BundleError, and so does this.
        """
        with self._writing:
            check(self.engine)
            self._check = check

    def lead(self, followers: Sequence["Current"]) -> None:
        """Take in for `followers` too what others write, and what they wrote since these were loaded."""
        with self._writing:
            self.followers = tuple(followers)
            self._take_in(self.followers)

    def _load(self, version: str) -> None:
        """Make an engine of a version, let it answer once in each way, and put it in place of the one before."""
        recommender = Recommender.load(self._bundle, version)
        _check_holds(recommender, self._holds)
        engine = Engine(recommender, self._users, self._people)
        somebody = Asked.of(engine, bodies.RecommendRequest(user_id=_somebody(recommender)), self._shown, 0)
        rows, values = rules.draw(engine, scores_of([somebody], [5])[0], somebody.drawing(5))
        scores_of([somebody], [len(engine.shelf)])
        somebody.explain(somebody.lines(rows, values, ""), rows, [])
        ranker = recommender.manifest.facts.get(GROUP)
        if ranker is not None and (ranker.get("kind") == KIND or find_spec("torch") is not None):
            names = recommender.items.ids.head(2).to_list()
            ranked.rank(engine, bodies.RankRequest(candidates=names, items=names[:1]), self._shown)  # folded in, too
            if ranked.settled(somebody, bodies.RecommendRequest(order="auto")).order == "auto":
                ranked.placed([somebody], [rows])
            recommender.steering.warm()
            self._shown.impressions(_somebody(recommender))  # whether history tells any is looked for once
        self._warm(engine)
        with self._writing:
            self._check(engine)
            if self._holds == "items":
                _put_documents(engine, self._store)
                engine.count_live()
            self.engine = engine

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            try:
                self._follow_pointer()
                self._follow_store()
            except Exception as error:  # the next look may find things mended
                log.error("watch_failed", exc_info=error)

    def _follow_pointer(self) -> None:
        version = current_or_none(self._bundle) or "the pointer"
        if version == self.engine.version:
            self.refused = None
            return
        if self.refused is not None and time.monotonic() < self._look_again:
            return
        try:
            started = time.monotonic()
            self._load(current(self._bundle))
            self.refused = None
            log.info("bundle_swapped", version=version, seconds=round(time.monotonic() - started, 2))
        except Exception as error:  # what it was trained with may be unknown here, too, and arrays of another shape
            if self.refused is None:
                known = isinstance(error, ParetailError)
                log.error("bundle_refused", problem=str(error), goes_on_with=self.engine.version, exc_info=not known)
            self.refused, self._look_again = str(error), time.monotonic() + LOOK_AGAIN_SECONDS

    def _follow_store(self) -> None:
        """Take in what another process (an import, a service beside this one) has written."""
        if not self._leads:
            return  # the live bundle of items does it for all
        version = self._store.version()
        if version != self._seen_version:
            self._seen_version = version
            self._users.reload()
            self._people.forget_all()
            self._shown.reload()
            with self._writing:
                self._take_in((self, *self.followers))

    def _take_in(self, them: Sequence["Current"]) -> None:
        for one in them:
            one.engine.recount()
            _put_documents(one.engine, self._store)


def _somebody(recommender: Recommender) -> str:
    """Return a user of whom something is known, where there is one: what answers need is compiled for them."""
    known = np.flatnonzero(np.diff(recommender.history.indptr))
    return str(recommender.users.ids[int(known[len(known) // 2]) if len(known) else 0])


def _check_holds(recommender: Recommender, holds: Holds) -> None:
    """Raise BundleError (BNDL-07) where a bundle's lists hold something else."""
    there = {ITEM: "items", USER: "people"}.get(recommender.lists, "labels")
    if there != holds:
        do = f"Name it with {OPTIONS[there]}, or train one with paretail train --target {TRAINED[holds]}"
        found = f"lists of bundle version {recommender.version} hold {there} ({recommender.lists})"
        raise BundleError(Problem("BNDL-07", found, f"A bundle whose lists hold {holds} here", do))


def _put_documents(engine: Engine, store: Store) -> None:
    """Bring the shelf to what the store has; an attribute whose type the catalogue has changed is told and left out."""
    kept = ((item_id, None if document is None else msgspec.json.decode(document, type=ItemDocument))
            for item_id, document in store.documents("items"))  # fmt: skip
    for problem in engine.shelf.put_all(kept):
        log.warning("attribute_left_out", problem=str(problem))
