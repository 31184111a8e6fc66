"""Every source gives the same rows, with the file and the line of each."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretail.core.errors import DataError, ParetailError
from paretail.data.config import Source
from paretail.data.sources import SOURCES, locate, read
from paretail.data.sources.raw import FILE, LINE, Raw

ROWS = [("007", "i1", "view", "1.5"), ("u2", "i,2", "buy", None)]
HEADER = "user_id,item_id,event,price\n"
CSV = HEADER + '007,i1,view,1.5\nu2,"i,2",buy,\n'


def cells(raw: Raw) -> list[tuple[Any, ...]]:
    return raw.frame.select("user_id", "item_id", "event", "price").rows()


def places(raw: Raw) -> list[tuple[str, int]]:
    return raw.frame.select(pl.col(FILE).cast(pl.String), LINE).rows()


def lines(rows: list[tuple[Any, ...]]) -> str:
    names = ("user_id", "item_id", "event", "price")
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)


def write(folder: Path, name: str) -> None:
    path = folder / name
    frame = pl.DataFrame(ROWS, ["user_id", "item_id", "event", "price"], orient="row")
    content: dict[str, bytes] = {
        "a.csv": CSV.encode(),
        "a.csv.gz": gzip.compress(CSV.encode()),
        "bom.csv": b"\xef\xbb\xbf" + CSV.encode(),
        "a.tsv": CSV.replace('"i,2"', "#").replace(",", "\t").replace("#", "i,2").encode(),
        "semicolon.csv": CSV.replace('"i,2"', "#").replace(",", ";").replace("#", "i,2").encode(),
        "windows.csv": CSV.replace("\n", "\r\n").encode(),
        "a.jsonl": lines(ROWS).encode(),
        "a.jsonl.gz": gzip.compress(lines(ROWS).encode()),
        "a.json": json.dumps([json.loads(line) for line in lines(ROWS).splitlines()]).encode(),
        "lines.json": lines(ROWS).encode(),
    }
    if name.endswith(".parquet"):
        frame.write_parquet(path)
    else:
        path.write_bytes(content[name])


@pytest.mark.parametrize(
    "name",
    ["a.parquet", "a.csv", "a.csv.gz", "bom.csv", "a.tsv", "semicolon.csv", "windows.csv", "a.jsonl", "a.jsonl.gz",
     "a.json", "lines.json"],
)  # fmt: skip
def test_the_same_rows_from_every_form(name: str, tmp_path: Path) -> None:
    write(tmp_path, name)
    raw = read(Source(path=name), tmp_path)
    assert cells(raw) == ROWS
    assert places(raw) == [(name, 1), (name, 2)]
    assert cells(read(Source(path=name), tmp_path, 1)) == ROWS[:1]


def test_folders_globs_and_lists_of_files(tmp_path: Path) -> None:
    (tmp_path / "log" / "deep").mkdir(parents=True)
    (tmp_path / "log" / ".hidden").mkdir()
    for place in ("log/b.csv", "log/a.csv", "log/deep/c.csv", "log/.hidden/d.csv"):
        (tmp_path / place).write_text(CSV)
    (tmp_path / "log" / "README.md").write_text("not data")
    named = [str(file.relative_to(tmp_path)) for file in locate("log", tmp_path)]
    assert named == ["log/a.csv", "log/b.csv", "log/deep/c.csv"]
    assert places(read(Source(path="log/*.csv"), tmp_path)) == [
        ("log/a.csv", 1), ("log/a.csv", 2), ("log/b.csv", 1), ("log/b.csv", 2),
    ]  # fmt: skip
    assert read(Source(path="log"), tmp_path).frame.height == 6


def test_files_with_other_columns_are_joined(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("user_id,item_id\nu,i\n")
    (tmp_path / "2.csv").write_text("user_id,extra\nv,x\n")
    frame = read(Source(path="*.csv"), tmp_path).frame
    assert frame.select("user_id", "item_id", "extra").rows() == [("u", "i", None), ("v", None, "x")]


def test_lines_that_do_not_fit_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "u1,i1,view,1\nu2,i2,view,1,too,many\nu3,i3\nu4,i4,view,2\n")
    raw = read(Source(path="a.csv"), tmp_path)
    assert cells(raw) == [("u1", "i1", "view", "1"), ("u3", "i3", None, None), ("u4", "i4", "view", "2")]
    assert [line for _, line in places(raw)] == [1, 3, 4]
    assert raw.broken.select(pl.col(FILE).cast(pl.String), LINE, "reason", "row").rows() == [
        ("a.csv", 2, "too_many_cells", "u2,i2,view,1,too,many")
    ]


def test_lines_that_are_no_json_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(ROWS) + "not json\n[1]\n" + lines(ROWS[:1]))
    raw = read(Source(path="a.jsonl"), tmp_path)
    assert cells(raw) == [*ROWS, ROWS[0]]
    assert [line for _, line in places(raw)] == [1, 2, 5]
    assert raw.broken.select(LINE, "reason", "row").rows() == [(3, "not_json", "not json"), (4, "not_json", "[1]")]


def test_another_encoding_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("user_id,item_id,event,price\nJosé,i,view,1\n".encode("cp1252"))
    assert cells(read(Source(path="a.csv", encoding="cp1252"), tmp_path))[0][0] == "José"
    assert cells(read(Source(path="a.csv"), tmp_path))[0][0] == "Jos\ufffd"


def test_a_file_without_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("u1\ti1\tview\t5\n")
    names = ["user_id", "item_id", "event", "price"]
    raw = read(Source(path="a.csv", header=names, separator="\t"), tmp_path)
    assert cells(raw) == [("u1", "i1", "view", "5")]
    assert places(raw) == [("a.csv", 1)]


@pytest.mark.parametrize("content", ["", HEADER])
def test_a_file_without_rows_has_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert read(Source(path="a.csv"), tmp_path).frame.height == 0


def test_recbole_files_carry_types(tmp_path: Path) -> None:
    (tmp_path / "a.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t4\t9.5e8\n")
    (tmp_path / "a.item").write_text("item_id:token\tgenres:token_seq\temb:float_seq\n2\tx y\t0.5 1\n")
    (tmp_path / "a.link").write_text("source_id:token\ttarget_id:token\n1\t2\n")
    inter = read(Source(path="a.inter"), tmp_path).frame
    assert inter.select("user_id", "item_id", "rating", "ts").rows() == [("1", "2", 4.0, 9.5e8)]
    item = read(Source(path="a.item"), tmp_path).frame
    assert item.select("genres", "emb").rows() == [(["x", "y"], [0.5, 1.0])]
    assert read(Source(path="a.link"), tmp_path).frame.select("user_id", "friend_id").rows() == [("1", "2")]


def test_a_recbole_header_without_types_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.inter").write_text("user_id\titem_id:toke\n1\t2\n")
    with pytest.raises(DataError, match="DATA-04"):
        read(Source(path="a.inter"), tmp_path)


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ({"path": "evnts.csv"}, "DATA-01", "events.csv"),
        ({"path": "nowhere/*.csv"}, "DATA-01", "is no folder"),
        ({"path": "events.xls"}, "DATA-03", ".csv"),
        ({"path": "events.csv", "format": "parquett"}, "CONF-08", "did you mean 'parquet'"),
        ({"path": "events.csv", "format": "parquet"}, "DATA-02", "events.csv"),
        ({"path": "broken.json"}, "DATA-02", "JSON"),
        ({"url": "postgresql://localhost/$NO_SUCH_VARIABLE", "query": "select 1"}, "DATA-06", "NO_SUCH_VARIABLE"),
    ],
)
def test_what_cannot_be_read_is_told(source: dict[str, str], code: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(CSV)
    (tmp_path / "events.xls").write_text("?")
    (tmp_path / "broken.json").write_text('{"a": ')
    with pytest.raises(ParetailError) as caught:
        read(Source(**source), tmp_path)
    assert caught.value.problems[0].code == code
    assert says in str(caught.value)


def test_every_source_says_what_it_is() -> None:
    assert set(SOURCES) == {
        "parquet", "csv", "jsonl", "recbole", "postgres", "store", "store_items", "store_users",
    }  # fmt: skip
    assert all(reader.__doc__ for reader in SOURCES.values())
