"""Documentation cannot rot: whatever the code has is documented, and what the pages tell works."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import console
import generate_reference
import pytest
import result_tables

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ERRORS = DOCS / "errors.md"
PAGES = (ROOT / "README.md", *(DOCS / name for name in ("tutorial.md", "targets.md", "update.md")))
RUN = [page for page in PAGES if page.exists()]
TOLD = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md") if (ROOT / name).exists()]


def _pages() -> list[Any]:
    slow = {page: any("slow" in block.options for block in console.blocks(page)) for page in RUN}
    return [pytest.param(p, id=p.name, marks=[pytest.mark.slow] if slow[p] else []) for p in RUN]


def test_reference_pages_say_what_the_code_says() -> None:
    # Not in this process: cyclopts puts the way in which Python was started into the usage lines.
    check = [sys.executable, str(ROOT / "scripts" / "generate_reference.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_error_code_has_a_section_and_every_section_a_code() -> None:
    used: dict[str, str] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for code in re.findall(r'"([A-Z]{3,5}-\d\d)"', file.read_text(encoding="utf-8")):
            used.setdefault(code, str(file.relative_to(ROOT)))
    told = generate_reference.sections_of(ERRORS)
    missing = {code: file for code, file in used.items() if code not in told}
    assert not missing, f"docs/errors.md has no section for {missing}"
    assert not sorted(set(told) - set(used)), "docs/errors.md explains codes that nothing raises"
    assert not [code for code, text in told.items() if len(text.split()) < 10], "sections that say next to nothing"


def test_error_codes_have_one_section_each() -> None:
    headings = re.findall(r"^## +(\S+)", ERRORS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(headings) == sorted(set(headings))


def test_every_verb_and_each_of_its_options_is_documented() -> None:
    from paretail.cli import VERBS

    page = generate_reference.pages()["cli.md"]
    assert not [verb for verb in VERBS if f"## paretail {verb}\n" not in page]
    bare = re.findall(r"^\* `([^`]+)`:(?: *\*+\[.*\]\*+)*$", page, flags=re.MULTILINE)
    assert not bare, f"options without a word of help: {bare}"


#: Files that cite the paper of a tool which they call: they implement nothing of it.
CALLS_A_TOOL = {"search/cluster.py"}


def test_a_file_that_cites_a_paper_says_where_it_deviates() -> None:
    source = ROOT / "src" / "paretail"
    files = {str(file.relative_to(source)): file.read_text(encoding="utf-8") for file in source.rglob("*.py")}
    citing = {file for file, text in files.items() if "arXiv:" in text or "doi:10" in text}
    assert citing > CALLS_A_TOOL
    assert {file for file in citing if not re.search(r"(?<!tandard )\b[Dd]eviation", files[file])} == CALLS_A_TOOL


@pytest.mark.parametrize("heading", generate_reference.TABLES)
def test_every_entry_of_a_table_is_documented(heading: str) -> None:
    entries = generate_reference.table(heading)
    told = generate_reference.told(entries)
    assert set(told) == set(entries)
    assert entries
    assert not [name for name, text in told.items() if len(text.split()) < 5]


@pytest.mark.parametrize("page", _pages())
def test_the_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    console.run_page(page, tmp_path)


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_what_a_page_leaves_to_the_ci_is_run_there(page: Path) -> None:
    left = [c.text for block in console.blocks(page) if "elsewhere" in block.options for c in block.commands]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert not [command for command in left if command.split("#")[0].strip() not in run]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_shell_commands_stand_in_blocks_that_run(page: Path) -> None:
    assert not re.findall(r"^```(?:bash|sh|shell|zsh)\b", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("page", TOLD, ids=lambda page: page.name)
def test_links_outside_the_site_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (ROOT / link).exists()]


@pytest.mark.parametrize("page", result_tables.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_of_results_say_what_the_results_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert result_tables.filled(text) == text, "run: python benchmarks/run.py --tables"


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loads = r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+rel="(style|preconnect)[^>]+href="(https?:)?//'
    built = sorted((tmp_path / "site").rglob("*.html"))
    assert len(built) > 5
    assert not [page.name for page in built if re.search(loads, page.read_text(encoding="utf-8"))]


def test_a_page_whose_command_fails_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ true\n$ exit 3\n```\n", encoding="utf-8")
    with pytest.raises(console.PageError, match=r"page.md, line 2: .*exit 3\nexit code 3, not 0"):
        console.run_page(page, tmp_path)


def test_a_page_may_expect_a_failure_and_compare_what_is_printed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "<!-- console: output, exit 2 -->\n```console\n$ echo a; echo 'b 17 c'; \\\n  exit 2\na\n...\nb ... c\n```\n"
    page.write_text(text, encoding="utf-8")
    console.run_page(page, tmp_path)
    page.write_text(text.replace("b ...", "x ..."), encoding="utf-8")
    with pytest.raises(console.PageError, match=r"not printed in this order: 'x ... c'"):
        console.run_page(page, tmp_path)


def test_commands_share_a_folder_and_what_runs_in_the_background_ends(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    wait = "(trap 'touch ended; exit' TERM; touch started; while true; do sleep 0.05; done) &"
    page.write_text(f"```console\n$ {wait}\n$ until [ -e started ]; do sleep 0.02; done\n```\n", encoding="utf-8")
    console.run_page(page, tmp_path)
    deadline = time.monotonic() + 10
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < deadline, "the background process was not ended"
        time.sleep(0.02)


def test_an_option_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- console: outptu -->\n```console\n$ true\n```\n", encoding="utf-8")
    with pytest.raises(ValueError, match="outptu"):
        console.blocks(page)
