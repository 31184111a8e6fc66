"""Errors of filters: the place with a caret below it, and what could stand there in plain words."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from paretail.core.errors import Problem

#: How much of the text is shown on either side of the place.
AROUND: Final = 40
#: Terminals of the grammar -> what people call them; several that share a word are told once.
WORDS: Final = {
    "NAME": "a field", "QUOTED": "a field", "ATTRIBUTES": "a field",
    "TEXT": "a text in quotes", "NUMBER": "a number", "FLAG": "true or false",
    "AND": "`and`", "OR": "`or`", "NOT": "`not`", "IN": "`in`", "BETWEEN": "`between`", "IS": "`is`", "NULL": "`null`",
    "EQUAL": "`=`", "UNEQUAL": "`!=`", "LESS": "`<`", "AT_MOST": "`<=`", "MORE": "`>`", "AT_LEAST": "`>=`",
    "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "COMMA": "`,`", "$END": "the end",
}  # fmt: skip


CORRECT: Final = "Correct it there; docs/filters.md"


class FilterError(Exception):
    """An expression cannot be read: `what` at the character `at` (from 0), and what would do."""

    def __init__(self, at: int, what: str, expected: str, do: str = CORRECT) -> None:
        super().__init__(what)
        self.at, self.what, self.expected, self.do = at, what, expected, do


def problem(code: str, place: tuple[str, int, str], expected: str, do: str) -> Problem:
    """Return a problem at a place: the text, the character (from 0) and what is wrong there."""
    text, at, what = place
    told = f"filter, column {at + 1}: {what}\n{pointed(text, at)}"
    return Problem(code, _whole(told), _whole(expected), do)


def pointed(text: str, at: int) -> str:
    """Return the text around a place, and a caret below the place."""
    start, end = max(0, at - AROUND), at + AROUND
    shown = re.sub(r"[\s\x00-\x1f\x7f]", " ", text[start:end])
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + at - start)}^"


def expected_words(terminals: Iterable[str]) -> str:
    """Say in words which terminals of the grammar could come next."""
    told = set(terminals)
    names = list(dict.fromkeys(word for name, word in WORDS.items() if name in told))
    last = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
    return f"Expected {last}"


def meant(word: str, terminals: Iterable[str]) -> str:
    """Advise to correct a word, naming the keyword that it resembles."""
    close = get_close_matches(word.lower()[:20], [name.lower() for name in terminals if name in WORDS], 1)
    return f"Did you mean `{close[0]}`?" if close else CORRECT


def _whole(text: str) -> str:
    """Replace halves of characters, which no answer could carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
