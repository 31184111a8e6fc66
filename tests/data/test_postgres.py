"""PostgreSQL as a source, against a throw-away cluster."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from paretail.core.errors import DataError
from paretail.data.config import DataConfig, Source
from paretail.data.ingest import ingest
from paretail.data.sources import postgres, read

TABLES = """
create table sales (id bigint, customer uuid, sku text, what text, at timestamptz, price numeric(10, 2), qty int,
                    tags text[], seen float8[], extra jsonb);
insert into sales
select n, ('00000000-0000-0000-0000-' || lpad((n % 7)::text, 12, '0'))::uuid, 'sku' || n % 5,
       case when n % 3 = 0 then 'sale' else 'view' end, timestamptz '2024-01-01 10:00+01' + n * interval '1 hour',
       2.55, 2, array['a', 'b'], array[0.5, 1], '{"k": 1}'
from generate_series(1, 210) as n;
insert into sales (id, sku, what) values (211, null, 'sale');
"""


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


def _as_another(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return (
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command] if os.geteuid() == 0 else command
    )


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here: initdb and pg_ctl were not found")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL refuses to run as root, and setpriv was not found")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    run = {"check": True, "capture_output": True, "timeout": 60, "cwd": folder}
    subprocess.run(
        _as_another([str(binaries / "initdb"), "-D", "db", "-U", "shop", "-A", "trust", "-E", "UTF8", "-N"]), **run
    )
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    start = _as_another([str(binaries / "pg_ctl"), "-D", "db", "-w", "-l", "log", "-o", options, "start"])
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=folder)
    try:
        address = f"postgresql://shop@/postgres?host={folder}"
        import psycopg

        with psycopg.connect(address) as connection:
            connection.execute(TABLES.encode())
        yield address
    finally:
        subprocess.run(_as_another([str(binaries / "pg_ctl"), "-D", "db", "-m", "immediate", "stop"]), **run)
        shutil.rmtree(folder, ignore_errors=True)


def test_types_arrive_as_they_are(url: str) -> None:
    frame = read(Source(url=url, query="select * from sales order by id;"), Path()).frame
    assert frame.height == 211
    row = frame.row(2, named=True)
    assert row["customer"] == "00000000-0000-0000-0000-000000000003"
    assert row["price"] == "2.55"
    assert (row["qty"], row["tags"], row["seen"], row["extra"]) == (2, ["a", "b"], [0.5, 1.0], '{"k": 1}')
    assert row["at"].isoformat() == "2024-01-01T12:00:00+00:00"
    assert read(Source(url=url, query="select * from sales"), Path(), 5).frame.height == 5


def test_rows_are_streamed_in_batches(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "BATCH", 50)
    frame = read(Source(url=url, query="select id from sales order by id"), Path()).frame
    assert frame["id"].to_list() == list(range(1, 212))


def test_a_shop_is_imported_from_a_database(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB", url)
    columns = {"user_id": "customer", "item_id": "sku", "event": "what", "ts": "at", "quantity": "qty"}
    query = "select customer, sku, what, at, price, qty from sales order by id"
    config = DataConfig.parse({"events": {"url": "$SHOP_DB", "query": query}, "columns": {"events": columns}})
    imported = ingest(config, tmp_path, quarantine=tmp_path / "bad")
    assert imported.report.total("events").imported == 210
    assert dict(imported.report.total("events").quarantined) == {"missing_user_id": 1}
    events = imported.shop.events.frame
    assert events.filter(pl.col("kind") == "purchase")["price_minor"].unique().to_list() == [255]
    assert events["ts_ms"][0] == 1_704_099_600_000 + 3_600_000
    assert "query 'select customer" in (tmp_path / "bad" / "events.csv").read_text()


def test_a_query_that_fails_tells_why_and_keeps_the_password(url: str) -> None:
    with pytest.raises(DataError, match=r"nothing_there.*DATA-06"):
        read(Source(url=url, query="select * from nothing_there"), Path())
    with pytest.raises(DataError) as caught:
        read(Source(url="postgresql://me:secret@127.0.0.1:1/x", query="select 1"), Path())
    assert "secret" not in str(caught.value)


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(DataError, match=r"paretail\[postgres\]"):
        read(Source(url="postgresql://localhost/x", query="select 1"), Path())
