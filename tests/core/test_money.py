"""Minor units, as ISO 4217 counts them."""

import pytest

from paretail.core.money import PLACES, minor_per_major


@pytest.mark.parametrize(("currency", "minor"), [("EUR", 100), ("USD", 100), ("JPY", 1), ("KWD", 1000)])
def test_minor_units(currency: str, minor: int) -> None:
    assert minor_per_major(currency) == minor


def test_only_exceptions_are_listed() -> None:
    assert set(PLACES.values()) == {0, 3}
    assert all(len(code) == 3 and code.isupper() for code in PLACES)
