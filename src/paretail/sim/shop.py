"""The demo shop: users with tastes and budgets, a catalogue that reads like one, and some weeks of events.

Everything follows from (config, seed). `World.truth` knows the exact chance of what happened, `World.shop` is what a
real shop would hand over. Row r of the truth is the r-th id of the shop's vocabularies.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.rng import rng_for
from paretail.data.types import EVENT_COLUMNS, Catalogue, Events, Shop, Users
from paretail.sim import behaviour
from paretail.sim.behaviour import Log
from paretail.sim.truth import NEVER, SimConfig, Truth, grow
from paretail.sim.words import LEAVES, titles

_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, eq=False)
class World:
    """A shop and the truth behind it."""

    config: SimConfig
    shop: Shop
    truth: Truth


def simulate(config: SimConfig | None = None, seed: int = 0) -> World:
    """Make a demo shop; the same configuration and seed give the same bytes."""
    config = config or SimConfig()
    truth = grow(config, rng_for("sim/truth", seed))
    logs = _happen(truth, seed)
    shop = Shop(Events(_frame(truth, logs), "clock"), _catalogue(truth, seed), _users(truth, seed))
    return World(config, shop, truth)


def _happen(truth: Truth, seed: int) -> dict[str, Log]:
    """Let the weeks pass: the events of each kind, in the order in which kinds follow at the same moment."""
    rng = {name: rng_for(f"sim/{name}", seed) for name in ("sessions", "shown", "clicks", "views", "orders", "later")}
    visits = behaviour.sessions(truth, rng["sessions"])
    shown = behaviour.impressions(truth, visits, rng["shown"])
    clicked = behaviour.clicks(truth, shown, rng["clicks"])
    viewed, view_session = behaviour.views(truth, visits, rng["views"])
    looks, session = clicked + viewed, np.concatenate([clicked.request, view_session])
    happens, bought, kept = behaviour.decide(truth, looks, session, rng["orders"])
    wait = (5_000 + rng["orders"].exponential(40_000, len(looks))).astype(np.int64)
    carted = looks.but(ts_ms=looks.ts_ms + wait)
    checkout = visits.start_ms + rng["orders"].integers(25 * _MINUTE_MS, 35 * _MINUTE_MS, len(visits.user))
    first = looks.but(order=session, ts_ms=checkout[session]).pick(bought)
    repeat = behaviour.again(truth, first, rng["later"])
    repeat = repeat.but(order=len(visits.user) + np.arange(len(repeat)))
    orders = first + repeat
    orders = orders.but(quantity=behaviour.quantities(truth, orders, rng["later"]))
    is_click = np.arange(len(looks)) < len(clicked)
    return {
        "impression": shown,
        "click": looks.pick(happens & is_click),
        "view": looks.pick(happens & ~is_click) + _before(repeat, 3),
        "cart": carted.pick(bought | kept) + _before(repeat, 1),
        "purchase": orders,
        "refund": behaviour.refunds(truth, orders, rng["later"]),
    }


def _before(repeat: Log, minutes: int) -> Log:
    """Return the look or cart that comes before each repeat purchase."""
    return Log.of(repeat.user, repeat.item, repeat.ts_ms - minutes * _MINUTE_MS)


def _frame(truth: Truth, logs: dict[str, Log]) -> pl.DataFrame:
    """Put the logs of all kinds into one table, by time; prices and quantities stand at purchases and refunds."""
    config = truth.config
    users, items = _ids("u", config.users), _ids("i", config.items)
    parts = []
    for kind, log in logs.items():
        priced = kind in ("purchase", "refund")
        parts.append(
            pl.DataFrame(
                {
                    "user_id": users.gather(log.user),
                    "item_id": items.gather(log.item),
                    "kind": pl.repeat(kind, len(log), eager=True, dtype=pl.String),
                    "ts_ms": log.ts_ms,
                    "order_id": _numbered("o", log.order if priced else np.full(len(log), -1)),
                    "quantity": pl.Series(log.quantity) if priced else _nothing(len(log), pl.Float64()),
                    "price_minor": truth.goods.price_minor[log.item] if priced else _nothing(len(log), pl.Int64()),
                    "request_id": _numbered("r", log.request),
                    "position": pl.Series(log.position).replace(-1, None),
                    "propensity": pl.Series(log.propensity, nan_to_null=True),
                }
            )
        )
    frame = pl.concat(parts).sort("ts_ms", maintain_order=True)
    frame = frame.with_columns(
        event_id=_numbered("e", np.arange(frame.height)), dwell_ms=_nothing(frame.height, pl.Int64())
    )
    return frame.select(list(EVENT_COLUMNS)).cast(EVENT_COLUMNS)  # type: ignore[arg-type]


def _catalogue(truth: Truth, seed: int) -> Catalogue:
    goods = truth.goods
    named, brand = titles(goods.leaf, rng_for("sim/words", seed))
    return Catalogue(
        pl.DataFrame(
            {
                "item_id": _ids("i", truth.config.items),
                "title": named,
                "category": [[LEAVES[row][0].name, LEAVES[row][1].name] for row in goods.leaf],
                "brand": brand,
                "price_minor": goods.price_minor,
                "margin": goods.margin,
                "in_stock": goods.gone_ms == NEVER,
                "created_ts_ms": goods.created_ms,
            }
        )
    )


def _users(truth: Truth, seed: int) -> Users:
    """Country and age lean on the audience, as they would."""
    rng, audience = rng_for("sim/users", seed), truth.people.audience
    noisy = np.where(rng.random(len(audience)) < 0.7, audience, rng.integers(12, size=len(audience)))
    country, age = np.array(["DE", "FR", "NL", "GB"]), np.array(["18-24", "25-34", "35-49", "50+"])
    joined = truth.config.start_ms - rng.integers(0, 900 * DAY_MS, len(audience))
    return Users(
        pl.DataFrame(
            {
                "user_id": _ids("u", len(audience)),
                "country": country[noisy % 4],
                "age_band": age[noisy // 3],
                "joined_ts_ms": joined,
            }
        )
    )


def _ids(letter: str, count: int) -> pl.Series:
    """Return ids whose order as text is their order as numbers."""
    return _numbered(letter, np.arange(count))


def _numbered(letter: str, number: NDArray[np.integer]) -> pl.Series:
    """Return `letter` and the number in eight digits, null where it is negative."""
    column = pl.Series("n", number)
    text = letter + column.cast(pl.String).str.zfill(8)
    return pl.select(pl.when(column >= 0).then(text)).to_series()


def _nothing(count: int, dtype: pl.DataType) -> pl.Series:
    return pl.repeat(None, count, dtype=dtype, eager=True)
