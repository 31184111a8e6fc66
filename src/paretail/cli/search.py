"""`paretail search`: a graph model of the shop's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretail.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from paretail.search.config import SearchConfig


def search(
    *,
    config: Path,
    out: Path = Path("search"),
    bundle: Path | None = None,
    trials: int | None = None,
    budget: str | None = None,
    strategy: str | None = None,
    goals: str = "accuracy",
    pick: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
    seed: int | None = None,
    json: bool = False,
) -> None:
    """Search for the graph model that suits the shop, on its own events, and publish it as a bundle.

    A search that was interrupted goes on where it was: call it again.

    Parameters
    ----------
    config
        The shop.toml; `[search]` says more, such as which fields are fixed.
    out
        A folder for search.html, search.json and every evaluation.
    bundle
        The bundle to publish to, by default OUT/bundle. Where it has a version already, it is left as it is, and the
        new one is published beside, in OUT/candidate, for `paretail release`.
    trials
        How many architectures are tried, instead of `[search] trials`.
    budget
        Time that the trials may take, such as 90s, 20m or 2h, instead of `[search] budget`.
    strategy
        Who says what to try, instead of `[search] strategy`; `auto` is the best that we measured.
    goals
        With commas: accuracy, latency, memory, cold, coverage, diversity. Of several, a front is found.
    pick
        A trial's number, a preset that is in the space by its name, or a goal: what to publish, instead of what the
        rule says.
        After a search, call the same with `--pick`: no trial is done again.
    workers
        Processes that train side by side, by default one for each core; not with `--ray`. Results do not depend on it.
    ray
        The address of a Ray cluster, such as HOST:6379, or `auto`: trials run on its machines; needs the extra `ray`.
    seed
        Seed of every random stream, instead of `[train] seed`.
    json
        Print everything as JSON.
    """
    from paretail.cli import search_tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.errors import Problem
    from paretail.pipeline.config import load_config
    from paretail.pipeline.search import Asked
    from paretail.pipeline.search import search as run
    from paretail.search.goals import parsed

    shop = load_config(config)
    given = {"trials": trials, "budget": budget, "strategy": strategy}
    shop = shop.model_copy(update={"search": overridden(shop.search, given)})
    if workers is not None and workers < 1:
        raise UsageError(Problem("SRCH-19", f"--workers {workers}", "One or more", "Correct it"))
    wish = Asked(parsed(goals), workers, seed, pick, ray)
    place = bundle or out / "bundle"
    with progress() as tell:
        done = run(shop, config.parent, out, place, wish, tell)
    if json:
        print_json(done.to_json())
    else:
        search_tables.searched(console, done, out)


def overridden(settings: "SearchConfig", given: dict[str, Any]) -> "SearchConfig":
    """Return the settings with what the command line gives; raises UsageError for what it must not be."""
    there = {name: value for name, value in given.items() if value is not None}
    try:
        return type(settings).parse(settings.model_dump() | there, "the command line")
    except ConfigError as error:
        raise UsageError(error.problems) from None
