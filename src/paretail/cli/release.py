"""`paretail release`: whether a bundle or a setting may go live, from a log of what is served, and its going live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from paretail.evaluate.release import Release
    from paretail.pipeline.release import Proposal


def release(
    *,
    bundle: Path,
    log: Path,
    candidate: Path | None = None,
    setting: str | None = None,
    policy: str | None = None,
    placement: str | None = None,
    goal: Literal["clicks", "purchases", "revenue", "profit"] = "revenue",
    margin: float = 2.0,
    of: int = 1,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    start: Path | None = None,
    name: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Say whether a new bundle, a setting or an agent may replace what the log shows, and act: ship, experiment, keep.

    The exit code is 0 for ship, 3 for experiment, 4 for keep, so that a script can stop there.

    Parameters
    ----------
    bundle
        The bundle that is live.
    log
        Events of what is served now, that the bundle in question was not trained on, in the columns and words of
        training or as `events export --impressions` writes them: impressions with request_id, position and propensity,
        and what followed.
    candidate
        Another bundle, which would go live in its place: with `ship` its version becomes the current one of `--bundle`,
        and a service that serves it picks it up.
    setting
        The goals, such as `revenue=0.5,diversity=0.2`, or `today` for `[policy] base`. Where none are given a candidate
        is judged with the `[serve] goals` of `--start`, else with `today`.
    policy
        An agent of the bundle, or of the candidate, in place of composed slates. It is judged by clicks and purchases
        of a visit that it did not learn on; beside `--setting revenue=0.5`, by what goals bring under these dials, of
        an agent that learned for several goals.
    placement
        The lists that the agent would fill, `for-you` unless told. Of a setting or a candidate: judge it by lists of
        this placement alone, which an export of the store tells; by default by all but those of a page that have
        candidates of their own. Where the log has others too, an experiment is of this placement, and nothing that
        ships is put live, since that would be for the lists of all.
    goal
        What must not suffer.
    margin
        By how many percent it may be worse at most, with 95 % certainty.
    of
        How many verdicts are asked of this log, settings times looks while it grows; each has its part of the error.
    k
        Length of the slates.
    start
        The shop.toml of the service. `experiment` writes a small experiment of the candidate, setting or agent into it;
        `ship` writes a setting into it as what lists serve, `[serve] goals`, an agent as what fills the lists of the
        placement, `[[serve.policies]]`.
    name
        What that experiment is called; by default the candidate, setting or agent.
    dry_run
        Say what the verdict is and change nothing.
    json
        Print everything as JSON.
    """
    from dataclasses import replace

    from paretail.cli.goal_tables import EXITS
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json
    from paretail.pipeline.config import PlacementConfig, load_config
    from paretail.pipeline.recommend import check_k
    from paretail.pipeline.release import Proposal, carry_out

    check_k(k)
    _check(margin, of, candidate, setting, policy)
    served = None if start is None else load_config(start).serve.goals
    what = Proposal(bundle, candidate, setting, policy, served, placement or PlacementConfig().placement)
    found, told, by_alone = _judged(what, log, goal, margin, of, k, json, placement)
    done = [] if dry_run else carry_out(replace(what, alone=by_alone), found.verdict, goal, margin / 100, start, name)
    if json:
        print_json({**told, "done": done})
    for line in () if json else done:
        console.print(line, markup=False, soft_wrap=True)
    raise SystemExit(EXITS[found.verdict])


def _check(margin: float, of: int, candidate: Path | None, setting: str | None, policy: str | None) -> None:
    from paretail.core.errors import Problem, UsageError

    if not 0 <= margin < 100 or of < 1:
        told = f"--margin {margin:g} --of {of}"
        expected = "Expected a margin from 0 to 100 percent, and --of 1 or more"
        raise UsageError(Problem("CLI-29", told, expected, "Correct it"))
    if setting is None and candidate is None and policy is None:
        expected = "Expected a candidate, a setting, a policy, or some of them"
        raise UsageError(Problem("CLI-29", "nothing to release", expected, "Say what would go live"))


def _judged(
    what: "Proposal", log: Path, goal: str, margin: float, of: int, k: int, json: bool, placement: str | None
) -> "tuple[Release, dict[str, Any], str | None]":
    """Judge a proposal and print the verdict; returns it, what JSON tells of it, and by which placement alone."""
    from paretail.cli import goal_tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import progress
    from paretail.pipeline.forecast import Forecasts
    from paretail.pipeline.holdout import read_events
    from paretail.pipeline.listed import alone
    from paretail.pipeline.recommender import Recommender
    from paretail.policy import goals

    recommender = Recommender.load(what.judged)
    events = read_events(log, recommender.manifest.config)
    if what.policy is not None:
        from paretail.pipeline.agent_release import release_policy

        aim = None if what.setting is None or what.goals is None else goals.parse(what.goals)
        judged = release_policy(recommender, events, what.policy, 0.0, margin / 100, of, aim)
        if not json:
            goal_tables.agent_release(console, judged.release, what.policy)
            for remark in judged.remarks:
                console.print(f"Mind: {remark}", markup=False, soft_wrap=True)
        told = goal_tables.agent_release_json(judged.release, what.policy)
        return judged.release, told | {"remarks": judged.remarks}, None
    with progress() as tell:
        ready = Forecasts.of(recommender, events, k, tell, placement)
        asked = None if what.goals is None else goals.parse(what.goals)
        found = ready.release(asked, goal, margin / 100, of)
    per = ready.steering.per(goal)
    if not json:
        goal_tables.release(console, found, goal, margin, per)
        for remark in ready.remarks:
            console.print(f"Mind: {remark}", markup=False, soft_wrap=True)
    told = goal_tables.release_json(found, goal, per) | {"remarks": ready.remarks}
    return found, told, alone(events, placement)
