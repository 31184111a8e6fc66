"""Amounts: prices as whole minor units of the reporting currency."""

from typing import Any

import polars as pl

from paretail.core.money import minor_per_major
from paretail.data.cells import as_number, as_text
from paretail.data.config import DataConfig, Source


def price_minor(
    price: pl.Series, currency: pl.Series | None, source: Source[Any], config: DataConfig
) -> tuple[pl.Series, pl.Series]:
    """Return (currency codes, prices in minor units of the reporting currency).

    A price in a currency without a rate is null: the check `mixed_currencies` refuses it. A row without a code is in
    the reporting currency.
    """
    number = as_number(price, source.decimal)
    if price.name == "price_minor":  # a column of our own says its unit
        config = config.model_copy(update={"amounts": "minor"})
    if currency is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(price)), _rounded(number * _unit(config, None))
    codes = as_text(currency).str.to_uppercase()
    factors = {code: _factor(code, config) for code in codes.unique().drop_nulls().to_list()}
    own = _unit(config, config.currency)
    factor = codes.replace_strict(list(factors), list(factors.values()), default=own, return_dtype=pl.Float64)
    return codes, _rounded(number * factor)


def without_rate(codes: pl.Series, config: DataConfig) -> pl.Series:
    """Return where a code is given for which `[data.rates]` has no rate."""
    return ~codes.is_in([config.currency, *config.rates]).fill_null(True)


def _factor(code: str, config: DataConfig) -> float | None:
    """Return reporting minor units for one unit of an amount given in `code`; None without a rate."""
    if code == config.currency:
        return _unit(config, code)
    rate = config.rates.get(code)
    if rate is None:
        return None
    foreign = minor_per_major(code) if config.amounts == "minor" else 1
    return rate * minor_per_major(config.currency) / foreign


def _unit(config: DataConfig, code: str | None) -> float:
    return 1.0 if config.amounts == "minor" else float(minor_per_major(code or config.currency))


def _rounded(minor: pl.Series) -> pl.Series:
    """Round half away from zero, after the noise of binary fractions is gone (1.005 * 100 = 100.49999...)."""
    near = minor.round(6)
    return ((near.abs() + 0.5).floor() * near.sign()).cast(pl.Int64, strict=False)
