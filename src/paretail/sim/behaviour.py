"""What users do in the demo shop: sessions, what was shown, looks, carts, orders, repeat purchases, refunds.

A session begins with one slate of `slots` items. Each slot draws from its own shelf, a fixed part of the catalogue,
and the slots are put in random order: so no item is shown twice, and the chance of every item at every position is
known exactly. Then the user opens pages unasked. An item that is not on sale at the moment leaves its place empty.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paretail.core.clock import DAY_MS
from paretail.core.ids import Rows
from paretail.sim.truth import SimConfig, Times, Truth, Values

Mask = NDArray[np.bool_]
_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60 * _SECOND_MS
#: Monday to Sunday, and midnight to eleven at night: how much of the traffic falls there.
_WEEK: Final = np.array([0.95, 0.92, 0.93, 0.96, 1.02, 1.12, 1.20])
_DAY: Final = np.array(
    [
        *(1.2, 0.6, 0.3, 0.2, 0.2, 0.4, 1.0, 2.2, 3.4, 4.2, 4.8, 5.0),
        *(5.4, 5.0, 4.6, 4.6, 5.0, 5.6, 6.4, 7.4, 8.2, 7.6, 5.2, 2.8),
    ]
)
#: A session is over within this time, so that every event lies within the log.
_LONGEST_MS: Final = 36 * _MINUTE_MS
#: Users whose pages are drawn at once: bounds the memory of users x items.
_BLOCK: Final = 256


@dataclass(frozen=True, eq=False)
class Log:
    """Events of one kind; `request`, `position`, `order` are -1 where there is none, `propensity` NaN."""

    user: Rows
    item: Rows
    ts_ms: Times
    request: Times
    position: Rows
    propensity: Values
    order: Times
    quantity: Values

    @classmethod
    def of(cls, user: Rows, item: Rows, ts_ms: Times) -> "Log":
        """Return events without request, position and order, of one unit each."""
        n = len(user)
        nothing = np.full(n, -1, dtype=np.int64)
        return cls(user, item, ts_ms, nothing, nothing.astype(np.int32), np.full(n, np.nan), nothing, np.ones(n))

    def pick(self, rows: NDArray[np.integer] | Mask) -> "Log":
        """Return the events `rows`."""
        return Log(*(column[rows] for column in vars(self).values()))

    def but(self, **columns: NDArray[np.generic]) -> "Log":
        """Return the events with some columns replaced."""
        return Log(**{**vars(self), **columns})

    def __add__(self, other: "Log") -> "Log":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Log(*(np.concatenate(pair) for pair in pairs))

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, eq=False)
class Sessions:
    """Who came when, earliest first; the row of a session is its number."""

    user: Rows
    start_ms: Times


def sessions(truth: Truth, rng: np.random.Generator) -> Sessions:
    """Draw as many sessions as make about the wanted number of events."""
    config = truth.config
    count = max(1, round(config.events / _events_a_session(config)))
    share = truth.people.activity / truth.people.activity.sum()
    first = int((config.start_ms // DAY_MS + 3) % 7)  # 1970-01-01 was a Thursday
    week = _WEEK[(first + np.arange(config.days)) % 7]
    day = rng.choice(config.days, count, p=week / week.sum())
    hour = rng.choice(24, count, p=_DAY / _DAY.sum())
    start = config.start_ms + day * DAY_MS + ((hour + rng.random(count)) * DAY_MS / 24).astype(np.int64)
    user = rng.choice(config.users, count, p=share).astype(np.int32)
    return Sessions(user, np.sort(np.minimum(start, config.end_ms - _LONGEST_MS)))


def impressions(truth: Truth, visits: Sessions, rng: np.random.Generator) -> Log:
    """Draw the slate of each session by the logging policy; the session's number is the request's."""
    slots, items = truth.config.slots, truth.config.items
    by_shelf = np.argsort(truth.goods.shelf, kind="stable")
    ladder = np.cumsum(truth.shown[:, by_shelf] * slots, axis=1)  # shelf s covers (s, s + 1]
    ladder += slots * np.arange(len(ladder))[:, None]
    audience = truth.people.audience[visits.user]
    shelf = np.argsort(rng.random((len(visits.user), slots)), axis=1)
    aim = slots * audience[:, None] + shelf + rng.random(shelf.shape)
    at = np.searchsorted(ladder.ravel(), aim.ravel()) - items * np.repeat(audience, slots)
    item = by_shelf[np.clip(at, 0, items - 1)].astype(np.int32)
    user = np.repeat(visits.user, slots)
    shown = Log.of(user, item, np.repeat(visits.start_ms, slots)).but(
        request=np.repeat(np.arange(len(visits.user)), slots),
        position=np.tile(np.arange(1, slots + 1, dtype=np.int32), len(visits.user)),
        propensity=truth.shown[truth.people.audience[user], item],
    )
    return shown.pick(_on_sale(truth, shown))


def clicks(truth: Truth, shown: Log, rng: np.random.Generator) -> Log:
    """Draw the clicks on what was shown."""
    chance = truth.p_click(shown.user, shown.item) * truth.bias[shown.position - 1]
    clicked = shown.pick(rng.random(len(shown)) < chance)
    wait = 2 * _SECOND_MS + clicked.position * _SECOND_MS + rng.exponential(15 * _SECOND_MS, len(clicked))
    return clicked.but(ts_ms=clicked.ts_ms + wait.astype(np.int64))


def views(truth: Truth, visits: Sessions, rng: np.random.Generator) -> tuple[Log, Times]:
    """Draw the pages opened unasked, and the number of the session of each."""
    count = rng.poisson(truth.config.looks, len(visits.user))
    session = np.repeat(np.arange(len(count)), count)
    user = visits.user[session]
    aim, item = rng.random(len(user)), np.empty(len(user), dtype=np.int32)
    order = np.argsort(user, kind="stable")
    for first in range(0, truth.config.users, _BLOCK):
        rows = np.arange(first, min(first + _BLOCK, truth.config.users), dtype=np.int32)
        mine = order[np.searchsorted(user[order], first) : np.searchsorted(user[order], first + _BLOCK)]
        item[mine] = _draw(truth.p_look(rows), user[mine] - first, aim[mine])
    wait = 20 * _SECOND_MS + rng.integers(20 * _MINUTE_MS, size=len(user))
    seen = Log.of(user, item, visits.start_ms[session] + wait)
    there = _on_sale(truth, seen)
    return seen.pick(there), session[there]


def decide(truth: Truth, looks: Log, session: Times, rng: np.random.Generator) -> tuple[Mask, Mask, Mask]:
    """Return which looks happen at all, which of them end in a purchase, and which in a cart without one.

    The first success of a pair is its purchase; looks at an item that already lies in the basket of the same session
    do not happen, and later ones never end in a purchase (buying again has its own rhythm, see `again`).
    """
    chance = truth.p_purchase(looks.user, looks.item)
    lucky, tempted = rng.random(len(looks)) < chance, rng.random(len(looks)) < 0.04 + 0.4 * chance
    pair = looks.user.astype(np.int64) * truth.config.items + looks.item
    when = np.argsort(looks.ts_ms, kind="stable")
    first = when[lucky[when]][np.unique(pair[when[lucky[when]]], return_index=True)[1]]
    bought = np.zeros(len(looks), dtype=bool)
    bought[first] = True
    sold = first[np.argsort(pair[first])]
    at = np.searchsorted(pair[sold], pair).clip(max=max(len(sold) - 1, 0))
    sale = sold[at] if len(sold) else np.zeros(len(looks), dtype=np.int64)
    after = (pair[sale] == pair) & (looks.ts_ms >= looks.ts_ms[sale]) & ~bought if len(sold) else bought
    in_basket = after & (session == session[sale])
    return ~in_basket, bought, tempted & ~bought & ~after


def again(truth: Truth, bought: Log, rng: np.random.Generator) -> Log:
    """Draw the repeat purchases of things used up: after each purchase, with chance `repeats`, one cycle later."""
    repeats, last = bought.pick(np.zeros(len(bought), dtype=bool)), bought
    while len(last):
        days = truth.goods.cycle_days[last.item] * rng.gamma(8.0, 1 / 8, len(last))
        comes = (rng.random(len(last)) < truth.config.repeats) & ~np.isnan(days)
        last, days = last.pick(comes), days[comes]
        last = Log.of(last.user, last.item, last.ts_ms + (days * DAY_MS).astype(np.int64))
        last = last.pick((last.ts_ms < truth.config.end_ms) & _on_sale(truth, last))
        repeats = repeats + last
    return repeats


def quantities(truth: Truth, bought: Log, rng: np.random.Generator) -> Values:
    """Draw how many units each purchase has; the mean is that of `Truth.value`."""
    units = np.where(np.isnan(truth.goods.cycle_days), 0.2, 1.0)[bought.item]
    return np.asarray(1.0 + rng.poisson(truth.people.more[bought.user] * units))


def refunds(truth: Truth, bought: Log, rng: np.random.Generator) -> Log:
    """Draw which purchases are sent back whole, three to fourteen days later."""
    back = bought.pick(rng.random(len(bought)) < truth.config.refunds)
    back = back.but(ts_ms=back.ts_ms + rng.integers(3 * DAY_MS, 14 * DAY_MS, len(back)))
    return back.pick(back.ts_ms < truth.config.end_ms)


def _draw(chance: NDArray[np.float64], row: Rows, aim: Values) -> Rows:
    """Draw one column of `chance[row]` for each `aim` in [0, 1)."""
    ladder = np.cumsum(chance, axis=1)
    ladder = ladder / ladder[:, -1:] + np.arange(len(chance))[:, None]
    at = np.searchsorted(ladder.ravel(), row + aim, side="right") - row.astype(np.int64) * chance.shape[1]
    return np.asarray(np.clip(at, 0, chance.shape[1] - 1), dtype=np.int32)


def _on_sale(truth: Truth, log: Log) -> Mask:
    goods = truth.goods
    return np.asarray((goods.created_ms[log.item] <= log.ts_ms) & (log.ts_ms < goods.gone_ms[log.item]))


def _events_a_session(config: SimConfig) -> float:
    """Measured over seeds: 0.96 of the places are filled, 0.08 of them clicked, 0.97 of the pages on sale; each look
    brings 0.2 carts, purchases and refunds.
    """
    looks = 0.08 * config.slots + 0.97 * config.looks
    return 0.96 * config.slots + 1.2 * looks
