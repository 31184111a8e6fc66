"""`paretail forecast`: what settings of the goals would have brought, from a log of what was shown."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def forecast(
    *,
    bundle: Path,
    log: Path,
    settings: Path | None = None,
    goals: str | None = None,
    placement: str | None = None,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    json: bool = False,
) -> None:
    """Estimate from the shop's own log what settings would have brought, and say where the log cannot tell.

    Parameters
    ----------
    bundle
        The trained bundle, with a ranker.
    log
        Events that it was not trained on, in the columns and words of training or as `events export --impressions`
        writes them: impressions with request_id, position and propensity, and what followed.
    settings
        A file of settings, one a line, as for `recommend`. Without it and `--goals` each goal that can be had is turned
        up alone to 25 and 50 % of its range.
    goals
        One setting.
    placement
        Lists of this placement alone, which an export of the store tells; by default all count alike but those of a
        page that choose among candidates of their own (because-you-bought, trending, new, your-categories).
    k
        Length of the slates; further positions of the log are not looked at.
    json
        Print everything as JSON.
    """
    from paretail.cli import goal_tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.errors import Problem, UsageError
    from paretail.pipeline.forecast import GRID, Forecasts
    from paretail.pipeline.holdout import read_events
    from paretail.pipeline.recommend import check_k
    from paretail.pipeline.recommender import Recommender
    from paretail.pipeline.steered import TODAY, Settings

    check_k(k)
    if goals is not None and settings is not None:
        do = "Name the settings to forecast once"
        raise UsageError(Problem("CLI-28", "--goals beside --settings", "Expected one of them, or none", do))
    named = Settings.of_line(goals) if goals is not None else None
    named = Settings.of_file(settings) if settings is not None else named
    recommender = Recommender.load(bundle)
    with progress() as tell:
        ready = Forecasts.of(recommender, read_events(log, recommender.manifest.config), k, tell, placement)
        asked = ready.grid if named is None else dict(named.goals)
        lines = [*ready.live(), *ready.lines({TODAY: None} | asked)]
    if json:
        print_json([goal_tables.forecast_json(line) | {"remarks": ready.remarks} for line in lines])
    else:
        if named is None:
            shares = " and ".join(f"{share:.0%}" for share in GRID)
            console.print(f"No setting was named: each goal alone at {shares} of its range")
        goal_tables.forecast(console, lines, len(ready.user), ready.pool.shape[0])
        for remark in ready.remarks:
            console.print(f"Mind: {remark}", markup=False, soft_wrap=True)
