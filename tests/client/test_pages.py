"""The examples of the pages on clients run, as they stand, against a service."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..serve.client import Service

ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT = ROOT / "clients" / "typescript"
ADDRESS = "http://127.0.0.1:8000"


def examples(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert found
    assert all(ADDRESS in text for text in found)
    return found


PYTHON = examples(ROOT / "docs" / "clients.md", "python")
SCRIPTS = [*examples(ROOT / "docs" / "clients.md", "ts"), *examples(TYPESCRIPT / "README.md", "ts")]
#: What the examples print, beside what may differ.
PRINTED = [
    r"^1 i\d+ .+\n(.*\n){4}1 kept",
    r"^For you \['i\d+'.*\n.*\n.+\n$",
    r"^2500 0 0\n0 accepted \w+ None\n(.*\n){2}SERV-04 ",
    r"^not kept: \w{32} SERV-04 ",
    r"^$",
]


@pytest.mark.parametrize(("text", "printed"), [*zip(PYTHON, PRINTED, strict=True)], ids=range(len(PRINTED)))
def test_the_examples_in_python_run(service: Service, text: str, printed: str) -> None:
    code = text.replace(ADDRESS, service.address)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(printed, done.stdout), done.stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run it")
@pytest.mark.parametrize("text", SCRIPTS, ids=range(len(SCRIPTS)))
def test_the_examples_in_typescript_run(service: Service, tmp_path: Path, text: str) -> None:
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "paretail").symlink_to(TYPESCRIPT)
    script = tmp_path / "example.mjs"  # it is JavaScript as well: nothing in it names a type
    script.write_text(text.replace(ADDRESS, service.address), encoding="utf-8")
    done = subprocess.run(["node", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.match(r"1 i\d+ .+\n", done.stdout), done.stdout
