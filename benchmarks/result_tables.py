"""Tables of results in Markdown, between marks such as `<!-- results: real_sets -->` and `<!-- /results -->`."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
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
        file = HERE / found["name"] / "results.json"
        return f"{found[1]}\n{table(found['name'])}\n{found[3]}" if file.exists() else found[0]

    return MARKS.sub(fill, page)


def table(name: str) -> str:
    """Return the table of one benchmark, and below it the circumstances of its runs."""
    results: Results = json.loads((HERE / name / "results.json").read_text(encoding="utf-8"))
    return f"{SHAPES.get(name, _plain)(results)}\n\n{_circumstances(results)}\n"


def _plain(results: Results) -> str:
    """Return every row as it is: one column a figure."""
    rows = [{"part": part, **row} for part, run in results.items() for row in run["rows"]]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    return _markdown([*map(_named, heads)], [[_figure(row.get(head, "")) for head in heads] for row in rows])


def _named(key: str) -> str:
    """Return `peak_rss_mib` as `peak rss (MiB)`."""
    for ending, unit in (("_s", "s"), ("_mib", "MiB")):
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
                " / ".join(figures).replace("recall", "Recall").replace("ndcg", "NDCG").replace("hr@", "HR@"), values,
                *_costs(row),
            ])  # fmt: skip
    return _markdown(heads, lines)


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
    return f"{value:,.2f}".removesuffix(".00") if isinstance(value, float | int) else str(value)


def _circumstances(results: Results) -> str:
    lines = []
    for part, run in results.items():
        machine, load = run["machine"], run["load_at_start"][0]
        lines.append(
            f"{part}: {run['date'][:10]}, commit {run['commit']}, {machine['cores']} cores of {machine['cpu']}, "
            f"{machine['memory_gib']:.0f} GiB, Python {run['python']}, load at the start {load}"
        )
    return "<sub>" + "<br>\n".join(lines) + "</sub>"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


#: benchmarks whose rows are not plain
SHAPES: dict[str, Callable[[Results], str]] = {"real_sets": _accuracy}
