"""The first shop.toml: what was guessed, why, and what else could stand there."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from paretail.data.config import IGNORED, Table
from paretail.data.guess import Behaviour, Guess
from paretail.data.kinds import STANDARD, strongest

MARK = "# <-- COMPLETE THIS: "
#: What is lost where the events have no such column.
WITHOUT = {"event": "all rows are of one kind", "ts": "nothing is known of time"}
UNITS = '"seconds", "milliseconds", "microseconds", "nanoseconds", "datetime", "order" (only what came first) or "none"'


@dataclass(frozen=True)
class Draft:
    """All that goes into the file. `places` are the sources as TOML values; `told` is what the user said of words."""

    places: Mapping[Table, Sequence[str]]
    guesses: Mapping[Table, Guess]
    behaviour: Behaviour
    told: Mapping[str, str | float] = field(default_factory=dict)
    preset: str | None = None
    kind: str | None = None


def todo(draft: Draft) -> list[str]:
    """Return what the user must still fill in."""
    missing = [f"{table}: which column is {ours}?" for table, guess in draft.guesses.items() for ours in guess.missing]
    unknown = [word for word, (_, kind) in draft.behaviour.words.items() if kind is None]
    if draft.told and "event" not in draft.guesses["events"].columns and draft.preset is None:
        missing.append(f"events: which column holds the words ({', '.join(draft.told)})?")
    return missing + [f'events: what does the word "{word}" mean?' for word in unknown]


def render(draft: Draft) -> str:
    """Return the text of shop.toml."""
    parts = [
        _head(),
        _data(draft),
        *(_columns(table, guess, draft.preset is not None) for table, guess in draft.guesses.items()),
    ]
    parts += [_kinds(draft), _rates(draft), _excludes(draft), _goal(draft), _TRAIN]
    return "\n".join(part for part in parts if part)


def _head() -> str:
    return (
        "# What paretail knows of this shop, guessed from its files: read it once, then run\n"
        "#   paretail check --config shop.toml\n"
        "# Paths are relative to this file. Every setting: docs/reference/config.md.\n"
    )


def _data(draft: Draft) -> str:
    lines = ["[data]", *(f"{table} = {_sources(places)}" for table, places in draft.places.items())]
    if draft.preset:
        lines.append(f"preset = {_text(draft.preset)}")
    if draft.kind:
        lines.append(f"kind = {_text(draft.kind)}  # there is no column of words: every row counts as this")
    column = draft.guesses["events"].columns.get("ts")
    if draft.preset != "ga4":
        why = f"what {_text(column)} looks like" if column else "there is no column of times"
        lines += [f"# What the times mean ({why}): {UNITS}", f"time = {_text(draft.behaviour.unit)}"]
    lines.append('timezone = "UTC"  # of the shop\'s days, and of times that name no zone, as "Europe/Berlin"')
    currency = draft.behaviour.currencies[0] if draft.behaviour.currencies else "EUR"
    lines.append(f"currency = {_text(currency)}  # of all reports, ISO 4217")
    below = draft.behaviour.remarks.get("quantity below 0")
    if below:
        lines.append(f"# negative_quantity_is_refund = true  # {below:,} rows have a quantity below 0: refunds?")
        lines.append("# drop_negative_quantity = true  # or leave them out")
    if below := draft.behaviour.remarks.get("price below 0"):
        lines.append(f"# drop_negative_price = true  # {below:,} rows have a price below 0")
    return "\n".join(lines) + "\n"


def _sources(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else "[" + ", ".join(places) + "]"


def _columns(table: Table, guess: Guess, by_preset: bool) -> str:
    renamed = [f"{ours} = {_text(theirs)}" for ours, theirs in guess.columns.items() if ours != theirs]
    asked = [f'# {ours} = "..."  {MARK}one of {", ".join(guess.unused) or "no columns"}' for ours in guess.missing]
    found = [f"# as they are: {', '.join(same)}"] if (same := [o for o, t in guess.columns.items() if o == t]) else []
    use = "kept as attributes" if table in ("items", "users") else "not used"
    rest = [f"# {use}: {', '.join(guess.unused)}"] if guess.unused else []
    if table == "events" and guess.unused:
        maybe = [(ours, what) for ours, what in WITHOUT.items() if ours not in guess.columns and not by_preset]
        asked += [f'# {ours} = "..."  # none was recognised; without it {what}' for ours, what in maybe]
    return "\n".join([f"[data.columns.{table}]  # our name = your column", *renamed, *asked, *found, *rest]) + "\n"


def _kinds(draft: Draft) -> str:
    lines = [
        "[data.kinds]  # your word = our kind",
        f"# ours: {', '.join(STANDARD)}",
        f'# a kind of your own: word = {{ weight = 0.5 }}; rows to leave out: word = "{IGNORED}"',
    ]
    for word, value in draft.told.items():
        lines.append(f"{_key(word)} = {_text(value) if isinstance(value, str) else _weight(value)}  # as you said")
    for word, (n, kind) in draft.behaviour.words.items():
        if word not in draft.told and (draft.preset is None or kind != IGNORED):
            lines.append(_line(word, n, kind))
    return "\n".join(lines) + "\n"


def _line(word: str, n: int, kind: str | None) -> str:
    if kind is None:
        return f'# {_key(word)} = "..."  # {n:,} events {MARK}what does this word mean?'
    if kind in STANDARD:
        return f"{_key(word)} = {_text(kind)}  # {n:,} events"
    return f"{_key(word)} = {_weight(1.0)}  # {n:,} events; a kind of your own"


def _rates(draft: Draft) -> str:
    foreign = draft.behaviour.currencies[1:]
    if not foreign:
        return ""
    lines = [f"# {code} = 1.0  {MARK}what is one {code} worth in {draft.behaviour.currencies[0]}?" for code in foreign]
    return "\n".join(["[data.rates]", *lines]) + "\n"


def _excludes(draft: Draft) -> str:
    lines = ["# Rows to leave out on purpose, each counted under the name of its rule:"]
    for what, n in draft.behaviour.remarks.items():
        if what.startswith("no "):
            lines += [f"# [[data.exclude]]  # {n:,} rows", f"# name = {_text(what)}", f"# column = {_text(what[3:])}",
                      "# missing = true"]  # fmt: skip
    if len(lines) == 1:
        lines += ["# [[data.exclude]]", '# name = "cancelled"', '# column = "status"', '# equals = "cancelled"']
    return "\n".join(lines) + "\n"


def _goal(draft: Draft) -> str:
    kinds = {kind for _, kind in draft.behaviour.words.values() if kind} | ({draft.kind} if draft.kind else set())
    kinds |= {value if isinstance(value, str) else word for word, value in draft.told.items()}
    target = strongest(kinds) or "purchase"
    return (
        f"[goal]\n# target = {_text(target)}  # what to predict; without this line the strongest kind in the events\n"
        'repeat = "auto"  # recommend again what a user had: true, false, or decided from the data\n'
    )


_TRAIN = '[train]\nseed = 0\nbudget = "10m"  # time for choosing settings\n'


def _weight(weight: float) -> str:
    return f"{{ weight = {weight} }}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _key(word: str) -> str:
    return word if re.fullmatch(r"[A-Za-z0-9_-]+", word) else _text(word)
