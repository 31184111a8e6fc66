"""The command line: one file a verb, imported when it is called."""

import _thread
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError

from paretail import __version__
from paretail.core.errors import ParetailError, Problem

app = App(
    name="paretail",
    version=__version__,
    help="The self-hosted recommender that an online shop can steer.",
    suppress_keyboard_interrupt=False,  # `main` tells it
)
#: verb -> the function that does it, and what `paretail --help` says of it without importing it
VERBS = {
    "init": ("paretail.cli.init:init", "Look at the shop's files and write a first shop.toml."),
    "check": ("paretail.cli.check:check", "Check the health of the data."),
    "import": ("paretail.cli.import_:import_", "Check the data and write them as one clean folder."),
    "train": ("paretail.cli.train:train", "Learn from the data and publish a bundle."),
    "update": ("paretail.cli.update:update", "Add what is new to a bundle, without searching anew."),
    "recommend": ("paretail.cli.recommend:recommend", "Write the best items for users."),
    "similar": ("paretail.cli.similar:similar", "Write the items that go with items."),
    "predict": ("paretail.cli.predict:predict", "Write what pairs of users and items are worth."),
    "pareto": ("paretail.cli.pareto:pareto", "Measure what slates can bring in several goals at once."),
    "forecast": ("paretail.cli.forecast:forecast", "Estimate from a log what settings of the goals would bring."),
    "release": ("paretail.cli.release:release", "Put a bundle or setting live if a log says it is not worse."),
    "experiment": ("paretail.cli.experiment:experiment", "Say where the experiments of a shop stand, and end them."),
    "compare": ("paretail.cli.compare:compare", "Train several models and tell what each is worth and costs."),
    "search": ("paretail.cli.search:search", "Search for a graph model of the shop's own."),
    "evaluate": ("paretail.cli.evaluate:evaluate", "Measure a bundle on events that it has not seen."),
    "learn": ("paretail.cli.learn:learn", "Learn an agent over sessions in the simulated shop."),
    "loop": ("paretail.cli.loop:loop", "Run a simulated shop that learns and releases, day by day."),
    "serve": ("paretail.cli.serve:serve", "Answer over HTTP."),
    "items": ("paretail.cli.items:app", "Put a file of items into a store."),
    "users": ("paretail.cli.users:app", "Put a file of users into a store."),
    "events": ("paretail.cli.events:app", "Put events into a store, or write a store's events to a file."),
    "store": ("paretail.cli.store:app", "Look at a store of live data, back it up, restore it, make it compact."),
    "keys": ("paretail.cli.keys:app", "Create, list and revoke API keys of the service."),
    "bundles": ("paretail.cli.bundles:app", "List the versions of a bundle, choose one, or go back."),
    "demo": ("paretail.cli.demo:demo", "From a demo shop's files to an answer over HTTP."),
}
for _verb, (_function, _about) in VERBS.items():
    app.command(_function, name=_verb, help=_about)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        with _no_interruption_is_lost():
            app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(2)
    except ParetailError as error:
        _tell(error.problems)
        sys.exit(error.exit_code)
    except OSError as error:
        do = "Correct the path, its rights, or the room on that disk"
        found = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _tell([Problem("CLI-14", found, "A file or folder that can be used", do)])
        sys.exit(1)
    except KeyboardInterrupt:
        print("paretail: interrupted; nothing was left half-written", file=sys.stderr)
        sys.exit(130)


@contextmanager
def _no_interruption_is_lost() -> Iterator[None]:
    """Send Ctrl-C again when it hit a destructor: Python ignores what one raises (numba's compiler runs many)."""
    before = sys.unraisablehook

    def hook(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(0.05, _thread.interrupt_main).start()  # at once it would be raised, and ignored, in here
        else:
            before(ignored)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _tell(problems: Sequence[Problem]) -> None:
    """Print one line a problem, without what a terminal would obey: names may come from damaged files."""
    for problem in problems:
        line = "".join(mark if mark.isprintable() else "\ufffd" for mark in str(problem))
        print(f"paretail: {line}", file=sys.stderr)
