"""Tables of results in Markdown, between marks such as `<!-- results: real_sets -->` and `<!-- /results -->`."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
PAGES = (HERE.parent / "README.md", HERE / "README.md")
MARKS = re.compile(r"(<!-- results: (?P<name>\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)
Results = Mapping[str, Mapping[str, Any]]


def write() -> list[str]:
    """Bring every page's tables up to date; return the names of the pages that changed."""
    changed = []
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        if (after := filled(before)) != before:
            page.write_text(after, encoding="utf-8")
            changed.append(str(page.relative_to(HERE.parent)))
    return changed


def filled(page: str) -> str:
    """Return a page with each marked table as its results say; a mark without results keeps what it has."""

    def fill(found: re.Match[str]) -> str:
        folder, _ = SHAPES.get(found["name"], (found["name"], _plain))
        there = (HERE / folder / "results.json").exists()
        return f"{found[1]}\n{table(found['name'])}\n{found[3]}" if there else found[0]

    return MARKS.sub(fill, page)


def table(name: str) -> str:
    """Return the table of one mark, and below it the circumstances of the runs."""
    folder, shape = SHAPES.get(name, (name, _plain))
    results: Results = json.loads((HERE / folder / "results.json").read_text(encoding="utf-8"))
    return f"{shape(results)}\n\n{_circumstances(results)}\n"


def _plain(results: Results) -> str:
    """Return every row as it is: one column a figure."""
    rows = [{"part": part, **row} for part, run in results.items() for row in run["rows"]]
    heads = _heads(rows)
    return _markdown([*map(_named, heads)], [[_figure(row.get(head, "")) for head in heads] for row in rows])


def _apart(results: Results) -> str:
    """Return a table for each part, every row as it is."""
    parts = []
    for part, run in results.items():
        heads = _heads(run["rows"])
        rows = [[_figure(row.get(head, "")) for head in heads] for row in run["rows"]]
        parts.append(f"`{part}`\n\n{_markdown([*map(_named, heads)], rows)}")
    return "\n\n".join(parts)


def _heads(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the figures of rows; when those of earlier runs were taken stands below the table."""
    return [head for head in dict.fromkeys(head for row in rows for head in row) if head != "earlier"]


def _named(key: str) -> str:
    """Return `peak_rss_mib` as `peak rss (MiB)`."""
    for ending, unit in (("_ms", "ms"), ("_s", "s"), ("_mib", "MiB")):
        if key.endswith(ending):
            return f"{key.removesuffix(ending).replace('_', ' ')} ({unit})"
    return key.replace("_", " ")


def _accuracy(results: Results) -> str:
    """Return one line a set, protocol and model, its two figures with their standard errors, and its costs."""
    heads = ["set", "protocol", "model", "figures", "values (± standard error)", "train", "memory", "lists"]
    lines = []
    for part, run in results.items():
        for row in run["rows"]:
            figures = row["metrics"]
            values = " / ".join(f"{_share(f['mean'])}" + (f" ± {_share(f['se'])}" if f.get("se") else "")
                                for f in figures.values())  # fmt: skip
            lines.append([
                part, row.get("protocol", ""), f"**{row['model']}**" if row.get("ours") else row["model"],
                _names(row), values,
                *_costs(row),
            ])  # fmt: skip
    return _markdown(heads, lines)


def _summary(results: Results) -> str:
    """Return one line a set and protocol: our figures, those of the baselines, and published ones."""
    rows = [(part, row) for part, run in results.items() for row in run["rows"]]
    measured = [row for _, row in rows if row["protocol"] != "published"]
    rivals = list(dict.fromkeys(row["model"] for row in measured if not row.get("ours")))
    lines = []
    for part, ours in rows:
        if not ours.get("ours"):
            continue
        asked = [row for other, row in rows if other == part]
        beside = {row["model"]: row for row in asked if row["protocol"] == ours["protocol"]}
        published = [row for row in asked if row["protocol"] == "published"]
        lines.append([
            f"{part} {ours['protocol']}".strip(), _names(ours), f"**{_means(ours)}**",
            *(_means(beside[rival]) if rival in beside else "" for rival in rivals),
            "; ".join(f"{row['model']} {_means(row)}" for row in published), *_costs(ours)[:2],
        ])  # fmt: skip
    return _markdown(["set", "figures", "paretail", *rivals, "published", "train", "memory"], lines)


def _live(results: Results) -> str:
    """Return one line for what was measured, under one load, each figure the median of its runs."""
    rows = [row for run in results.values() for row in run["rows"]]
    lines = []
    for what, load in dict.fromkeys((row["what"], row.get("connections")) for row in rows):
        runs = [row for row in rows if (row["what"], row.get("connections")) == (what, load)]
        keys = [key for key in runs[0] if key not in ("what", "run")]
        told = [f"{_named(key)} {_figure(median(row[key] for row in runs))}" for key in keys]
        lines.append([what, ", ".join(told), str(len(runs))])
    return _markdown(["what", "figures", "runs"], lines)


def _names(row: Mapping[str, Any]) -> str:
    joined = " / ".join(row["metrics"])
    return joined.replace("recall", "Recall").replace("ndcg", "NDCG").replace("hr@", "HR@")


def _means(row: Mapping[str, Any]) -> str:
    return " / ".join(_share(figure["mean"]) for figure in row["metrics"].values())


def _costs(row: Mapping[str, Any]) -> list[str]:
    train, given, lists = row.get("train"), row.get("train_settings_given"), row.get("recommend")
    once = f" (settings given: {given['wall_s']:.0f} s)" if given else ""
    return [
        f"{train['wall_s']:.0f} s{once}" if train else "",
        f"{train['peak_rss_mib'] / 1024:.1f} GiB" if train else "",
        f"{lists['wall_s']:.0f} s" if lists else "",
    ]


def _share(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _figure(value: Any) -> str:
    if isinstance(value, float) and 0 < abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.2f}".removesuffix(".00") if isinstance(value, float | int) else str(value)


def _circumstances(results: Results) -> str:
    lines = []
    for part, run in results.items():
        machine, load = run["machine"], run["load_at_start"][0]
        lines.append(
            f"{part}: {run['date'][:10]}, commit {run['commit']}, {machine['cores']} cores of {machine['cpu']}, "
            f"{machine['memory_gib']:.0f} GiB, Python {run['python']}, load at the start {load}{_earlier(run['rows'])}"
        )
    return "<sub>" + "<br>\n".join(lines) + "</sub>"


def _earlier(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return which models', or sizes', rows are of earlier runs, and of when."""
    models: dict[str, list[str]] = {}
    for row in rows:
        if run := row.get("earlier"):
            models.setdefault(f"{run['date'][:10]}, commit {run['commit']}", []).append(row.get("model") or row["size"])
    return "".join(f"; {', '.join(dict.fromkeys(names))}: {when}" for when, names in models.items())


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


#: marks whose tables are not plain: the benchmark that they show, and how
SHAPES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "real_sets": ("real_sets", _accuracy),
    "summary": ("real_sets", _summary),
    "live": ("live", _live),
    "agents": ("agents", _apart),
    "cold": ("cold", _apart),
    "goals": ("goals", _apart),
    "rank": ("rank", _apart),
    "search": ("search", _apart),
    "shop_search": ("shop_search", _apart),
}
