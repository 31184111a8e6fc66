"""What an import may load: nothing heavy before a verb needs it, and nothing of an extra that is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "numba", "scipy", "implicit", "dataframely", "polars", "starlette", "granian", "psycopg", "faiss")
EXTRAS = (
    "torch",
    "torch_geometric",
    "jaxtyping",
    "beartype",
    "faiss",
    "optuna",
    "ray",
    "psycopg",
    "tomlkit",
    "hypothesis",
    "pytest",
)
#: What cannot be imported without the extra `learn`; packages stand for what is in them.
NEED_TORCH = {
    "paretail.learn",
    "paretail.retrieve.batches",
    "paretail.retrieve.losses",
    "paretail.retrieve.net",
    "paretail.retrieve.sequences.learning",
    "paretail.policy.agents",
    "paretail.rank.learned",
    "paretail.rank.sharing",
    "paretail.rank.spaces",
    "paretail.search.adversarial",
    "paretail.search.strategies.gan",
    "paretail.search.strategies.gan_mutation",
}
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


def test_every_module_imports_with_the_base_package_alone_or_names_the_extra() -> None:
    refused = _python(
        "import sys, pkgutil, importlib\n"
        f"sys.modules |= dict.fromkeys({EXTRAS!r})\n"
        "import paretail\n"
        "from paretail.core.errors import MissingExtraError\n"
        "for found in pkgutil.walk_packages(paretail.__path__, 'paretail.'):\n"
        "    try:\n"
        "        if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "    except MissingExtraError as error: print(found.name, error)"
    ).splitlines()
    told = dict(line.split(" ", 1) for line in refused)
    cluster = told.pop("paretail.search.cluster")
    assert all(part in cluster for part in ("ray cannot be imported", "pip install 'paretail[learn,ray]'", "(SRCH-20)"))
    assert set(told) == NEED_TORCH
    assert all("torch and jaxtyping cannot be imported" in line for line in told.values())
    assert all("pip install 'paretail[learn]'" in line and "(LEARN-01)" in line for line in told.values())


def test_training_and_serving_load_no_torch_before_a_model_needs_it() -> None:
    modules = "paretail.serve.run, paretail.pipeline.train, paretail.pipeline.recommender"
    assert _python(f"import sys, {modules}\nprint('torch' in sys.modules)") == "False\n"


def test_every_package_of_the_source_is_a_package() -> None:
    source = Path(__file__).resolve().parent.parent / "src" / "paretail"
    folders = {file.parent for file in source.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]
