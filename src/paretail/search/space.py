"""The space of graph models: points of `GraphModelSpec` as tokens, in canonical form, counted and drawn uniformly.

A point is one option of each field; a field that means nothing beside the others has its first option, so that equal
networks are equal points. Uniform over these points, not over all combinations: how many points begin with the fields
decided so far is counted (by dynamic programming over what later rules read), and each field is drawn in proportion.
A draw of all fields at once, made canonical, would meet "no graph" tens of thousands of times too often.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.graph.interactions import check_kinds
from paretail.graph.shopgraph import ShopGraph
from paretail.retrieve.base import Question
from paretail.retrieve.spec import GraphModelSpec
from paretail.search.base import Architecture
from paretail.search.fields import DEFAULTS, RULES, Point, Rule, Stands, options_of, rules_of, twins

Tokens = tuple[int, ...]
#: A shop's own options of fields: one of them, or several to choose from.
Given = Mapping[str, Any]
#: A space in which so many draws one after the other are refused by the class of networks has none, or as good as none.
DRAWS: Final = 1000
_ALWAYS: Final = Rule((), lambda point: None)


class GraphSpace:
    """All points over `options`; satisfies `search.base.Space`."""

    def __init__(self, options: Mapping[str, Sequence[Any]]) -> None:
        order = [*RULES, *(name for name in GraphModelSpec.model_fields if name not in RULES)]
        self.options: dict[str, tuple[Any, ...]] = {name: tuple(options.get(name, (DEFAULTS[name],))) for name in order}
        self._order = order
        self.fields: tuple[str, ...] = tuple(name for name in order if len(self.options[name]) > 1)
        self.choices: tuple[int, ...] = tuple(len(self.options[name]) for name in self.fields)
        self._rules = rules_of(self.options)
        self._twins = twins(self.options)
        self._alive = [self._read_from(place) for place in range(len(order))]
        self._counts: dict[tuple[int, tuple[Any, ...]], int] = {}
        self._steps: dict[tuple[int, tuple[Any, ...]], tuple[list[tuple[int, Any]], NDArray[np.float64]]] = {}
        self.size: int = self._count(0, {})
        if not self.size:
            raise ConfigError(_impossible(self.options))

    @classmethod
    def of(cls, graph: ShopGraph, question: Question, given: Given | None = None) -> Self:
        """Return the space of a shop; `given` fixes a field (one option) or widens it (a list of them).

        Raises ConfigError with every problem: SRCH-10 for an unknown field, SRCH-11 for an option that it cannot have,
        SRCH-12 where nothing is left that goes together, GRAPH-03 for weights of kinds that the log does not have.
        """
        own = checked(given or {})
        for weights in own.get("weights", ()):
            if weights is not None:
                check_kinds(graph.history.kinds, weights, "[search.space] weights", question.weights)
        space = cls(options_of(graph, question) | own)
        space.sample(np.random.default_rng(0), 1)  # raises where nothing can be drawn
        return space

    def sample(self, rng: np.random.Generator, count: int) -> list[Architecture]:
        """Return points drawn uniformly over canonical forms."""
        return [self._drawn(rng) for _ in range(count)]

    def neighbours(self, architecture: Architecture, rng: np.random.Generator, count: int) -> list[Architecture]:
        """Return points with one field set anew; what then matters for the first time is drawn, the rest put right."""
        tokens = self.tokens(architecture)
        moves = [(f, o) for f, options in enumerate(self.choices) for o in range(options) if o != tokens[f]]
        found: dict[Architecture, None] = {}
        for move in rng.permutation(len(moves)):
            field, option = moves[int(move)]
            other = self._repaired(tokens, field, option, rng)
            if other is not None and other != architecture:
                found.setdefault(other)
            if len(found) >= count:
                break
        return list(found)

    def encode(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """Return one-hot options, all 0 where a field does not matter, and the place in order of those with one."""
        return np.array([list(self._encoded(self.tokens(one))) for one in architectures], np.float64).reshape(
            len(architectures), len(self.columns)
        )

    @property
    def columns(self) -> list[str]:
        """The field of each feature of `encode`."""
        names = []
        for name in self.fields:
            names += [name] * (len(self.options[name]) + (_ranks(self.options[name]) is not None))
        return names

    def tokens(self, architecture: Architecture) -> Tokens:
        """Return the option of each field that has more than one."""
        assert isinstance(architecture, tuple)
        return architecture

    def from_tokens(self, tokens: Sequence[int]) -> Architecture | None:
        """Return the point in canonical form; None where options do not go together."""
        wanted = self._joined(dict(zip(self.fields, tokens, strict=True)))
        point, made = dict[str, Any](), []
        for place, name in enumerate(self._order):
            legal = dict(self._legal(place, point))
            option = wanted.get(name, 0) if len(legal) > 1 or self._matters(place, point) else 0
            if option not in legal:
                return None
            point[name] = legal[option]
            made += [option] if name in wanted else []
        return tuple(made) if _parses(point) else None

    def settings(self, architecture: Architecture) -> dict[str, Any]:
        """Return every setting of the point."""
        wanted, point = dict(zip(self.fields, self.tokens(architecture), strict=True)), dict[str, Any]()
        for place, name in enumerate(self._order):
            legal = dict(self._legal(place, point))
            option = wanted.get(name, 0)
            point[name] = legal[option if option in legal else next(iter(legal))]
        return {name: point[name] for name in GraphModelSpec.model_fields}

    def spec(self, architecture: Architecture) -> GraphModelSpec:
        """Return the point as the class that networks are made of."""
        return GraphModelSpec.parse(self.settings(architecture), "the space")

    def place_of(self, settings: Mapping[str, Any]) -> Architecture | None:
        """Return the point that has these settings, None where the space has none that makes the same network."""
        whole, tokens, point = {**DEFAULTS, **settings}, [], dict[str, Any]()
        if self._twins and (whole["combination"], whole["scorer"]) == ("sum", "cosine"):
            whole["combination"] = "mean"
        for place, name in enumerate(self._order):
            legal, matters = dict(self._legal(place, point)), self._matters(place, point)
            option = next((o for o, value in legal.items() if not matters or value == whole[name]), None)
            if option is None:
                return None
            point[name] = legal[option]
            tokens += [option] if name in self.fields else []
        return tuple(tokens)

    def matters(self, architecture: Architecture) -> dict[str, bool]:
        """Say of each field whether it means anything at this point."""
        point = self.settings(architecture)
        return {name: self._matters(self._order.index(name), point) for name in self.fields}

    def _encoded(self, tokens: Tokens) -> Iterator[float]:
        matters = self.matters(tokens)
        for name, token in zip(self.fields, tokens, strict=True):
            options = self.options[name]
            yield from (float(matters[name] and option == token) for option in range(len(options)))
            if (ranks := _ranks(options)) is not None:
                yield ranks[token] if matters[name] else 0.5

    def _drawn(self, rng: np.random.Generator) -> Architecture:
        for _ in range(DRAWS):
            point, tokens = dict[str, Any](), []
            for place, (name, lot) in enumerate(zip(self._order, rng.random(len(self._order)), strict=True)):
                legal, shares = self._step(place, point)
                number, point[name] = legal[int(shares.searchsorted(lot, side="right"))] if len(legal) > 1 else legal[0]
                tokens += [number] if len(self.options[name]) > 1 else []
            if _parses(point):  # options of the shop's own may be refused together
                return tuple(tokens)
        raise ConfigError(_impossible(self.options))

    def _repaired(self, tokens: Tokens, field: int, option: int, rng: np.random.Generator) -> Architecture | None:
        """Return the point with one token changed: kept is what still goes, drawn what matters now and did not."""
        wanted = dict(zip(self.fields, tokens, strict=True))
        before, changed = self.matters(tokens), self.fields[field]
        if not before[changed]:
            return None
        wanted = self._joined(wanted | {changed: option})
        point, made = dict[str, Any](), []
        for place, name in enumerate(self._order):
            legal = dict(self._legal(place, point))
            chosen = wanted.get(name, 0)
            awoken = name in before and not before[name] and len(legal) > 1
            if chosen not in legal or awoken:
                if name == changed or not legal:
                    return None
                chosen = int(rng.choice(list(legal)))
            point[name] = legal[chosen]
            made += [chosen] if name in wanted else []
        return tuple(made) if _parses(point) else None

    def _joined(self, wanted: Mapping[str, int]) -> dict[str, int]:
        """Return tokens with the mean of layers in place of their sum where the score is a cosine."""
        scorers, ways = self.options["scorer"], self.options["combination"]
        if self._twins and ways[wanted["combination"]] == "sum" and scorers[wanted.get("scorer", 0)] == "cosine":
            return {**wanted, "combination": ways.index("mean")}
        return dict(wanted)

    def _rule(self, place: int) -> Rule:
        return self._rules.get(self._order[place], _ALWAYS)

    def _read_from(self, place: int) -> tuple[str, ...]:
        """Return the fields before `place` that a rule at or after it reads."""
        read = {name for later in range(place, len(self._order)) for name in self._rule(later).reads}
        return tuple(name for name in self._order[:place] if name in read)

    def _matters(self, place: int, point: Point) -> bool:
        return not isinstance(self._rule(place).says(point), Stands)

    def _legal(self, place: int, point: Point) -> list[tuple[int, Any]]:
        """Return the options, by number, that a field has beside those before it; one where it does not matter."""
        name = self._order[place]
        says = self._rule(place).says(point)
        if isinstance(says, Stands):
            return [(0, says.value)]
        options = enumerate(self.options[name])
        return [(o, value) for o, value in options if says is None or says.legal(value)]

    def _count(self, place: int, point: Point) -> int:
        """Return how many points begin with `point`."""
        if place == len(self._order):
            return 1
        key = place, tuple(point[name] for name in self._alive[place])
        if key not in self._counts:
            self._counts[key] = sum(self._counts_of(place, point, self._legal(place, point)))
        return self._counts[key]

    def _counts_of(self, place: int, point: Point, legal: Sequence[tuple[int, Any]]) -> list[int]:
        name = self._order[place]
        return [self._count(place + 1, {**point, name: value}) for _, value in legal]

    def _step(self, place: int, point: Point) -> tuple[list[tuple[int, Any]], NDArray[np.float64]]:
        """Return what a field may have, without what leads nowhere, and the cumulative shares of the points behind."""
        key = place, tuple(point[name] for name in self._alive[place])
        if key not in self._steps:
            legal = self._legal(place, point)
            counts = np.array([float(count) for count in self._counts_of(place, point, legal)])
            kept = [option for option, count in zip(legal, counts, strict=True) if count]
            self._steps[key] = kept, np.cumsum(counts[counts > 0])[:-1] / counts.sum()
        return self._steps[key]


def checked(given: Given) -> dict[str, tuple[Any, ...]]:
    """Return a shop's own options; raises ConfigError with every field that does not exist or cannot be that."""
    problems, found = [], {}
    for name, options in given.items():
        if name not in GraphModelSpec.model_fields:
            expected = f"Expected {nearest(name, GraphModelSpec.model_fields)}"
            problems.append(Problem("SRCH-10", f"[search.space] {name} is no field", expected, "Rename or remove it"))
            continue
        listed = tuple(options) if isinstance(options, list | tuple) else (options,)
        problems += _wrong(name, listed)
        found[name] = tuple(dict.fromkeys(listed)) if _hashable(listed) else listed
    if problems:
        raise ConfigError(problems)
    return found


def _wrong(name: str, options: Sequence[Any]) -> Iterator[Problem]:
    field, place = GraphModelSpec.model_fields[name], f"[search.space] {name}"
    if not options:
        yield Problem("SRCH-11", f"{place} has no option", "Expected one or more", "Add one, or remove the line")
    kind: Any = Annotated[field.annotation, field]  # mypy has no word for it
    adapter: TypeAdapter[Any] = TypeAdapter(kind, config=GraphModelSpec.model_config)
    for option in options:
        try:
            adapter.validate_python(option, strict=True)
        except ValidationError as error:
            told = "; ".join(detail["msg"] for detail in error.errors())
            yield Problem("SRCH-11", f"{place} = {option!r}", f"Expected: {told}", "Correct the option")


def _impossible(options: Mapping[str, Sequence[Any]]) -> Problem:
    fixed = ", ".join(f"{name} = {values[0]!r}" for name, values in options.items()
                      if len(values) == 1 and values[0] != DEFAULTS[name] and name != "weights")  # fmt: skip
    expected = "Options of which some go together (docs/search.md says which)"
    found = f"[search.space] leaves no graph model at all: {fixed or 'no options go together'}"
    return Problem("SRCH-12", found, expected, "Allow more options of one of these fields")


def _parses(point: Point) -> bool:
    try:
        GraphModelSpec.model_validate(dict(point))
    except ValidationError:
        return False
    return True


def _hashable(options: Sequence[Any]) -> bool:
    return all(not isinstance(option, dict | list) for option in options)


def _ranks(options: Sequence[Any]) -> list[float] | None:
    """Return the place of each option in their order, 0 to 1; None where there is no order of three or more."""
    if len(options) < 3 or not all(isinstance(o, int | float) and not isinstance(o, bool) for o in options):
        return None
    order = sorted(options)
    return [order.index(option) / (len(order) - 1) for option in options]
