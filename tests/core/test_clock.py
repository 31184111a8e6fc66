"""Time zones are IANA names, and the clock counts milliseconds."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from paretail.core.clock import DAY_MS, now_ms, zone
from paretail.core.errors import ConfigError


def test_now_is_in_milliseconds() -> None:
    before = time.time()
    assert before * 1000 - 1 <= now_ms() <= time.time() * 1000
    assert timedelta(milliseconds=DAY_MS) == timedelta(days=1)


def test_a_zone_knows_its_clock() -> None:
    summer = datetime(2025, 7, 1, tzinfo=UTC).astimezone(zone("Europe/Berlin"))
    assert summer.utcoffset() == timedelta(hours=2)


def test_an_unknown_zone_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'Europe/Berlim' is unknown.*'Europe/Berlin'.*CONF-04"):
        zone("Europe/Berlim")
    with pytest.raises(ConfigError, match=r"'\?\?\?' is unknown.*IANA list"):
        zone("???")
