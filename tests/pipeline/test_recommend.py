"""Lists are written whole, in the order asked, in the columns promised."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.core.clock import DAY_MS, now_ms
from paretail.core.errors import UsageError
from paretail.data.types import History
from paretail.pipeline.recommend import check_k, check_out, joined, listed, recommend_to_file, told_why, write_table
from paretail.pipeline.recommender import Recommender, frame

from ..trained import DemoShop

TABLE = pl.DataFrame({"user_id": ["a"], "rank": [1]})


def history(users: list[list[int]], first_item: int = 0) -> History:
    """Build from each user's times; items count up over all events."""
    times = [ts for user in users for ts in sorted(user)]
    items = np.arange(first_item, first_item + len(times), dtype=np.int32)
    return History(
        np.cumsum([0, *map(len, users)]).astype(np.int64), items, np.zeros(len(times), np.uint8),
        np.array(times, np.int64), np.ones(len(times), np.float32), ("view",), "clock",
    )  # fmt: skip


USERS = st.lists(st.tuples(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5))), max_size=5)


@given(USERS)
def test_two_histories_join_in_order_of_time_and_the_second_comes_after(
    users: list[tuple[list[int], list[int]]],
) -> None:
    first, second = history([a for a, _ in users]), history([b for _, b in users], first_item=1000)
    both = joined(first, second)
    for user in range(len(users)):
        at = slice(both.indptr[user], both.indptr[user + 1])
        parts = [(h, slice(h.indptr[user], h.indptr[user + 1])) for h in (first, second)]
        events = [(ts, item) for h, part in parts for ts, item in zip(h.ts_ms[part], h.item_idx[part], strict=True)]
        assert list(zip(both.ts_ms[at], both.item_idx[at], strict=True)) == sorted(events)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_tables_by_their_ending(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / name
    write_table(TABLE, path)
    read = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    assert read.equals(TABLE)
    assert list(path.parent.iterdir()) == [path]


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("folder.csv", "a.xlsx", "a", "a.csv.gz"):
        with pytest.raises(UsageError, match="CLI-06"):
            check_out(tmp_path / name)
    check_out(tmp_path / "a.csv")


@pytest.mark.parametrize("k", [0, -1, 1001, 100_000])
def test_lengths_that_no_list_has(k: int) -> None:
    with pytest.raises(UsageError, match=f"-k {k}.*CLI-05"):
        check_k(k)


def test_what_is_wrong_is_told_before_the_bundle_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CLI-05"):
        recommend_to_file(tmp_path, "all", tmp_path / "a.csv", k=0)
    with pytest.raises(UsageError, match="CLI-06"):
        recommend_to_file(tmp_path, "all", tmp_path / "a.txt")


def test_users_are_answered_in_the_order_asked(shop: DemoShop, tmp_path: Path) -> None:
    wanted = ["u00000009", "nobody", "u00000002"]
    (tmp_path / "users.txt").write_text("\n".join(wanted))
    told = recommend_to_file(shop.bundle, str(tmp_path / "users.txt"), tmp_path / "a.parquet", k=3)
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert table.schema == {"user_id": pl.String, "rank": pl.Int32, "item_id": pl.String, "score": pl.Float32}
    assert table["user_id"].to_list() == [user for user in wanted for _ in range(3)]
    assert table["rank"].to_list() == [1, 2, 3] * 3
    assert (told["users"], told["rows"]) == (3, 9)


def test_old_items_are_in_no_list(shop: DemoShop, tmp_path: Path) -> None:
    born = Recommender.load(shop.bundle).catalogue.select("item_id", "created_ts_ms")
    days = (now_ms() - np.median(born["created_ts_ms"].to_numpy())) / DAY_MS
    for name, days_given in (("all.parquet", None), ("young.parquet", float(days))):
        recommend_to_file(shop.bundle, "all", tmp_path / name, k=100, max_age_days=days_given)
    listed = pl.read_parquet(tmp_path / "young.parquet")
    young = born.filter(pl.col("created_ts_ms").is_null() | (pl.col("created_ts_ms") >= now_ms() - days * DAY_MS))
    expected = pl.read_parquet(tmp_path / "all.parquet").filter(pl.col("item_id").is_in(young["item_id"].implode()))
    assert 0 < len(listed) < len(pl.read_parquet(tmp_path / "all.parquet"))
    assert listed.select("user_id", "item_id", "score").equals(expected.select("user_id", "item_id", "score"))


def test_reasons_stand_beside_their_item_and_user_whatever_the_order_of_rows(shop: DemoShop) -> None:
    """Slates of several settings come setting by setting, so that the rows of a user are not together."""
    recommender = Recommender.load(shop.bundle)
    user_ids = pl.Series(shop.users[:3])
    histories, known = recommender.history_of(user_ids), recommender.users.rows(user_ids)
    rows = frame(listed(recommender, histories, known, 6, ["none"]), user_ids, recommender.items)
    together = told_why(recommender, histories, user_ids, rows, ["none"])
    assert together["reason"].n_unique() > 6
    by_rank = told_why(recommender, histories, user_ids, rows.sort("rank", maintain_order=True), ["none"])
    assert by_rank.sort("user_id", "rank").equals(together.sort("user_id", "rank"))
