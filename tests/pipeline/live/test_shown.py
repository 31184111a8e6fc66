"""What a service shows is what its ranker reads, at once, as the next training will."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from paretail.core.ids import Vocabulary
from paretail.data.features.pairs import NAMES
from paretail.data.stores.base import Shown
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.types import EVENT_COLUMNS, Events, History
from paretail.pipeline.live import ranked
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.bodies import MergeRequest, NewEvent, RankRequest, RecommendRequest, Rules
from paretail.pipeline.live.shop import LiveShop

from .conftest import Open

pytest.importorskip("torch")

from paretail.rank.learned.foldin import folded  # needs the extra

ITEMS = np.arange(40, dtype=np.int32)
KNOWN, NEW, VISITOR, SESSION, OTHER = "u00000007", "somebody new", "a visitor", "a session", "told of"


class Read(NamedTuple):
    """What the ranker reads of ITEMS for somebody: features, columns of the user, and what it tells."""

    moment: int
    features: NDArray[np.float32]
    columns: NDArray[np.float32]
    p_click: NDArray[np.float64]

    @classmethod
    def of(cls, live: LiveShop, history: History, known: NDArray[np.int32], user: NDArray[np.int32],
           item: NDArray[np.int32], ts_ms: NDArray[np.int64]) -> "Read":  # fmt: skip
        ranker: Any = live._engine.recommender.ranker
        told = ranker.predict(history, known, user, item, ts_ms)
        features = ranker.features.matrix(history, user, item, ts_ms)
        return cls(int(ts_ms[0]), features, ranker.sides.matrix(history), told.p_click)


def served(live: LiveShop, user_id: str | None, session_id: str | None = None) -> Read:
    asked = Asked.of(live._engine, Rules(user_id=user_id, session_id=session_id), live._shown, 0)
    return Read.of(live, *ranked.pairs_of([asked], [ITEMS]))


def trained(live: LiveShop, user_id: str, like: Read) -> Read:
    """Read the same off the log that the next training reads, as of the same moment."""
    recommender = live._engine.recommender
    old, users = recommender.history, recommender.users
    bundle = pl.DataFrame(
        {
            "user_id": np.array(users.ids.to_list())[old.user_idx], "ts_ms": old.ts_ms,
            "item_id": np.array(recommender.items.ids.to_list())[old.item_idx],
            "kind": np.array(old.kinds)[old.kind],
        }
    )  # fmt: skip
    told = live.store.events(impressions=True).select(bundle.columns)
    log = pl.concat([bundle, told]).sort("ts_ms", maintain_order=True)
    rest = [pl.lit(None, dtype).alias(name) for name, dtype in EVENT_COLUMNS.items() if name not in log.columns]
    everybody = Vocabulary.of(log["user_id"])
    history = History.of(Events(log.with_columns(rest), "clock"), everybody, recommender.items, old.kinds)
    mine = history.of_users(np.array([everybody.row(user_id)]))
    row = users.row(user_id)
    mine = replace(mine.where(mine.ts_ms < like.moment), about=old.of_users(np.array([row])).about if row >= 0 else {})
    pairs = np.zeros(len(ITEMS), np.int32), ITEMS, np.full(len(ITEMS), like.moment)
    return Read.of(live, mine, np.array([row], np.int32), *pairs)


def busy(live: LiveShop) -> None:
    """Show lists to somebody known, somebody new, a visitor who becomes them, a session; tell of impressions."""
    live.add_events([NewEvent(OTHER, f"i{number:08d}", "impression") for number in range(5)])
    for user_id in (KNOWN, NEW, VISITOR, NEW):
        answer = live.recommend(RecommendRequest(user_id=user_id, k=12, session_id="theirs"))
        live.add_events([NewEvent(user_id, answer.items[1].item_id, "click", request_id=answer.request_id)])
    live.recommend(RecommendRequest(session_id=SESSION, k=9))
    live.merge(NEW, MergeRequest(VISITOR))
    live.recommend(RecommendRequest(user_id=VISITOR, k=5))


def test_features_of_a_live_user_are_those_of_training_row_by_row(open_shop: Open) -> None:
    live = open_shop()
    before = served(live, KNOWN), served(live, NEW)
    served(live, OTHER)  # from now on in memory, with nothing
    busy(live)
    found = {user_id: served(live, user_id) for user_id in (KNOWN, NEW, OTHER)}  # before the lists are written
    found[SESSION] = served(live, None, SESSION)
    live._shown.flush()
    for user_id, read in found.items():
        for told, expected in zip(read, trained(live, user_id, read), strict=True):
            np.testing.assert_array_equal(told, expected)
    seen = NAMES.index("seen")
    for told, then in zip((found[KNOWN], found[NEW]), before, strict=True):
        assert (told.features[:, seen] > then.features[:, seen]).any()
    again = open_shop()  # which reads them from the store
    for user_id in (KNOWN, NEW, OTHER):
        for told, expected in zip(served(again, user_id), found[user_id], strict=True):
            np.testing.assert_array_equal(told, expected)


def test_what_the_bundle_knows_is_not_counted_again(live: LiveShop) -> None:
    """A list of before the bundle's newest impression is in its log; one of later is not."""
    before, newest = served(live, KNOWN), live._engine.newest_shown_ms
    assert newest is not None
    live.store.shown([Shown("r0", newest, KNOWN, None, "home", "v", "model", ["i00000001"])])
    live._shown.reload()
    np.testing.assert_array_equal(served(live, KNOWN).features, before.features)
    live.store.shown([Shown("r1", newest + 1, KNOWN, None, "home", "v", "model", ["i00000001"])])
    live._shown.reload()
    assert (served(live, KNOWN).features != before.features).any()


def test_an_impression_of_times_to_come_hides_no_other(live: LiveShop, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = live._engine
    told = engine.recommender.history
    ahead = told.ts_ms.copy()
    ahead[np.flatnonzero(told.kind == told.kinds.index("impression"))[0]] = engine.recommender.manifest.created_ms + 1
    newest = engine.newest_shown_ms
    del engine.newest_shown_ms
    monkeypatch.setattr(engine.recommender, "history", replace(told, ts_ms=ahead))
    assert engine.newest_shown_ms == newest


def test_what_another_process_tells_is_read(live: LiveShop) -> None:
    before = served(live, NEW)
    other = EmbeddedStore.open(live.store.folder)  # type: ignore[attr-defined]  # of the embedded store
    other.shown([Shown("r0", before.moment + 5, NEW, None, "home", "v", "model", ["i00000001"])])
    other.merge(VISITOR, NEW)
    other.close()
    live._current._follow_store()
    assert served(live, NEW).moment == before.moment + 6


def test_who_was_forgotten_was_shown_nothing(live: LiveShop) -> None:
    before = served(live, NEW)
    busy(live)
    assert (served(live, NEW).features != before.features).any()
    live.forget_users([NEW])
    told = served(live, NEW)
    at = [place for place, name in enumerate(NAMES) if name in ("shown_lift", "shown_often", "seen", "had", "last")]
    np.testing.assert_array_equal(told.features[:, at], before.features[:, at])
    np.testing.assert_array_equal(told.columns, before.columns)


def test_what_was_shown_makes_nobody_known(live: LiveShop) -> None:
    """Lists of the model, and who counts as somebody of whom something is known, follow from what people did."""
    first, second = (live.recommend(RecommendRequest(user_id=NEW, k=5)) for _ in range(2))
    assert [line.item_id for line in first.items] == [line.item_id for line in second.items]
    assert {line.source for line in second.items} == {"popular"}
    told = [live.rank(RankRequest(candidates=["i00000001", "i00000002"], user_id=who)).items for who in (NEW, "nobody")]
    assert told[0] != told[1]


def test_what_folds_events_in_is_compiled_before_anybody_asks(open_shop: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    folds: list[int] = []

    def counted(*question: Any) -> Any:
        folds.append(1)
        return folded(*question)

    monkeypatch.setattr("paretail.rank.learned.ranker.folded", counted)
    open_shop()
    assert folds


def test_whether_history_tells_what_was_shown_is_looked_for_before_anybody_asks(
    open_shop: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, whole = list[str](), EmbeddedStore.shown_to
    monkeypatch.setattr(EmbeddedStore, "shown_to", lambda *of: asked.append(of[1]) or whole(*of))
    monkeypatch.setattr(ranked, "placed", lambda *_: None)  # whoever is ranked for at the start is asked for, too
    open_shop()
    assert asked


def test_a_request_that_is_asked_again_is_answered_as_it_was(live: LiveShop) -> None:
    first, again, another = (
        live.recommend(RecommendRequest(user_id=NEW, k=5, order="click", request_id=name)).items for name in "aab"
    )
    assert first == again
    assert [line.p_click for line in first] != [line.p_click for line in another]
