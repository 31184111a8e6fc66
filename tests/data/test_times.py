"""Times in every form that shops write become milliseconds UTC."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretail.data.config import Unit
from paretail.data.times import as_ts_ms, unit_of

NOON_MS = int(datetime(2024, 6, 1, 12, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        ([NOON_MS // 1000], "seconds"),
        ([NOON_MS], "milliseconds"),
        ([NOON_MS * 1000], "microseconds"),
        ([NOON_MS * 1_000_000], "nanoseconds"),
        ([str(NOON_MS // 1000)], "seconds"),
        ([NOON_MS / 1000], "seconds"),
        ([f"{NOON_MS / 1000:.1f}"], "seconds"),
        (["2024-06-01 12:00:00"], "datetime"),
        (["2024-06-01T12:00:00Z"], "datetime"),
        (["2024-06-01T14:00:00+02:00"], "datetime"),
        (["2024-06-01 12:00:00.000000+00:00"], "datetime"),
        (["2024-06-01 12:00:00 UTC"], "datetime"),
        (["2024-06-01T12:00:00.000"], "datetime"),
        (["2024/06/01 12:00"], "datetime"),
        ([datetime(2024, 6, 1, 12)], "datetime"),
        ([datetime(2024, 6, 1, 12, tzinfo=UTC)], "datetime"),
    ],
)
def test_the_same_moment_in_every_form(cells: list[object], unit: Unit) -> None:
    assert as_ts_ms(pl.Series(cells), unit, "UTC").to_list() == [NOON_MS]
    assert unit_of(pl.Series(cells)) == unit


def test_a_form_of_the_shops_own() -> None:
    cells = pl.Series(["01.06.2024 12:00", "02.06.2024 12:00", "soon"])
    assert as_ts_ms(cells, "datetime", "UTC", "%d.%m.%Y %H:%M").to_list() == [NOON_MS, NOON_MS + 86_400_000, None]


def test_dates_begin_at_midnight_of_the_shop() -> None:
    midnight = int(datetime(2024, 6, 1, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    for cells in ([date(2024, 6, 1)], ["2024-06-01"]):
        assert as_ts_ms(pl.Series(cells), "datetime", "Europe/Berlin").to_list() == [midnight]


def test_the_hour_that_summer_time_skips_counts_an_hour_later() -> None:
    skipped = pl.Series([datetime(2024, 3, 31, 2, 30), datetime(2024, 3, 31, 3, 30), None])
    read = as_ts_ms(skipped, "datetime", "Europe/Berlin").to_list()
    assert read[0] == read[1] == int(datetime(2024, 3, 31, 1, 30, tzinfo=UTC).timestamp() * 1000)
    assert read[2] is None


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)), st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"])
)
def test_local_times_agree_with_the_standard_library(moment: datetime, zone: str) -> None:
    moment = moment.replace(microsecond=0)
    there = moment.replace(tzinfo=ZoneInfo(zone))
    if there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment:
        there = (moment + timedelta(hours=1)).replace(tzinfo=ZoneInfo(zone))
    expected = int(there.astimezone(UTC).timestamp() * 1000)
    assert as_ts_ms(pl.Series([moment]), "datetime", zone).to_list() == [expected]


def test_orders_stay_as_they_are_and_garbage_is_null() -> None:
    assert as_ts_ms(pl.Series([3, 1, 2]), "order", "UTC").to_list() == [3, 1, 2]
    assert as_ts_ms(pl.Series(["3", "x", None]), "order", "UTC").to_list() == [3, None, None]
    assert as_ts_ms(pl.Series(["soon"]), "datetime", "UTC").to_list() == [None]
    assert as_ts_ms(pl.Series([2**62, 5]), "seconds", "UTC").to_list() == [None, 5000]


def test_small_numbers_look_like_an_order_and_words_like_nothing() -> None:
    assert unit_of(pl.Series([0, 86_400, 172_800])) == "order"
    assert unit_of(pl.Series(["soon", "later"])) is None
    assert unit_of(pl.Series([None, None], dtype=pl.String)) is None
