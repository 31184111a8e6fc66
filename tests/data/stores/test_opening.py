"""What becomes of a folder when it is opened as a store."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from paretail.data.stores import live, schema
from paretail.data.stores.base import StoreError
from paretail.data.stores.disk import FileLock
from paretail.data.stores.embedded import EmbeddedStore
from paretail.data.stores.readers import DATABASE

from .made import T0, event


def _bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _alter(folder: Path, *queries: str) -> None:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        for query in queries:
            database.execute(query).fetchall()


def _made(folder: Path) -> Path:
    with closing(EmbeddedStore.open(folder)) as store:
        store.append([event(1)])
        store.compact({}, T0)
        store.append([event(2)])
    return folder


def test_a_store_is_made_in_a_new_or_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new" / "deep", tmp_path / "empty"):
        _made(folder)
        with closing(EmbeddedStore.open(folder, create=False)) as store:
            assert store.counts()["events_live"] == 1


def test_a_store_that_is_not_there_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="STOR-07"):
        EmbeddedStore.open(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=rf"holds files and no {DATABASE}.*STOR-01"):
        EmbeddedStore.open(tmp_path)
    assert _bytes(tmp_path) == {"notes.txt": b"mine"}


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    _alter(tmp_path, "CREATE TABLE theirs(a)")
    with pytest.raises(StoreError, match=r"another program.*STOR-01"):
        EmbeddedStore.open(tmp_path)
    _alter(tmp_path, "INSERT INTO theirs VALUES (1)")


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = _made(tmp_path / "store")
    _alter(folder, f"PRAGMA user_version = {schema.VERSION + 1}")
    before = _bytes(folder)
    with pytest.raises(StoreError, match=rf"of version {schema.VERSION + 1}.*up to version {schema.VERSION}.*STOR-02"):
        EmbeddedStore.open(folder)
    assert _bytes(folder) == before


def test_a_store_that_became_newer_and_was_killed_is_refused(tmp_path: Path) -> None:
    folder = _made(tmp_path / "store")
    newer = sqlite3.connect(folder / DATABASE, isolation_level=None)
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")  # in the log alone while it is open
    with pytest.raises(StoreError, match="STOR-02"):
        EmbeddedStore.open(folder)
    newer.close()


@pytest.mark.parametrize("damage", ["not a database", ""])
def test_a_damaged_database_is_refused(tmp_path: Path, damage: str) -> None:
    folder = _made(tmp_path / "store")
    (folder / DATABASE).write_text(damage * 1000)
    with pytest.raises(StoreError, match="STOR-03"):
        EmbeddedStore.open(folder)
    assert len(list(folder.glob("history-*"))) == 3, "history is not mistaken for rubbish"


def test_damage_inside_is_told_when_it_is_met(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with closing(EmbeddedStore.open(folder)) as store:
        store.append([event(n, user="u" * 200) for n in range(500)])
    whole = bytearray((folder / DATABASE).read_bytes())
    whole[len(whole) // 2 : -4096] = b"\xff" * len(whole[len(whole) // 2 : -4096])
    (folder / DATABASE).write_bytes(whole)
    with closing(EmbeddedStore.open(folder)) as store, pytest.raises(StoreError, match="STOR-03"):
        store.events()


@pytest.mark.parametrize("what", ["parquet", "ids.npy", "users.npy"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_or_missing_history_is_told(tmp_path: Path, what: str, damage: str) -> None:
    folder = _made(tmp_path / "store")
    file = folder / f"history-000001.{what}"
    file.write_bytes(file.read_bytes()[:-50]) if damage == "cut" else file.unlink()
    with closing(EmbeddedStore.open(folder)) as store:
        with pytest.raises(StoreError, match="STOR-03"):
            store.events()
        if what == "ids.npy":
            with pytest.raises(StoreError, match="STOR-03"):
                store.append([event(3)])
        with pytest.raises(StoreError, match="STOR-03"):
            store.compact({}, T0)


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"Not a directory.*STOR-04"):
        EmbeddedStore.open(tmp_path / "file" / "store")


def test_what_a_full_disk_refuses_is_refused_and_what_was_acknowledged_stays(embedded: EmbeddedStore) -> None:
    embedded.append([event(1)])

    def fill(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    embedded._database.write(fill)
    many = [event(n) for n in range(1, 1000)]
    with pytest.raises(StoreError, match=r"full.*STOR-04"):
        embedded.append(many)
    assert embedded.events()["event_id"].to_list() == ["e1"]
    embedded._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    assert sum(embedded.append(many)) == 998


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "store")
    store.close()
    store.close()
    for call in (lambda: store.append([event(1)]), store.events, store.version, lambda: list(store.documents("items"))):
        with pytest.raises(StoreError, match="STOR-09"):
            call()


def _made_by_version_1(folder: Path) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(schema.MIGRATIONS[0])
        live.insert(database, [event(1), event(2)])
        database.execute("INSERT INTO merge VALUES ('v', 'u')")
        database.execute("INSERT INTO document VALUES ('items', 'a', x'7b7d')")
        database.execute("PRAGMA user_version = 1")
        database.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    return folder


def test_a_store_of_version_1_is_carried_forward(tmp_path: Path) -> None:
    folder = _made_by_version_1(tmp_path / "store")
    with closing(EmbeddedStore.open(folder)) as store:
        assert store.append([event(2), event(3)]) == [False, True]
        assert store.merges() == {"v": "u"}
        assert list(store.documents("items")) == [("a", b"{}")]
        assert store.compact({}, T0).history == 3
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_a_store_that_an_older_program_has_open_is_not_carried_forward(tmp_path: Path) -> None:
    folder = _made_by_version_1(tmp_path / "store")
    older = FileLock(folder / "open.lock")
    older.wait(1, shared=True)
    with pytest.raises(StoreError, match=r"older version of this program.*STOR-05"):
        EmbeddedStore.open(folder)
    older.close()
    EmbeddedStore.open(folder).close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _made(tmp_path / "store")
    bad = (*schema.MIGRATIONS, "CREATE TABLE new(a); INSERT INTO nowhere VALUES (1);")
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", bad)
        patched.setattr(schema, "VERSION", len(bad))
        with pytest.raises(StoreError):
            EmbeddedStore.open(folder)
    with closing(EmbeddedStore.open(folder)) as store:
        assert store.append([event(1), event(2), event(3)]) == [False, False, True]


def test_files_that_a_killed_compaction_left_are_removed_by_the_next_lone_opening(tmp_path: Path) -> None:
    folder = _made(tmp_path / "store")
    for name in ("history-000002.parquet", "history-000002.ids.npy"):
        (folder / name).write_bytes(b"half")
    with closing(EmbeddedStore.open(folder)) as store:
        assert sorted(file.name for file in folder.glob("history-*"))[-1] == "history-000001.users.npy"
        (folder / "history-000002.parquet").write_bytes(b"somebody may be writing it")
        EmbeddedStore.open(folder).close()
        assert (folder / "history-000002.parquet").exists()
        assert store.compact({}, T0).history == 2
        assert not (folder / "history-000001.parquet").exists()


def test_another_process_reads_and_writes_while_the_store_is_open(embedded: EmbeddedStore) -> None:
    embedded.append([event(1)])
    seen = embedded.version()
    code = (
        "import sys; from pathlib import Path\n"
        "from paretail.data.stores.embedded import EmbeddedStore\n"
        "from paretail.data.stores.base import StoredEvent\n"
        "store = EmbeddedStore.open(Path(sys.argv[1]), create=False)\n"
        "new = [StoredEvent('u1', 'i1', 'view', 1, f'e{n}') for n in (1, 2)]\n"
        "print(store.append(new), store.compact({}, 0).history)\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", code, str(embedded.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[False, True] 2\n"
    assert embedded.version() != seen
    assert embedded.append([event(1), event(2), event(3)]) == [False, False, True]
    assert embedded.counts() | {"events_live": 1, "events_history": 2} == embedded.counts()


def test_processes_that_write_at_once_keep_each_event_once(embedded: EmbeddedStore) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from paretail.data.stores.embedded import EmbeddedStore\n"
        "from paretail.data.stores.base import StoredEvent\n"
        "store = EmbeddedStore.open(Path(sys.argv[1]))\n"
        "print('ready', flush=True); input(); kept = 0\n"
        "for start in range(0, 4000, 20):\n"
        "    new = [StoredEvent('u1', 'i1', 'view', n, f'e{n}') for n in range(start, start + 20)]\n"
        "    kept += sum(store.append(new))\n"
        "    if start == 2000: store.compact({}, 0)\n"
        "print(kept); store.close()\n"
    )  # fmt: skip
    command = [sys.executable, "-c", code, str(embedded.folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as two:  # type: ignore[call-overload]
        assert [child.stdout.readline() for child in (one, two)] == ["ready\n"] * 2
        for child in (one, two):
            child.stdin.write("go\n")
            child.stdin.flush()
        kept = [int(child.communicate()[0]) for child in (one, two)]
    assert sum(kept) == 4000
    assert embedded.events()["event_id"].n_unique() == embedded.events().height == 4000


def test_a_writer_that_hangs_is_told_after_a_while(embedded: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretail.data.stores.writer.PATIENCE_SECONDS", 0.05)
    other = FileLock(embedded.folder / "write.lock")
    other.wait(1)
    with pytest.raises(StoreError, match=r"held by another process.*STOR-05"):
        embedded.append([event(1)])
    other.close()
    assert embedded.append([event(1)]) == [True]
