"""Many documents at once: all or none, whoever reads, writes or dies meanwhile."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from paretail.data.stores import documents
from paretail.data.stores.base import StoreError
from paretail.data.stores.embedded import EmbeddedStore

from .made import T0

OLD = {f"i{n}": b"old" for n in range(0, 20, 2)}
NEW: dict[str, bytes | None] = {f"i{n}": b"new" if n % 3 else None for n in range(17)}
BOTH = OLD | NEW


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FEW", 3)
    monkeypatch.setattr(documents, "_PAGE", 4)


def _all(store: EmbeddedStore) -> dict[str, bytes | None]:
    found = list(store.documents("items"))
    assert [name for name, _ in found] == sorted({name for name, _ in found})
    assert {f"i{n}": store.document("items", f"i{n}") for n in range(20)} == dict.fromkeys(
        (f"i{n}" for n in range(20)), None
    ) | dict(found)
    assert store.counts()["items"] == sum(body is not None for _, body in found)
    return dict(found)


def _at_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Let `act` happen after each step of a large put; it gets how many there were."""
    steps: list[Any] = []

    def step(_: float) -> None:
        steps.append(None)
        act(len(steps))

    monkeypatch.setattr(documents, "sleep", step)


def test_readers_see_all_or_none_of_many_documents(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded.put("items", OLD)
    embedded.put("users", {"i1": b"user"})
    seen: list[dict[str, bytes | None]] = []
    with closing(EmbeddedStore.open(embedded.folder)) as other:
        versions = [other.version()]

        def look(_: int) -> None:
            seen.append(_all(other))
            versions.append(other.version())

        _at_each(monkeypatch, look)
        embedded.put("items", NEW)
    assert [found for found in seen if found not in (OLD, BOTH)] == []
    assert seen[5] == OLD, "while they are laid aside"
    assert seen[6] == seen[-1] == BOTH, "while they are moved"
    assert len(set(versions)) == 2, "others are told once"
    assert _all(embedded) == BOTH
    assert list(embedded.documents("users")) == [("i1", b"user")]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_put_that_dies_has_set_all_or_none_and_the_next_ends_it(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    embedded.put("items", OLD)

    def die(steps: int) -> None:
        if steps >= step:
            raise KeyboardInterrupt

    _at_each(monkeypatch, die)
    with pytest.raises(KeyboardInterrupt):
        embedded.put("items", NEW)
    whole = _all(embedded)
    assert whole == (OLD if step <= 6 else BOTH)
    embedded.put("items", {"i3": b"later", "i0": None})
    assert _all(embedded) == whole | {"i3": b"later", "i0": None}
    monkeypatch.setattr(documents, "sleep", lambda _: None)
    embedded.compact({}, T0)
    assert _all(embedded) == whole | {"i3": b"later", "i0": None}
    embedded.put("items", NEW)
    assert _all(embedded) == BOTH
    left = embedded._database.read(lambda view: view.connection.execute("SELECT * FROM document_next").fetchall())
    assert left == []


def test_who_sets_or_forgets_while_many_are_moved_has_the_last_word(
    embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(steps: int) -> None:
        if steps == 8:
            embedded.put("users", {"i16": b"last", "i1": None})
            embedded.forget(["i15"], T0)

    _at_each(monkeypatch, act)
    embedded.put("users", {f"i{n}": b"new" for n in range(17)})
    found = dict(embedded.documents("users"))
    assert found["i16"] == b"last"
    assert found["i1"] is None
    assert "i15" not in found
    assert len(found) == 16


def test_a_compaction_leaves_what_is_being_laid_aside(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(EmbeddedStore.open(embedded.folder)) as other:
        _at_each(monkeypatch, lambda steps: other.compact({}, T0) and None if steps == 3 else None)
        embedded.put("items", NEW)
    assert _all(embedded) == NEW


def test_one_bad_document_of_many_sets_none(embedded: EmbeddedStore) -> None:
    with pytest.raises(StoreError, match="STOR-08"):
        embedded.put("items", NEW | {"\ud800": b"bad"})
    assert _all(embedded) == {}
    embedded.put("items", NEW)
    assert _all(embedded) == NEW
