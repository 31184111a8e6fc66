"""Filter expressions: `category in ["shoes"] and price between 10 and 50 and not brand = "x"`.

Read by an LALR(1) grammar; errors point at the place. `docs/filters.md` is the language for those who write it.
"""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from paretail.core.errors import UsageError
from paretail.data.conditions import AllOf, Among, AnyOf, Columns, Field, Known, Mask, Node, Not, Value, Within
from paretail.data.filter_checks import check
from paretail.data.filter_errors import FilterError, expected_words, meant, problem

#: What one expression may hold.
MOST_CHARACTERS: Final = 4000
MOST_DEPTH: Final = 50
MOST_VALUES: Final = 1000

GRAMMAR: Final = r"""
?start: either
?either: both (OR both)*
?both: one (AND one)*
?one: NOT one             -> negation
    | "(" either ")"
    | comparison
?comparison: field (EQUAL | UNEQUAL) value            -> equal
    | field (LESS | AT_MOST | MORE | AT_LEAST) value  -> bounded
    | field IN choices                                   -> among
    | field NOT IN choices                               -> not_among
    | field BETWEEN value AND value                   -> between
    | field IS NULL                                   -> unknown
    | field IS NOT NULL                               -> known
field: name | ATTRIBUTES name
name: NAME | QUOTED
choices: "[" (value ("," value)*)? "]"
value: TEXT | NUMBER | FLAG

AND.2: /and\b/i
OR.2: /or\b/i
NOT.2: /not\b/i
IN.2: /in\b/i
BETWEEN.2: /between\b/i
IS.2: /is\b/i
NULL.2: /null\b/i
FLAG.2: /(true|false)\b/i
ATTRIBUTES.2: /attributes[ \t]*\.[ \t]*/i
EQUAL: /==?/
UNEQUAL: "!=" | "<>"
LESS: "<"
AT_MOST: "<="
MORE: ">"
AT_LEAST: ">="
NAME: /[^\W\d]\w*/
QUOTED: /`(?:[^`]|``)+`/
TEXT: /"(?:[^"\\]|\\[\s\S])*"/ | /'(?:[^'\\]|\\[\s\S])*'/
NUMBER: /-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/
%ignore /\s+/
"""

_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|[\s\S])")
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {mark: mark for mark in "\"'\\/"}


@dataclass(frozen=True)
class Filter:
    """An expression that has been read. `told` is its plain form, the same for all that mean the same word for word."""

    told: str
    condition: Node = field(compare=False, repr=False)
    text: str = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.told

    def mask(self, columns: Columns, rows: int) -> Mask:
        """Return for which of the first `rows` items it is true; raise UsageError as `check` does."""
        self.check(columns)
        return self.condition.mask(columns, rows)

    def check(self, columns: Columns) -> None:
        """Raise UsageError naming each field that is not there (FILT-02) or is compared with another type (FILT-03)."""
        if problems := check(self.condition, self.text, columns):
            raise UsageError(problems)


@lru_cache(maxsize=256)
def parse(text: str) -> Filter:
    """Read an expression; raise UsageError that points at the place where it cannot be read."""
    try:
        condition = _read(text)
    except FilterError as error:
        raise UsageError(problem("FILT-01", (text, error.at, error.what), error.expected, error.do)) from None
    return Filter(str(condition), condition, text)


def _read(text: str) -> Node:
    if len(text) > MOST_CHARACTERS:
        what = f"the filter has {len(text):,} characters"
        raise FilterError(MOST_CHARACTERS, what, f"At most {MOST_CHARACTERS:,}", "Shorten it; `in [...]` saves repeats")
    try:
        return _parser().parse(text)  # type: ignore[return-value]  # the transformer makes nodes, not trees
    except UnexpectedToken as error:
        raise _unexpected(error.token, text) from None
    except UnexpectedCharacters as error:
        raise _unreadable(text, int(error.pos_in_stream or 0)) from None


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Build(), maybe_placeholders=False)


def _short(token: str) -> str:
    return f"`{token}`" if len(token) <= 40 else f"`{token[:37]}...`"


def _unexpected(token: Token, text: str) -> FilterError:
    """Say what stands where something else should."""
    if token.type == "$END":
        return FilterError(len(text), "the filter ends here", expected_words(_possible(text, len(text))))
    at = token.start_pos or 0
    could = _possible(text, at)
    return FilterError(at, f"{_short(token)} is not expected here", expected_words(could), meant(token, could))


def _unreadable(text: str, at: int) -> FilterError:
    """Say what is wrong with a character that begins nothing."""
    if text[at] in "\"'`":
        return FilterError(at, f"the {text[at]} that opens here is not closed", f"Another {text[at]} where it ends")
    return FilterError(at, f"{text[at]!r} means nothing here", expected_words(_possible(text, at)))


def _possible(text: str, at: int) -> set[str]:
    """Return the terminals that could stand at a place.

    The parser is led there once more: when it fails it has taken what it had for whole, and expects less.
    """
    parser = _parser().parse_interactive(text)
    with suppress(UnexpectedCharacters):
        for token in parser.lexer_thread.lex(parser.parser_state):  # type: ignore[no-untyped-call]
            if (token.start_pos or 0) >= at:
                break
            parser.feed_token(token)
    possible: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    return possible


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    """Make conditions from what the grammar finds, from the innermost outwards."""

    def name(self, token: Token) -> tuple[str, int]:
        text = str(token)[1:-1].replace("``", "`") if token.type == "QUOTED" else str(token)
        return text, token.start_pos or 0

    def field(self, *parts: Any) -> Field:
        name, at = parts[-1]
        return Field(name, len(parts) == 2, at)

    def value(self, token: Token) -> Value:
        at = token.start_pos or 0
        match token.type:
            case "TEXT":
                return Value("text", _text(token, at), at)
            case "NUMBER":
                return Value("number", _number(token, at), at)
        return Value("flag", token.lower() == "true", at)

    def choices(self, *values: Value) -> tuple[Value, ...]:
        if len(values) > MOST_VALUES:
            what = f"the list has {len(values):,} values"
            raise FilterError(values[MOST_VALUES].at, what, f"At most {MOST_VALUES:,}")
        return values

    def equal(self, asked: Field, sign: Token, value: Value) -> Node:
        among = Among(asked, (value,))
        return Not(among) if sign.type == "UNEQUAL" else among

    def bounded(self, asked: Field, sign: Token, value: Value) -> Node:
        match sign.type:
            case "LESS" | "AT_MOST":
                return Within(asked, high=value, open_high=sign.type == "LESS")
        return Within(asked, low=value, open_low=sign.type == "MORE")

    def among(self, asked: Field, _in: Token, values: tuple[Value, ...]) -> Node:
        return Among(asked, values)

    def not_among(self, asked: Field, _not: Token, _in: Token, values: tuple[Value, ...]) -> Node:
        return Not(Among(asked, values))

    def between(self, asked: Field, _between: Token, low: Value, _and: Token, high: Value) -> Node:
        return Within(asked, low, high)

    def known(self, asked: Field, *_words: Token) -> Node:
        return Known(asked)

    def unknown(self, asked: Field, *_words: Token) -> Node:
        return Not(Known(asked))

    def negation(self, sign: Token, part: Node) -> Node:
        return Not(part, _deeper([part], sign))

    def both(self, *parts: Node | Token) -> Node:
        return _joined(AllOf, parts)

    def either(self, *parts: Node | Token) -> Node:
        return _joined(AnyOf, parts)


def _joined(kind: type[AllOf] | type[AnyOf], parts: Sequence[Node | Token]) -> Node:
    """Join conditions; those that were joined alike in parentheses become parts of their own."""
    flat: list[Node] = []
    for part in parts:
        if not isinstance(part, Token):
            flat += part.parts if isinstance(part, kind) else (part,)
    return kind(tuple(flat), _deeper(flat, next(part for part in parts if isinstance(part, Token))))


def _deeper(parts: Sequence[Node], sign: Token) -> int:
    depth = 1 + max(part.depth for part in parts)
    if depth > MOST_DEPTH:
        raise FilterError(
            sign.start_pos or 0, "conditions lie within conditions too deep", f"At most {MOST_DEPTH} deep"
        )
    return depth


def _number(token: Token, at: int) -> float:
    number = float(token)
    if math.isinf(number):
        raise FilterError(at, f"{_short(token)} is too large", "A number below 1e308")
    return number


def _text(token: Token, at: int) -> str:
    """Return what stands between the quotes, escapes as in JSON and of either quote."""

    def plain(found: re.Match[str]) -> str:
        mark = found[1]
        if len(mark) == 5:
            return chr(int(mark[1:], 16))
        if mark not in _ESCAPED:
            raise FilterError(at + found.start() + 1, f"`\\{mark}` stands for nothing", r"One of \" \' \\ \n \t \u0041")
        return _ESCAPED[mark]

    text = _ESCAPE.sub(plain, token[1:-1])
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")  # joins the two halves of one character
    except UnicodeDecodeError:
        raise FilterError(
            at, "this text has half a character", "Both halves of a pair such as \\ud83d\\ude00"
        ) from None
