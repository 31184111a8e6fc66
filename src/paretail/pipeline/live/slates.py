"""Slates: lists composed for goals under rules of the whole, each line with what it is there for."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from math import isnan
from typing import Final
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import structlog
from msgspec import to_builtins
from numpy.typing import NDArray

from paretail.core.errors import ParetailError, Problem, UsageError
from paretail.core.ids import Rows
from paretail.core.rng import rng_for
from paretail.data.types import Predictions
from paretail.pipeline import hard_rules
from paretail.pipeline.explaining import position_in_words, pulled_in_words
from paretail.pipeline.live import bodies, ranked
from paretail.pipeline.live.asked import Asked
from paretail.pipeline.live.engine import Engine
from paretail.pipeline.live.ranked import Drawn
from paretail.pipeline.live.refits import Request
from paretail.pipeline.requests import SEGMENTS
from paretail.pipeline.steering import Steering
from paretail.policy import goals as spoken
from paretail.policy.compositions import How
from paretail.policy.dials import Setting
from paretail.policy.explore import draw
from paretail.policy.goals import Goals
from paretail.policy.newcomers import Belief
from paretail.policy.objectives.base import Values
from paretail.policy.pool import Pool
from paretail.policy.rules import Rules
from paretail.policy.slate import compose, pulls

#: Digits of goals' values in answers.
DIGITS: Final = 6
#: Digits of how far goals speak for an item.
PULL_DIGITS: Final = 3
#: The policy that chooses where no goals are asked: always the best first, so that every propensity is 1.
BEST_FIRST: Final = "best-first/1"
#: Askings of which is known that they were solved, and goals as they were read.
MOST_ASKED, MOST_READ = 10_000, 2000

log = structlog.get_logger()


def asked_goals(question: bodies.RecommendRequest) -> Goals | None:
    """Return the goals of a question, None for the base; raises PolicyError (POL-03)."""
    return None if question.goals is None else _read(msgspec.json.encode(question.goals))


@lru_cache(MOST_READ)
def _read(told: bytes) -> Goals:
    return spoken.read(msgspec.json.decode(told))


def check(asked: Asked, question: bodies.RecommendRequest) -> None:
    """Raise PolicyError for goals that cannot be followed, UsageError or PolicyError for rules that cannot be read.

    UsageError (POL-08) where a slate is asked for and an order beside.
    """
    if not ranked.is_slate(question):
        return
    if ranked.is_ordered(question):
        found = f"`goals` or `slate` beside the order {question.order!r}"
        raise UsageError(Problem("POL-08", found, "Expected one of them", "Leave out `order`: goals say what is best"))
    steering = asked.engine.recommender.steering
    steering.setting(asked_goals(question), asked.segment, question.k, _how(steering, question))
    hard_rules.check(question.slate or bodies.SlateRules(), asked.engine.shelf, next(iter(steering.samples.values())))


def solve(engine: Engine, question: bodies.RecommendRequest) -> None:
    """Solve what a question asks for every segment of users, ahead of the first who asks; raises PolicyError."""
    if ranked.is_slate(question):
        steering = engine.recommender.steering
        for segment in SEGMENTS:
            steering.setting(asked_goals(question), segment, question.k, _how(steering, question))


def is_solved(engine: Engine, question: bodies.RecommendRequest) -> bool:
    """Say whether what a question asks was solved, or refused, before; costs next to nothing."""
    return not ranked.is_slate(question) or _asking(question) in engine.solved


def solve_ahead(engine: Engine, question: bodies.RecommendRequest, segments: Sequence[str] = SEGMENTS) -> None:
    """Solve what a question asks for segments, beside the thread that answers; its answer says what cannot be."""
    with suppress(ParetailError):
        ranked.check_there(engine)
        steering, share = engine.recommender.steering, question.explore
        for segment in segments:
            with suppress(ParetailError):
                goals, how = asked_goals(question), _how(steering, question)
                steering.drawn(goals, segment, question.k, steering.config.explore if share is None else share, how)


def solve_for_all(engine: Engine, question: bodies.RecommendRequest) -> None:
    """Solve what a question asks for every segment; from then on `is_solved` says so."""
    if is_solved(engine, question):
        return
    solve_ahead(engine, question)
    if len(engine.solved) >= MOST_ASKED:
        engine.solved.clear()
    engine.solved.add(_asking(question))


def _asking(question: bodies.RecommendRequest) -> str:
    composition = None if question.slate is None else question.slate.composition
    return json.dumps([to_builtins(question.goals), question.k, composition, question.explore])


def listed(asked: Asked, drawn: Drawn, question: bodies.RecommendRequest, degraded: list[str],
           usual: bool = True) -> tuple[Rows, list[bodies.RecommendedItem], bodies.GoalsAnswer | None]:  # fmt: skip
    """Return the rows and lines of a list, with the forecast of a slate; dials are refitted on `usual` requests.

    Where composing fails, the retriever's list is served and `degraded` tells.
    """
    if not ranked.is_slate(question):
        return *ranked.listed(asked, drawn, question, degraded), None
    try:
        if drawn.told is not None:
            return slate(asked, ranked.learned(asked.engine, drawn.rows), drawn.told, question, degraded, usual)
        degraded.append("ranker")
    except Exception as error:  # the retriever's list is better than none
        log.error("slate_failed", version=asked.engine.version, exc_info=error)
        degraded.append("goals")
    return *ranked.plain(asked, drawn, question.k, degraded), None


def slate(asked: Asked, rows: Rows, told: Predictions, question: bodies.RecommendRequest, degraded: list[str],
          usual: bool = True) -> tuple[Rows, list[bodies.RecommendedItem], bodies.GoalsAnswer]:  # fmt: skip
    """Return the rows, lines and forecast of a slate from candidates `rows` and what the ranker tells of them."""
    engine, rules = asked.engine, question.slate or bodies.SlateRules()
    steering, segment = engine.recommender.steering, asked.segment
    share = steering.config.explore if question.explore is None else question.explore
    heat, setting = steering.drawn(asked_goals(question), segment, question.k, share, _how(steering, question))
    if not len(rows):
        return (
            rows,
            [],
            _answer(steering, dict.fromkeys(steering.available, 0.0), setting, segment, [_short(0, question)]),
        )
    belief = Belief(told.p_click, drawn=False)
    if steering.hopes:
        belief = steering.hopeful(ranked.pairs_of([asked], [rows]), told.p_click, _rng("new_items", question))
    expected = steering.filled(rows[None], _numbers(told)[:, None], asked.history, engine.wares.now(steering.wares),
                               engine.latest_ms)  # fmt: skip
    pool = replace(expected, p_click=belief.p_click.astype(np.float32)[None])
    if usual and question.filter is None and not question.include_items:
        numbers = np.asarray(_numbers(told), np.float32)
        seen = Request(question.user_id, rows, numbers, asked.past, asked.about)
        engine.requests.note(segment, seen, steering.config.requests)
    hard = hard_rules.hard(rules, engine.shelf, pool)
    places, propensity = _composed(steering, pool, setting, question, heat, hard, belief)
    chosen, broken = places[0][places[0] >= 0], hard.broken(places)[0]
    near, there = expected.told_apart(places)
    pulled = pulls(near, steering.available, setting.weights, there)
    lines = _lines(asked, rows, places[0], told, pulled, propensity)
    if question.explain:
        _explain(asked, lines, rows[chosen], {name: each[0][places[0] >= 0] for name, each in pulled.items()}, degraded)
    predicted = {name: float(value[0]) for name, value in steering.values(near, there).items()}
    steering.exposures.add(rows[chosen])
    broken += [_short(len(chosen), question)] if len(chosen) < question.k else []
    return rows[chosen], lines, _answer(steering, predicted, setting, segment, broken)


def _numbers(told: Predictions) -> NDArray[np.float64]:
    """Return what pools are filled with, `[3, cands]`."""
    return np.stack([told.p_click, told.following, told.order_value])


def _short(items: int, question: bodies.RecommendRequest) -> str:
    """Return what is told as broken where a slate has empty slots."""
    return f"k = {question.k}: {items} found"


def _how(steering: Steering, question: bodies.RecommendRequest) -> How:
    return steering.composed(None if question.slate is None else question.slate.composition)


def _rng(purpose: str, question: bodies.RecommendRequest) -> np.random.Generator:
    """Return the stream of one request's draws: the same when it is asked again under its name, no other's."""
    who = [question.request_id, question.placement, question.user_id, question.session_id]
    return rng_for(f"policy/{purpose}/{json.dumps(who)}", 0)


def _composed(steering: Steering, pool: Pool, setting: Setting, question: bodies.RecommendRequest, heat: float,
              hard: Rules, belief: Belief) -> tuple[Rows, NDArray[np.float64] | None]:  # fmt: skip
    """Return the places of the slate, and how probable each was where chance decided; NaN: nobody can tell."""
    how = _how(steering, question)
    if heat <= 0:
        places = compose(pool, steering.available, setting.weights, question.k, hard, how=how)
        return places, belief.unknown(question.k)
    drawn = draw(pool, steering.available, setting.weights, question.k, heat, _rng("explore", question), hard, how)
    return drawn.places, drawn.propensity[0]


def _lines(asked: Asked, rows: Rows, places: Rows, told: Predictions, pulled: Mapping[str, Values],
           propensity: NDArray[np.float64] | None) -> list[bodies.RecommendedItem]:  # fmt: skip
    slots = np.flatnonzero(places >= 0)
    scores = (1.0 / np.arange(1, len(slots) + 1)).astype(np.float32)  # a slate is worth something as a whole alone
    lines = asked.lines(rows[places[slots]], scores, "goals")
    ranked.tell(lines, told, places[slots], asked.engine.minor)
    names = list(pulled)
    most = np.stack([each[0] for each in pulled.values()]).argmax(0)[slots].tolist() if names else []
    for line, name in zip(lines, most, strict=False):
        line.pulled_by = names[name]
    for line, odds in zip(lines, [] if propensity is None else propensity[slots].tolist(), strict=False):
        line.propensity = odds
    return lines


def _explain(asked: Asked, lines: Sequence[bodies.RecommendedItem], rows: Rows, pulled: Mapping[str, Values],
             degraded: list[str]) -> None:  # fmt: skip
    """Tell in each line how far each goal speaks for it, and why its predictions are what they are."""
    try:
        ranked.explain(asked, lines, rows)
    except Exception as error:  # a slate without explanations is better than none
        log.error("explanations_failed", version=asked.engine.version, exc_info=error)
        degraded.append("why")
    for slot, line in enumerate(lines):
        speaks = {name: float(each[slot]) for name, each in pulled.items()}
        whole = sum(map(abs, speaks.values())) or 1.0
        order = sorted(speaks, key=lambda name: -speaks[name])
        line.pulls = {name: round(speaks[name] / whole, PULL_DIGITS) for name in order}
        line.pulled = pulled_in_words(line.pulls)


def policy_of(lines: Sequence[bodies.RecommendedItem]) -> tuple[str, list[str], list[float | None] | None]:
    """Return by which policy items were chosen, the items, and how probable each was; None: certain.

    An item of a list that has odds has None where nobody can tell them.
    """
    policy = "goals/1" if any(line.source == "goals" for line in lines) else BEST_FIRST
    odds = [1.0 if line.propensity is None else line.propensity for line in lines]
    drawn = [None if isnan(each) else each for each in odds]
    items = [line.item_id for line in lines]
    return policy, items, drawn if any(line.propensity is not None for line in lines) else None


def _answer(steering: Steering, predicted: Mapping[str, float], setting: Setting, segment: str,
            broken: list[str]) -> bodies.GoalsAnswer:  # fmt: skip
    told = _TOLD.get(setting)
    if told is None:
        expected, today = (_amounts(steering, values) for values in (setting.expected, setting.today))
        shares = {name: round(share, 4) for name, share in setting.shares.items()}
        told = _TOLD[setting] = bodies.GoalsAnswer({}, expected, today, shares, segment, {}, _position(setting))
    units = {name: goal.unit for name, goal in steering.available.items()}
    return msgspec.structs.replace(
        told, predicted=_amounts(steering, predicted), segment=segment, units=units, broken=broken
    )


#: What answers say of a setting, whoever asks.
_TOLD: Final[WeakKeyDictionary[Setting, bodies.GoalsAnswer]] = WeakKeyDictionary()


def _amounts(steering: Steering, values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value / steering.per(name), DIGITS) for name, value in values.items()}


def _position(setting: Setting) -> bodies.FrontPosition:
    found = setting.position
    better = {name: round(share, 4) for name, share in found.better.items()}
    costs = {goal: {name: round(change, 3) for name, change in each.items()} for goal, each in found.costs.items()}
    return bodies.FrontPosition(position_in_words(found), found.measured, found.beaten_by, better, costs)
