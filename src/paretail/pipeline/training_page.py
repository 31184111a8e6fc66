"""What a training or an update did, as one HTML page beside the bundle: choice, weights, curves; it loads nothing."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from paretail.core.files import atomic_file
from paretail.pipeline import ranker_page
from paretail.pipeline.pages import listed, opening
from paretail.rank.boosted.ranker import KIND

#: What each mode's lists leave out, for people.
LEAVES_OUT: Final = {"none": "nothing", "target": "what a user had", "all": "all that a user touched"}
#: The segments of a hybrid's weights, by number of events.
SEGMENTS: Final = ("0-1 events", "2-5", "6-20", "more")
PLURALS: Final = {"item": "items", "category": "categories", "brand": "brands", "user": "users"}
#: How a signal's name is read.
LEGEND: Final = (
    "A signal is named by how items speak for each other (co: had by the same people; alike, like: attributes and "
    "content; near, before: close in time; low pass, regress: the graph as a whole; own: what the user had) and, after "
    "the line, by which of the user's events they speak to: all, the newest, one kind, of some age in days."
)
#: What the validation of a training measures.
METRIC: Final = "NDCG@20 in validation"
Facts = Mapping[str, Any]


def write_page(out: Path, version: str, facts: Facts, ranker: Facts | None = None, currency: str = "") -> Path:
    """Write the page of a version to `out`/reports, beside it that of its ranker, and return where the first is.

    A ranker that was learned without impressions has no page of its own: `train` says all there is.
    """
    ranker = None if ranker is None or ranker.get("kind") == KIND else ranker
    path, beside = (out / "reports" / f"{version}{end}.html" for end in ("", "-ranker"))
    if ranker is not None:
        with atomic_file(beside) as aside:
            aside.write_text(ranker_page.page(version, ranker, currency), encoding="utf-8")
    with atomic_file(path) as aside:
        aside.write_text(page(version, facts, None if ranker is None else beside.name), encoding="utf-8")
    return path


def page(version: str, facts: Facts, ranker: str | None = None) -> str:
    """Return the page; `ranker` is the name of its ranker's."""
    title = f"{facts['model']}: {version}"
    settings = facts["settings"]
    parts = [
        opening(title), _table(_shop(facts)),
        f"<h2>Why</h2>{listed(facts.get('remarks', ()), 'Nothing was searched')}",
        _link(ranker), *_weights(settings),
        *_curves(facts.get("validation"), "Validation: training on the split by which settings were chosen"),
        *_curves(facts.get("run"), "Training on all events"),
        f"<h2>Settings</h2><pre>{escape(_lines(settings))}</pre>",
    ]  # fmt: skip
    return f"{''.join(parts)}</html>\n"


def _link(ranker: str | None) -> str:
    told = "Ranker: reliability by task and segment, revenue, relations"
    return "" if ranker is None else f'<p><a href="{escape(ranker)}">{told}</a></p>'


def _shop(facts: Facts) -> list[tuple[str, str]]:
    again, lists = "comes back" if facts["repeat"] else "does not come back", facts.get("lists", "item")
    rows = [
        ("Target", f"{facts['target']}; what a user already had {again}"),
        ("Events", f"{facts['events']:,}"), ("Users", f"{facts['users']:,}"),
        ("Lists are of", f"{facts['items']:,} {PLURALS.get(lists, f'values of {lists}')}"),
        ("Validation", facts["figure"] or "none"),
    ]  # fmt: skip
    return rows + [(name.capitalize(), facts[name]) for name in ("parent", "trained") if name in facts]


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return f"<table>{''.join(f'<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>' for a, b in rows)}</table>"


def _weights(settings: Facts) -> Iterator[str]:
    """Tell the weights of each mode: of the blend's signals, or of a hybrid's members by segment of users."""
    modes = settings.get("modes") or {}
    if any(mix.get("theta") for mix in modes.values()):
        yield f"<p>{LEGEND}</p>"
    for mode, mix in modes.items():
        rows = mix.get("segments") or [mix.get("theta", {})]
        names = list(dict.fromkeys(name for row in rows for name, weight in row.items() if weight > 0))
        if not names:
            continue
        most = max(row.get(name, 0.0) for row in rows for name in names)
        yield f"<h2>Weights where lists leave out {escape(LEAVES_OUT.get(mode, mode))}</h2><table>"
        if len(rows) > 1:
            yield f"<tr><th></th>{''.join(f'<th colspan=2>{name}</th>' for name in SEGMENTS)}</tr>"
        for name in names:
            bars = "".join(_bar(row.get(name, 0.0), most, len(rows)) for row in rows)
            yield f"<tr><td>{escape(name)}</td>{bars}</tr>"
        yield "</table>"


def _bar(weight: float, most: float, columns: int) -> str:
    bar = f'<div style="width:{100 * weight / most:.0f}%"></div>'
    return f'<td style="width:{16 / columns:.0f}rem">{bar}</td><td>{weight:.2f}</td>'


def _curves(run: Facts | None, title: str) -> Iterator[str]:
    """Draw the curves of a run, or of each member that was trained."""
    if not run:
        return
    from paretail.learn.curves import Run, svg  # the extra `learn`, which is there where something was trained by it

    runs = {"": run} if "epochs" in run else run
    for name, one in runs.items():
        yield f"<h2>{title}{f' ({escape(name)})' if name else ''}</h2>{svg(Run.of_json(one), METRIC)}"


def _lines(settings: Facts) -> str:
    """Return settings but for the weights, a line each."""
    return "\n".join(f"{name} = {value}" for name, value in settings.items() if name != "modes")
