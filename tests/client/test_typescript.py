"""The TypeScript client is what the service says, and its own tests pass against the service."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import generate_typescript
import pytest

from paretail import __version__

from ..serve.client import Service

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "clients" / "typescript"
TSC = shutil.which("tsc")


def test_the_generated_files_say_what_the_service_says() -> None:
    for name, text in generate_typescript.files().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run: make docs"


def test_every_endpoint_of_the_document_has_its_method_and_every_body_its_type() -> None:
    made = generate_typescript.files()
    described = generate_typescript.document()
    for path, methods in described["paths"].items():
        for method in methods:
            if path not in ("/", "/docs"):
                assert f'method: "{method.upper()}", path: "{path}"' in made["endpoints.js"]
    for name, schema in described["components"]["schemas"].items():
        start = made["types.d.ts"].index(f"export interface {name} {{")
        body = made["types.d.ts"][start : made["types.d.ts"].index("\n}", start)]
        for field in schema["properties"]:
            mark = "" if field in schema.get("required", []) else "?"
            assert f"\n  {field}{mark}: " in body, (name, field)
    assert ": unknown;" not in made["types.d.ts"]


def test_the_package_needs_nothing_and_has_the_version_of_paretail() -> None:
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    assert not [key for key in package if "ependencies" in key]
    assert not [*FOLDER.glob("*lock*"), *FOLDER.glob("node_modules")]


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run it")
def test_its_own_tests_pass_against_a_service(service: Service) -> None:
    command, env = ["node", "--test", "--test-reporter=tap"], os.environ | {"PARETAIL_ADDRESS": service.address}
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# skipped 0" in done.stdout
    assert "# fail 0" in done.stdout


@pytest.mark.skipif(TSC is None, reason="there is no tsc to compile it")
def test_its_types_let_pass_what_they_should() -> None:
    assert TSC is not None
    done = subprocess.run([TSC, "-p", "."], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
