"""`paretail learn`: an agent that learns over sessions."""

from pathlib import Path


def learn(
    *,
    out: Path,
    agent: str = "ppo",
    env: str = "sim",
    steps: int = 100_000,
    minutes: float = 0.0,
    seed: int = 0,
    stretch: int = 10_000,
    patience: int = 5,
    visits: int = 250,
    json: bool = False,
) -> None:
    """Learn an agent in the simulated shop, judge it on users that it did not learn on, and keep the best.

    Parameters
    ----------
    out
        A folder: the best agent goes to OUT/agent, the report to OUT/report.html. A run that stands there goes on.
    agent
        `ppo`, `dqn` or `reinforce`.
    env
        `sim`: the shop with boredom, slates of 10 of 1,000 items, in its frozen settings.
    steps
        Slates shown while learning, at most.
    minutes
        Minutes that learning may take; 0: no bound.
    seed
        Seed of the shop and of learning.
    stretch
        Slates between two looks at held-out visits.
    patience
        Looks without a better one after which learning ends.
    visits
        Held-out visits of a look.
    json
        Print how it went as JSON.
    """
    from paretail.cli import tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.files import check_writable
    from paretail.pipeline.learning import Asked
    from paretail.pipeline.learning import learn as run

    asked = Asked(agent, env, steps, minutes, seed, stretch, patience, visits)
    asked.check()
    check_writable(out)
    with progress() as tell:
        learned = run(asked, out, tell)
    if json:
        print_json(learned.to_json())
        return
    tables.learned(console, learned, out)
