"""Files and folders are whole or absent, whatever happens on the way."""

from pathlib import Path

import pytest

from paretail.core.files import atomic_file, atomic_folder, check_writable, folder_aside, settle


def write_half(path: Path, failure: type[BaseException]) -> None:
    path.write_text("new, half")
    raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(failure), atomic_file(path) as aside:
        write_half(aside, failure)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "er" / "a.txt"
    with atomic_file(path) as aside:
        aside.write_text("x")
        assert not path.exists()
    assert path.read_text() == "x"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "a") as aside:
        write_half(aside / "one", KeyboardInterrupt)
    assert not list(tmp_path.iterdir())
    with atomic_folder(tmp_path / "a") as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "one").write_text("1")
    assert (tmp_path / "a" / "deep" / "one").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_does_not_replace_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").touch()
    with pytest.raises(OSError, match=r"a"), atomic_folder(tmp_path / "a") as aside:
        (aside / "one").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "mine"]


def test_what_stands_aside_is_removed_unless_it_settles(tmp_path: Path) -> None:
    with folder_aside(tmp_path) as aside:
        assert aside.name.startswith(".")
    with folder_aside(tmp_path) as aside:
        settle(aside, tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_where_nothing_can_be_made_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for path in ("file", "new", "new/er/a", "."):
        check_writable(tmp_path / path)
    with pytest.raises(NotADirectoryError, match="file"):
        check_writable(tmp_path / "file" / "a")
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    for path in ("file", "new/er/a"):
        with pytest.raises(PermissionError, match="Permission denied"):
            check_writable(tmp_path / path)
