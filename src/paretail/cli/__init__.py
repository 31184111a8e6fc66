"""The command line: one file a verb, imported when it is called."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from paretail import __version__
from paretail.core.errors import ParetailError

app = App(
    name="paretail",
    version=__version__,
    help="The self-hosted recommender that an online shop can steer.",
)
#: verb -> the function that does it
VERBS = {
    "init": "paretail.cli.init:init",
    "check": "paretail.cli.check:check",
    "import": "paretail.cli.import_:import_",
    "train": "paretail.cli.train:train",
    "recommend": "paretail.cli.recommend:recommend",
    "similar": "paretail.cli.similar:similar",
    "evaluate": "paretail.cli.evaluate:evaluate",
    "serve": "paretail.cli.serve:serve",
    "bundles": "paretail.cli.bundles:app",
    "demo": "paretail.cli.demo:demo",
}
for _verb, _function in VERBS.items():
    app.command(_function, name=_verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(2)
    except ParetailError as error:
        for problem in error.problems:
            print(f"paretail: {problem}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("paretail: interrupted; nothing was left half-written", file=sys.stderr)
        sys.exit(130)
