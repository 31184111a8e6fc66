"""The command line answers fast, tells what is wrong in one line each, and exits as promised."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from paretail import __version__
from paretail.cli import VERBS, app, main
from paretail.core.errors import DataError, Problem

from ..trained import paretail

#: What writes help is imported anyway; all else may take as long again (a user waits for less than half a second).
WRITES_HELP = "import cyclopts, rich.markdown"
#: Libraries that help must not load; each takes a good part of that time.
HEAVY = ("numba", "polars", "scipy", "numpy", "torch", "starlette", "granian", "pydantic", "implicit", "dataframely")


def cpu_seconds(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["recommend", "--help"]])
def test_help_answers_at_once(arguments: list[str]) -> None:
    assert "Usage: paretail" in paretail(*arguments).out
    pairs = [(cpu_seconds("-m", "paretail", *arguments), cpu_seconds("-c", WRITES_HELP)) for _ in range(5)]
    assert min(asked for asked, _ in pairs) < 2 * min(alone for _, alone in pairs), pairs


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, paretail.cli; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = paretail(verb, "--help")
    assert done.code == 0
    assert f"paretail {verb}" in done.out


def test_the_version() -> None:
    assert paretail("--version").out.strip() == __version__


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["recomend"], 'Did you mean "recommend"'), (["train", "--config"], "--config"), (["train"], "--config"),
        (["recommend", "--bndle", "b", "--out", "r.csv"], "--bundle"),
        (["recommend", "--bundle", "b", "--out", "r.csv", "-k", "two"], "-k"),
        (["similar", "--bundle", "b", "--out", "r.csv", "--relation", "simlar"], 'Did you mean "similar"'),
        (["bundles", "lst", "b"], "list"), (["serve", "--port", "http"], "--port"),
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2_and_says_what_was_meant(arguments: list[str], hint: str) -> None:
    done = paretail(*arguments)
    assert done.code == 2
    assert hint in done.out + done.err
    assert "Traceback" not in done.out + done.err


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setitem(app._commands, "check", type(app)(name="check", default_command=fail))


def test_every_problem_is_one_line_and_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [Problem("DATA-07", "a", "b", "c"), Problem("DATA-08", "d\x1b[2J\n", "e", "f")]
    failing(monkeypatch, DataError(problems))
    done = paretail("check")
    assert done.code == 1
    assert done.err == "paretail: a. b. c. (DATA-07)\nparetail: d\ufffd[2J\ufffd. e. f. (DATA-08)\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/srv/x"), "paretail: /srv/x: Permission denied. A file or folder"),
        (OSError(28, "No space left on device"), "paretail: [Errno 28] No space left on device. A file or folder"),
    ],
)
def test_what_the_system_refuses_is_told_too(monkeypatch: pytest.MonkeyPatch, error: OSError, line: str) -> None:
    failing(monkeypatch, error)
    done = paretail("check")
    assert done.code == 1
    assert done.err.startswith(line)
    assert done.err.endswith("(CLI-14)\n")


def test_an_interruption_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    done = paretail("check")
    assert (done.code, done.err) == (130, "paretail: interrupted; nothing was left half-written\n")


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["check"])


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = paretail("demo", "--only-files", "--users", "50", "--events", "500", "--folder", tmp_path / "file" / "x")
    assert (done.code, "CLI-14" in done.err) == (1, True)


def test_ctrl_c_that_hits_a_destructor_is_not_lost() -> None:
    """Python prints and ignores what a destructor raises, so that the verb would run on."""
    program = """
import signal, time
import paretail.cli
class Late:
    def __del__(self): signal.raise_signal(signal.SIGINT)
def verb(*_, **__):
    Late()
    for _ in range(1000): time.sleep(0.01)
paretail.cli.app = verb
paretail.cli.main([])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (130, "paretail: interrupted; nothing was left half-written\n")
