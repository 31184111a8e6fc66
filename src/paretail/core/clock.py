"""Time: milliseconds since the epoch, UTC, read at the edges only."""

import time
from zoneinfo import ZoneInfo, available_timezones

from paretail.core.errors import ConfigError, Problem, nearest

DAY_MS = 86_400_000


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def zone(name: str) -> ZoneInfo:
    """Return the time zone `name` (IANA), or raise ConfigError with the nearest name."""
    if name not in available_timezones():
        close = nearest(name, available_timezones())
        hint = close[close.find("; ") + 2 :] if "; " in close else "see the IANA list of time zones"
        raise ConfigError(
            Problem("CONF-04", f"time zone {name!r} is unknown", f"An IANA name; {hint}", "Set [data] timezone")
        )
    return ZoneInfo(name)
