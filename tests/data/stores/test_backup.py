"""Copies of a store, and what comes back of them."""

import json
import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from paretail.data.stores import backup, schema
from paretail.data.stores.backup import restore
from paretail.data.stores.base import Key, StoreError
from paretail.data.stores.embedded import EmbeddedStore

from .made import T0, event, shown


def _fill(store: EmbeddedStore) -> None:
    store.append([event(n) for n in range(50)])
    store.compact({}, T0)
    store.append([event(n, "u2") for n in range(50, 60)])
    store.promise(3)
    store.shown([shown(1, ["a", "b"])])
    store.put("items", {"a": b"{}", "b": None})
    store.merge("v", "u2")
    store.forget(["u9"], T0)
    store.put_key(Key("k", "shop", "ab", ("admin",), None, 1))


def _all(store: EmbeddedStore) -> list[object]:
    told = [store.events(impressions=True).rows(), store.answers().rows(), list(store.documents("items"))]
    return [*told, store.merges(), store.forgotten(), store.keys(), store.recent(["u1", "u2"], 5)]


@pytest.mark.parametrize("linked", [True, False])
def test_a_restored_store_is_the_one_that_was_copied(
    embedded: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    if not linked:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("another disk")))
    _fill(embedded)
    then = _all(embedded)
    embedded.backup(tmp_path / "backup")
    embedded.append([event(99)])
    embedded.compact({}, T0)
    restore(tmp_path / "backup", tmp_path / "again")
    with closing(EmbeddedStore.open(tmp_path / "again", create=False)) as again:
        assert _all(again) == then
        assert again.append([event(3), event(55), event(99)]) == [False, False, True]
        assert again.compact({}, T0).history == 61
        assert again.counts()["impressions_lost"] == 0
    restore(tmp_path / "backup", tmp_path / "once more")
    assert len(embedded.events()) == 61
    link = (tmp_path / "backup" / "history-000001.parquet").stat().st_nlink
    assert link == 1, "the store has let go of it since"


def test_a_copy_is_of_one_moment_while_others_write_and_compact(embedded: EmbeddedStore, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        for number in range(10**6):
            embedded.append([event(2 * number), event(2 * number + 1)])
            if stop.is_set():
                return

    def compact() -> None:
        while not stop.is_set():
            embedded.compact({}, T0)

    threads = [threading.Thread(target=work) for work in (write, compact)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            embedded.backup(tmp_path / f"backup{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    for number in range(4):
        restore(tmp_path / f"backup{number}", tmp_path / f"again{number}")
        with closing(EmbeddedStore.open(tmp_path / f"again{number}")) as again:
            found = sorted(int(name[1:]) for name in again.events()["event_id"])
            assert found == list(range(len(found)))
            assert len(found) % 2 == 0


def test_a_copy_that_fails_leaves_nothing(
    embedded: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(embedded)
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(backup, "_print", lambda file: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            embedded.backup(tmp_path / "backup")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "history-000001.parquet").unlink(), "history-000001.parquet is missing"),
        (lambda folder: _flip(folder / "live.sqlite"), "live.sqlite is not what was written"),
        (lambda folder: _flip(folder / "history-000001.ids.npy"), "history-000001.ids.npy is not what was written"),
        (lambda folder: (folder / "backup.json").unlink(), "backup.json cannot be read"),
        (lambda folder: (folder / "backup.json").write_text("[]"), "backup.json cannot be read"),
        (lambda folder: (folder / "backup.json").write_text("{"), "backup.json cannot be read"),
        (lambda folder: _edit(folder, format=2), "of another kind"),
        (lambda folder: _edit(folder, files={}), "of another kind"),
        (lambda folder: _edit(folder, files={"live.sqlite": {}, "../evil": {}}), "of another kind"),
    ],
)
def test_a_backup_that_is_not_whole_restores_nothing(
    embedded: EmbeddedStore, tmp_path: Path, harm: "object", told: str
) -> None:
    assert callable(harm)
    _fill(embedded)
    embedded.backup(tmp_path / "backup")
    harm(tmp_path / "backup")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StoreError, match=rf"{told}.*STOR-13"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert sorted(tmp_path.iterdir()) == before
    assert len(embedded.events()) == 60


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()  # the store may hold the same file
    file.write_bytes(content)


def _edit(folder: Path, **values: object) -> None:
    manifest = json.loads((folder / "backup.json").read_text())
    (folder / "backup.json").write_text(json.dumps(manifest | values))


def test_a_backup_of_a_newer_store_and_a_folder_in_the_way_are_refused(embedded: EmbeddedStore, tmp_path: Path) -> None:
    embedded.backup(tmp_path / "backup")
    with pytest.raises(StoreError, match="STOR-12"):
        restore(tmp_path / "backup", embedded.folder)
    with pytest.raises(StoreError, match="STOR-12"):
        embedded.backup(tmp_path / "backup")
    _edit(tmp_path / "backup", version=schema.VERSION + 1)
    with pytest.raises(StoreError, match="STOR-02"):
        restore(tmp_path / "backup", tmp_path / "again")
