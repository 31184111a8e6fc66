"""An architecture as a graph: its parts, what feeds each, and a drawing of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

BOX, HIGH, GAP, LEFT = 270, 46, 22, 12
INK, FILL, LINE = "#1d2b2a", "#f2f6f5", "#1b7f79"


@dataclass(frozen=True)
class Part:
    """A part of a network: its kind, what people read, and the numbers of the parts that feed it."""

    kind: str
    title: str
    detail: str
    fed_by: tuple[int, ...] = ()


def parts(settings: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return the parts of a point of the space, those that feed others first."""
    found: list[Part] = []

    def add(kind: str, title: str, detail: str, *fed_by: int) -> int:
        found.append(Part(kind, title, detail, fed_by))
        return len(found) - 1

    firsts = _firsts(settings, add)
    items = add("items", "Items' first vectors", f"{settings['dim']} numbers each", *firsts)
    said = "the items' own vectors" if settings["profile"] == "shared" else "a second table of the items had"
    users = add(
        "users", "Users' first vectors", f"sum of {said}", 0, *((items,) if settings["profile"] == "shared" else ())
    )
    states = [items, users]
    layers = [states]
    for number in range(1, settings["depth"] + 1):
        layer = add("layer", f"Layer {number}: {settings['message']}", _layer(settings), *layers[-1])
        layers.append([layer])
    heard = [part for layer in layers for part in layer] if settings["combination"] != "last" else layers[-1]
    together = add("combination", "One vector of each", _combined(settings), *heard)
    scorer = add("scorer", f"Score: {settings['scorer']}", _scored(settings), together)
    add("loss", f"Loss: {settings['loss']}", _lost(settings), scorer)
    return tuple(found)


def drawing(settings: Mapping[str, Any]) -> str:
    """Return the parts as SVG, rows from what comes in at the top to the loss at the bottom."""
    found = parts(settings)
    rows = _rows(found)
    places = {
        number: (LEFT + column * (BOX + GAP), LEFT + row * (HIGH + 2 * GAP))
        for row, numbers in enumerate(rows) for column, number in enumerate(numbers)
    }  # fmt: skip
    width = LEFT * 2 + max(len(row) for row in rows) * (BOX + GAP)
    height = LEFT * 2 + len(rows) * (HIGH + 2 * GAP) - 2 * GAP
    lines = "".join(
        _line(places[source], places[number]) for number, part in enumerate(found) for source in part.fed_by
    )
    boxes = "".join(_box(places[number], part) for number, part in enumerate(found))
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" style="max-width:100%" role="img" font-size="13" '
        f'aria-label="The chosen architecture">{lines}{boxes}</svg>'
    )


def _firsts(settings: Mapping[str, Any], add: Any) -> list[int]:
    add("events", "What users had", "edges of the graph" if settings["depth"] else "no graph")
    told = {
        "ids": ("An own vector", f"{settings['start']} start"),
        "attributes": ("Categories, brands, ...", "vectors"),
        "content": ("Texts and vectors", "of the catalogue"),
    }
    return [add(kind, title, detail) for kind, (title, detail) in told.items() if settings[kind]]


def _layer(settings: Mapping[str, Any]) -> str:
    told = [f"{settings['heads']} heads" if settings["heads"] > 1 else "", settings["activation"],
            f"{settings['normalisation']} norm", "residual" if settings["residual"] else "",
            f"dropout {settings['dropout']:g}" if settings["dropout"] else "",
            "all edges" if settings["edges"] == "all" else "events",
            settings["aggregation"] if settings["message"] == "sage" else ""]  # fmt: skip
    return ", ".join(word for word in told if word and not word.startswith("none"))


def _combined(settings: Mapping[str, Any]) -> str:
    return f"{settings['combination']} of {settings['depth'] + 1} layers" if settings["depth"] else "no layers"


def _scored(settings: Mapping[str, Any]) -> str:
    return f"bias from {settings['bias_start']:g} log events" if settings["bias"] else "no bias"


def _lost(settings: Mapping[str, Any]) -> str:
    if settings["loss"] == "alignment":
        return "no negatives"
    many = "" if settings["negatives_from"] == "batch" else f"{settings['negatives']} "
    heat = f", temperature {settings['temperature']:g}" if settings["loss"] == "softmax" else ""
    return f"{many}negatives, {settings['negatives_from']}{heat}"


def _rows(found: Sequence[Part]) -> list[list[int]]:
    """Return the parts row by row: each stands below all that feed it."""
    depth: list[int] = []
    for part in found:
        depth.append(1 + max((depth[source] for source in part.fed_by), default=-1))
    users = next(number for number, part in enumerate(found) if part.kind == "users")
    items = next(number for number, part in enumerate(found) if part.kind == "items")
    depth[users] = max(depth[users], depth[items] + bool(found[users].fed_by[1:]))
    return [[number for number, at in enumerate(depth) if at == row] for row in range(max(depth) + 1)]


def _line(source: tuple[int, int], target: tuple[int, int]) -> str:
    x0, y0, x1, y1 = source[0] + BOX / 2, source[1] + HIGH, target[0] + BOX / 2, target[1]
    out = BOX / 2 + GAP if y1 - y0 > 2 * GAP + 1 else 0  # past a row between: along its side
    bend = f"C{x0 + out},{y0 + GAP} {x1 + out},{y1 - GAP} "
    return f'<path d="M{x0},{y0}{bend}{x1},{y1}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'


def _box(at: tuple[int, int], part: Part) -> str:
    x, y = at
    middle = f'x="{x + BOX / 2}" text-anchor="middle" fill="{INK}"'
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="6" fill="{FILL}" stroke="{LINE}"/>'
        f'<text y="{y + 19}" {middle} font-weight="600">{escape(part.title)}</text>'
        f'<text y="{y + 36}" {middle} font-size="11">{escape(part.detail)}</text>'
    )
