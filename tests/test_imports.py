"""What an import may load: nothing heavy before a verb needs it, and nothing of an extra that is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numba", "scipy", "implicit", "dataframely", "polars", "starlette", "granian", "psycopg", "faiss")
EXTRAS = ("torch", "faiss", "psycopg", "tomlkit", "hypothesis", "pytest", "httpx")
VERBS = ([], ["train"], ["recommend"], ["bundles"])


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(["paretail", *verb]))
def test_help_loads_nothing_heavy(verb: list[str]) -> None:
    loaded = _python(
        "import sys, contextlib\n"
        "from paretail.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({[*verb, '--help']!r})\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.splitlines()[-1] == "LOADED"


def test_every_module_imports_with_the_base_package_alone() -> None:
    _python(
        "import sys, pkgutil, importlib\n"
        f"sys.modules |= dict.fromkeys({EXTRAS!r})\n"
        "import paretail\n"
        "for found in pkgutil.walk_packages(paretail.__path__, 'paretail.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)"
    )


def test_every_package_of_the_source_is_a_package() -> None:
    source = Path(__file__).resolve().parent.parent / "src" / "paretail"
    folders = {file.parent for file in source.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
