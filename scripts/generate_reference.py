"""Write docs/reference: the command line, shop.toml, the tables of named things, and the error codes.

python scripts/generate_reference.py            # write the pages
python scripts/generate_reference.py --check    # fail when a page differs from what the code says
"""

import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import reference_balancers
import reference_config

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/generate_reference.py; `make docs` writes it anew. -->\n\n"
#: heading -> where the dict is, and what an entry is for
TABLES = {
    "Models": ("paretail.retrieve.models", "MODELS", 'A name for `[model] name = "..."`.'),
    "Sharing architectures": ("paretail.rank.sharing", "SHARING", "What the tasks of a ranker have in common."),
    "Spaces": ("paretail.rank.spaces", "SPACES", "A name for `[rank] space`: where what follows a click is learned."),
    "Balancers": ("paretail.rank.balance", "BALANCERS", "How the losses of several tasks are weighed at each step."),
    "Goals": ("paretail.policy.objectives", "OBJECTIVES", "What slates may serve: names for dials, budgets, presets."),
    "Search strategies": (
        "paretail.search.strategies",
        "STRATEGIES",
        "Who says which architectures are worth a training; see [Searching for an architecture](../search.md).",
    ),
    "Sources": ("paretail.data.sources", "SOURCES", "A name for `format`, where the file's ending does not say it."),
    "Checks": ("paretail.data.checks", "CHECKS", "What `paretail check` looks at, and `train` before it starts."),
    "Metrics": ("paretail.evaluate.metrics", "METRICS", "What `paretail evaluate` reports, the mean over users."),
    "Off-policy estimators": (
        "paretail.evaluate.offpolicy.estimators",
        "ESTIMATORS",
        "What a log tells of another policy; see [What a log can tell](../offpolicy.md).",
    ),
    "Metrics of the catalogue": (
        "paretail.evaluate.catalogue",
        "CATALOGUE_METRICS",
        "What `paretail evaluate` reports of all lists together.",
    ),
}


def pages() -> dict[str, str]:
    """Return the name and the text of every generated page."""
    made = {
        "cli.md": _command_line(),
        "config.md": _config(),
        "tables.md": _tables(),
        "balancers.md": reference_balancers.page(),
        "errors.md": _errors(),
    }
    return {name: NOTE + re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n" for name, text in made.items()}


def _command_line() -> str:
    from paretail.cli import app

    return app.generate_docs(output_format="markdown", recursive=True)


def _config() -> str:
    from paretail.pipeline.config import ShopConfig

    opening = (
        "# shop.toml\n\nThe one configuration file, in TOML; `paretail init` writes it with comments. Paths are "
        "relative to it. A key that is not here is an error that names the nearest one.\n\n"
    )
    return opening + "\n".join([*reference_config.sections(ShopConfig), *_model_settings()])


def _model_settings() -> Iterator[str]:
    configs = {name: model.config_type for name, model in table("Models").items()}
    for name, config in configs.items():
        wider = next(
            (other for other, base in configs.items() if config is not base and issubclass(config, base)), None
        )
        rest = f"What is not here is as in `{wider}`.\n\n" if wider else ""
        yield (
            f'## `[model.settings]` of `"{name}"`\n\n{reference_config.summary(config)}\n\n{rest}'
            f"{reference_config.settings(config, configs[wider] if wider else None)}\n"
        )


def table(heading: str) -> Mapping[str, Any]:
    """Return one of the dicts that new things are entered in; what it names by place is imported."""
    module, name, _ = TABLES[heading]
    entries: Mapping[str, Any] = getattr(import_module(module), name)
    return {key: _at(entry) if isinstance(entry, str) else entry for key, entry in entries.items()}


def _at(place: str) -> Any:
    """Return what `module:name` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _tables() -> str:
    parts = ["# Tables\n\nEach named thing is one file and one line in a table of the code."]
    for heading, (module, name, purpose) in TABLES.items():
        parts.append(f"## {heading}\n\n{purpose} The table is `{module}.{name}`.")
        parts += [f"### `{entry}`\n\n{text}{_page(heading, entry)}" for entry, text in told(table(heading)).items()]
    return "\n\n".join(parts)


def _page(heading: str, entry: str) -> str:
    """Return the link to an entry's own page, where it has one."""
    page = Path(heading.lower()) / f"{entry}.md"
    return f"\n\nMore: [{entry}](../{page})." if (ROOT / "docs" / page).exists() else ""


def told(entries: Mapping[str, Any]) -> dict[str, str]:
    """Return what the code says about each entry: its file's opening where it has a file of its own."""
    sources = {name: _source(entry) for name, entry in entries.items()}
    sharing = Counter(source.__module__ for source in sources.values())
    texts = {}
    for name, source in sources.items():
        matters = getattr(entries[name], "consequence", None)
        parts = [inspect.getdoc(source), matters and f"Why it matters: {matters[:1].lower()}{matters[1:]}"]
        if sharing[source.__module__] == 1:
            parts.insert(0, inspect.getdoc(sys.modules[source.__module__]))
        if not any(parts):
            raise SystemExit(f"{name}: neither its file nor {source} has a docstring")
        texts[name] = re.sub(r"<(?=[a-zA-Z/!])", "&lt;", "\n\n".join(filter(None, dict.fromkeys(parts))))
    return texts


def _source(entry: Any) -> Any:
    """Return the class or function that an entry stands for, seen through a check and a plain adapter."""
    function = getattr(entry, "run", entry)
    if inspect.isclass(function) or inspect.getdoc(function):
        return function
    names = function.__code__.co_names
    for module, name in pairwise(names):
        called = getattr(function.__globals__.get(module), name, None)
        if inspect.isfunction(called) and called.__module__.startswith("paretail."):
            return called
    return function


def sections_of(page: Path) -> dict[str, str]:
    """Return the text under each heading of the second level."""
    parts = re.split(r"^## +(.+?) *$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _errors() -> str:
    rows = []
    for code, text in sorted(sections_of(ROOT / "docs" / "errors.md").items()):
        opening = " ".join(text.strip().split("\n\n")[0].split())
        sentence = re.split(r"(?<=\.)\s(?=[A-Z])", opening)[0].rstrip(":.")
        rows.append(f"| [{code}](../errors.md#{code.lower()}) | {sentence.replace('|', chr(92) + '|')} |")
    return "\n".join(["# Error codes\n", "| code | what it means |", "|---|---|", *rows])


def main() -> None:
    """Write the pages, or say which are stale."""
    made = pages()
    if sys.argv[1:] == ["--check"]:
        stale = [n for n, text in made.items() if not (PAGES / n).exists() or (PAGES / n).read_text() != text]
        if extra := sorted({page.name for page in PAGES.glob("*.md")} - set(made)):
            sys.exit(f"docs/reference: {', '.join(extra)} are not generated")
        if stale:
            sys.exit(f"docs/reference: {', '.join(stale)} differ from the code. Run: make docs")
        return
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
