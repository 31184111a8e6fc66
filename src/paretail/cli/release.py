"""`paretail release`: whether a setting may go live, from a log of what is served now."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

from cyclopts import Parameter

if TYPE_CHECKING:
    from paretail.pipeline.recommender import Recommender


def release(
    *,
    bundle: Path,
    log: Path,
    setting: str | None = None,
    policy: str | None = None,
    goal: Literal["clicks", "purchases", "revenue", "profit"] = "revenue",
    margin: float = 2.0,
    of: int = 1,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    start: Path | None = None,
    name: str | None = None,
    json: bool = False,
) -> None:
    """Say whether slates under a setting, or an agent's, may replace what the log shows: ship, experiment or keep.

    The exit code is 0 for ship, 3 for experiment, 4 for keep, so that a script can stop there.

    Parameters
    ----------
    bundle
        The bundle that would go live.
    log
        Events of what is served now, that it was not trained on: impressions with request_id, position and
        propensity, and what followed.
    setting
        The goals, such as `revenue=0.5,diversity=0.2`, or `today` for `[policy] base`.
    policy
        In place of a setting: an agent of the bundle. It is judged by clicks and purchases of a visit.
    goal
        What must not suffer.
    margin
        By how many percent it may be worse at most, with 95 % certainty.
    of
        How many settings are judged on this log; each has its part of the error.
    k
        Length of the slates.
    start
        A shop.toml into which a small experiment of the setting is written where the verdict is `experiment`.
    name
        What that experiment is called; by default the setting.
    json
        Print everything as JSON.
    """
    from paretail.cli import goal_tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.errors import Problem, UsageError
    from paretail.pipeline.forecast import TODAY, Forecasts
    from paretail.pipeline.holdout import read_events
    from paretail.pipeline.recommend import check_k
    from paretail.pipeline.recommender import Recommender
    from paretail.policy import goals

    check_k(k)
    if not 0 <= margin < 100 or of < 1:
        told = f"--margin {margin:g} --of {of}"
        expected = "Expected a margin from 0 to 100 percent, and --of 1 or more"
        raise UsageError(Problem("CLI-29", told, expected, "Correct it"))
    if (setting is None) == (policy is None):
        told = f"--setting {setting} --policy {policy}"
        raise UsageError(Problem("CLI-29", told, "Expected one of them", "Say what would go live"))
    recommender = Recommender.load(bundle)
    if policy is not None:
        _release_policy(recommender, log, policy, margin / 100, of, json)
    assert setting is not None
    asked = None if setting == TODAY else goals.parse(setting)
    with progress() as tell:
        ready = Forecasts.of(recommender, read_events(log, recommender.manifest.config), k, tell)
        found = ready.release(asked, goal, margin / 100, of)
    if json:
        print_json(goal_tables.release_json(found, goal, ready.steering.per(goal)))
    else:
        goal_tables.release(console, found, goal, margin, ready.steering.per(goal))
    if start is not None and found.verdict == "experiment" and asked is not None:
        from paretail.pipeline.experiments.starting import begin

        begun = begin(start, name or setting, setting, goal, margin / 100)
        if not json:
            console.print(f"Experiment {begun!r} is in {start}: serve with it, and ask paretail experiment --config "
                          f"{start}", markup=False, soft_wrap=True)  # fmt: skip
    raise SystemExit(goal_tables.EXITS[found.verdict])


def _release_policy(recommender: "Recommender", log: Path, policy: str, margin: float, of: int, json: bool) -> NoReturn:
    """Judge an agent, say so and exit."""
    from paretail.cli.goal_tables import EXITS
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json
    from paretail.pipeline.agent_release import release_policy
    from paretail.pipeline.holdout import read_events

    found = release_policy(recommender, read_events(log, recommender.manifest.config), policy, 0.0, margin, of)
    ends = None if found.refused else [found.low, found.high]
    if json:
        told = [problem.found for problem in found.refused]
        print_json({"policy": policy, "verdict": found.verdict, "incumbent": found.incumbent, "interval": ends,
                    "refused": told})  # fmt: skip
    else:
        console.print(f"{policy}: {found.verdict}", markup=False)
        for problem in found.refused:
            console.print(f"The log cannot tell: {problem.found}. {problem.expected}", markup=False, soft_wrap=True)
        if ends is not None:
            console.print(f"A visit brings {ends[0]:+.3f} to {ends[1]:+.3f} beyond the margin", markup=False)
    raise SystemExit(EXITS[found.verdict])
