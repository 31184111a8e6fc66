"""`paretail loop`: a shop that serves, learns and releases, day by day, in simulation."""

from pathlib import Path
from typing import Literal


def loop(
    *,
    out: Path,
    days: int = 30,
    env: Literal["sim"] = "sim",
    agent: str = "iql",
    visits: int = 200,
    explore: float = 0.2,
    settled: float = 0.05,
    margin: float = 2.0,
    seed: int = 0,
    json: bool = False,
) -> None:
    """Run serve, feedback, retrain, forecast and release day by day in the simulated shop.

    Tell what it brought beside the first day's policy, frozen, and an oracle.

    Parameters
    ----------
    out
        A folder for report.html and report.json.
    days
        How many days.
    env
        `sim`: the simulated shop in its frozen settings.
    agent
        What is learned from the log: `iql`, `cql` or `bcq`.
    visits
        Visits a day.
    explore
        The share of slots that are filled at random at first; their odds are logged.
    settled
        The share once an agent has been learned: good slates lose more by random slots.
    margin
        By how many percent a release may be worse at most, as a trial tells.
    seed
        Seed of the shop and of all that happens.
    json
        Print everything as JSON.
    """
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.files import check_writable
    from paretail.pipeline.loop import Asked, Loop, kept
    from paretail.pipeline.loop_page import bars

    asked = Asked(days, seed, visits, agent, explore, settled, margin / 100)
    asked.check()
    check_writable(out)
    with progress() as tell:
        looped = Loop(asked, tell).run()
    kept(looped, out)
    if json:
        print_json(looped.to_json())
        return
    for day in looped.days:
        if day.decided not in ("none", "trial goes on"):
            truth = "" if day.truth is None else f"; in truth {day.truth:+.1f} %"
            console.print(f"Day {day.day}: {day.decided}{truth}", markup=False)
    for line in bars(looped):
        console.print(line, markup=False)
    over = looped.total("reward") / looped.total("frozen") - 1
    stopped = ", ".join(map(str, looped.should_have_stopped)) or "none"
    console.print(f"{over:+.1%} over frozen; releases that the gate should have stopped: {stopped}", markup=False)
    console.print(f"Curves: {out}/report.html", markup=False, soft_wrap=True)
