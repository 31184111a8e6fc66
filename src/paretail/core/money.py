"""Money: whole minor units of one reporting currency inside, the shop's own amounts outside."""

from collections.abc import Mapping

#: Decimal places of the currencies that do not have two (ISO 4217).
PLACES: Mapping[str, int] = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0,
    "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip


def minor_per_major(currency: str) -> int:
    """Return how many minor units (cents) one unit of `currency` (ISO 4217 code) has."""
    return int(10 ** PLACES.get(currency, 2))
