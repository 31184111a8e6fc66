"""A stored shop is read back as it was, and nothing else is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretail.core.errors import DataError, UsageError
from paretail.data.ingest import Examined
from paretail.data.store import check_free, read_shop, write_import, write_shop
from paretail.data.types import Shop


def test_what_is_written_is_read_back(
    looked_at: Callable[..., Examined], healthy: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    items = [{"item_id": f"i{n}", "category": "A > B", "emb": [0.5, 1.0], "price": 2.0} for n in range(20)]
    found = looked_at(healthy(), items=items, time="seconds", currency="GBP", timezone="Europe/London")
    shop = found.shop()
    write_shop(shop, tmp_path / "a")
    write_import(found, tmp_path / "b")
    for folder in ("a", "b"):
        again = read_shop(tmp_path / folder)
        assert (again.currency, again.timezone, again.events.time) == ("GBP", "Europe/London", "clock")
        for name in ("events", "catalogue", "users", "links"):
            frame = getattr(shop, name).frame
            assert getattr(again, name).frame.equals(frame)
            assert getattr(again, name).frame.schema == frame.schema
    report = json.loads((tmp_path / "b" / "report.json").read_text())
    assert [account["imported"] for account in report["accounts"]] == [2400, 20]
    assert (tmp_path / "b" / "quarantine" / "summary.json").is_file()
    assert (tmp_path / "a" / "events.parquet").read_bytes() == (tmp_path / "b" / "events.parquet").read_bytes()


def test_empty_tables_keep_their_id_columns(looked_at: Callable[..., Examined], tmp_path: Path) -> None:
    found = looked_at([{"user_id": f"u{n % 5}", "item_id": f"i{n % 4}", "event": "view"} for n in range(40)])
    shop = found.shop()
    empty = Shop(shop.events)
    assert shop.catalogue.frame.equals(empty.catalogue.frame)
    assert shop.users.frame.schema == empty.users.frame.schema
    assert shop.links.frame.schema == empty.links.frame.schema


def test_what_is_no_shop_is_refused(looked_at: Callable[..., Examined], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="DATA-13"):
        read_shop(tmp_path)
    shop = looked_at([{"user_id": f"u{n % 5}", "item_id": f"i{n % 4}", "event": "view"} for n in range(40)]).shop()
    write_shop(shop, tmp_path / "s")
    manifest = tmp_path / "s" / "shop.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(DataError, match="format 2"):
        read_shop(tmp_path / "s")
    manifest.write_text(manifest.read_text().replace('"format": 2', '"format": 1'))
    (tmp_path / "s" / "events.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="DATA-13"):
        read_shop(tmp_path / "s")


def test_only_an_import_is_ever_replaced(looked_at: Callable[..., Examined], tmp_path: Path) -> None:
    found = looked_at([{"user_id": f"u{n % 5}", "item_id": f"i{n % 4}", "event": "view"} for n in range(40)])
    folder = tmp_path / "s"
    check_free(folder, force=False)
    write_import(found, folder)
    with pytest.raises(UsageError, match="--force"):
        check_free(folder, force=False)
    check_free(folder, force=True)
    write_import(found, folder)
    with pytest.raises(UsageError, match="--out"):
        check_free(tmp_path, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.parquet", "s"]


def test_an_interrupted_write_leaves_nothing(
    looked_at: Callable[..., Examined], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = looked_at([{"user_id": f"u{n % 5}", "item_id": f"i{n % 4}", "event": "view"} for n in range(40)])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("paretail.data.store.write_quarantine", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_import(found, tmp_path / "s")
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]
