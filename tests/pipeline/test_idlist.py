"""Users and items are named by all, by a file in any form, or one by one."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from paretail.core.errors import DataError, UsageError
from paretail.pipeline.idlist import read_ids

EVERYONE = pl.Series("id", ["u1", "u2", "u/3"])
CUT_OFF = gzip.compress(b"user_id\n" + b"u1\n" * 999, mtime=0)[:40]
COLUMNS = ["user_id", "customer"]


def ids(wanted: object) -> list[str]:
    found = read_ids(str(wanted), COLUMNS, EVERYONE)
    assert found.name == "user_id"
    assert found.dtype == pl.String
    return found.to_list()


def test_all_and_one() -> None:
    assert ids("all") == ["u1", "u2", "u/3"]
    assert ids("u2") == ["u2"]
    assert ids("u/3") == ["u/3"]
    assert ids("somebody") == ["somebody"]


def test_every_form_of_file(tmp_path: Path) -> None:
    table = pl.DataFrame({"x": [1, 2, 3, 4], "user_id": ["007", None, "u1", "007"]})
    table.write_csv(tmp_path / "a.csv")
    table.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    (tmp_path / "a.tsv").write_text("user_id\tx\n007\t1\nu1\t2\n")
    (tmp_path / "a.jsonl").write_text('{"user_id": "007"}\n{"user_id": "u1"}\n')
    (tmp_path / "a.txt").write_text("\ufeff007\n\n  u1 \n007\n")
    (tmp_path / "list").write_text("007\nu1")
    for path in sorted(tmp_path.iterdir()):
        assert ids(path) == ["007", "u1"], path.name


def test_numbers_are_ids(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [3, 1]}).write_parquet(tmp_path / "a.parquet")
    assert ids(tmp_path / "a.parquet") == ["3", "1"]


def test_the_shops_own_column_counts_and_ours_comes_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer\nc1\n")
    assert ids(tmp_path / "a.csv") == ["c1"]
    (tmp_path / "b.csv").write_text("customer,user_id\nc1,u1\n")
    assert ids(tmp_path / "b.csv") == ["u1"]


@pytest.mark.parametrize("path", ["none.csv", "none.parquet", "none.csv.gz", "none.txt", "no/where", ""])
def test_a_path_that_leads_nowhere_is_no_id(path: str) -> None:
    with pytest.raises(UsageError, match=r"is no file.*such as 'u1'.*CLI-01"):
        read_ids(path, COLUMNS, EVERYONE)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"user_id\n", "CLI-02"), ("a.txt", b" \n", "CLI-02"), ("a.csv", b"", "CLI-03"),
        ("a.csv", b"user\nu1\n", "CLI-03"), ("a.csv", bytes(range(256)), "CLI-03"),
        ("a.txt", bytes(range(256)), "DATA-02"), ("a.parquet", b"PAR1", "DATA-02"),
        ("a.csv.gz", b"\x1f\x8bx", "DATA-02"), ("a.csv.gz", CUT_OFF, "DATA-02"), ("a.jsonl.gz", CUT_OFF, "DATA-02"),
    ],
)  # fmt: skip
def test_a_file_without_ids_says_so(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=code):
        read_ids(str(tmp_path / name), COLUMNS, EVERYONE)
