"""`paretail learn`: an agent that learns over sessions."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def learn(
    *,
    out: Path,
    agent: str = "ppo",
    env: str = "sim",
    steps: int | None = None,
    minutes: float = 0.0,
    seed: int = 0,
    seeds: int = 3,
    stretch: int | None = None,
    patience: int = 5,
    visits: int = 250,
    bundle: Path | None = None,
    log: Path | None = None,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    dials: bool = False,
    publish: bool = False,
    json: bool = False,
) -> None:
    """Learn an agent in the simulated shop or from a log, judge it on users that it did not learn on, keep the best.

    Parameters
    ----------
    out
        A folder: the best agent goes to OUT/agent, each seed to a folder, the report to OUT/report.html. A run that
        stands there goes on.
    agent
        `ppo`, `dqn` or `reinforce`, which learn by trying; `cql`, `bcq` or `iql`, which learn from logs. With `--env
        logs` the former try what they do in a model of users that is fitted to the log.
    env
        `sim`: the shop with boredom, slates of 10 of 1,000 items, in its frozen settings, or for agents that learn from
        logs, a log of 2,000 visits to it. `logs`: the shop's own log.
    steps
        At most so many slates shown while learning (by default 100,000), or steps of the optimiser for agents that
        learn from logs (300), by each seed.
    minutes
        Minutes that learning may take, all seeds together; 0: no bound.
    seed
        Seed of the shop, and the first of learning.
    seeds
        How many seeds learn, one after the other; the best is kept, all are reported.
    stretch
        Steps between two looks at held-out visits; by default 10,000, or 100 for agents that learn from logs.
    patience
        Looks without a better one after which learning ends.
    visits
        Held-out visits of a look, in the simulated shop.
    bundle
        With `--env logs`: the bundle whose answers the log is of.
    log
        With `--env logs`: events of what was shown, that the bundle was not trained on: impressions with request_id and
        position, and what followed.
    k
        With `--env logs`: the length of the slates; lists of fewer items are left out.
    dials
        With `--env logs` and an agent that learns by trying: one agent for all weightings of clicks, purchases and
        revenue, which the goals of a question set.
    publish
        With `--env logs`: put the best agent into the bundle, as a new version of it; `[[serve.policies]]` lets it
        serve.
    json
        Print how it went as JSON.
    """
    from paretail.cli import tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.files import check_writable
    from paretail.pipeline.learning import FROM_LOGS, STEPS, STRETCH, Asked
    from paretail.pipeline.learning import learn as run

    logs = agent in FROM_LOGS
    steps, stretch = (STEPS[logs] if steps is None else steps), (STRETCH[logs] if stretch is None else stretch)
    served, shown = (None if path is None else str(path) for path in (bundle, log))
    asked = Asked(agent, env, steps, minutes, seed, stretch, patience, visits, served, shown, k, publish, seeds, dials)
    asked.check()
    check_writable(out)
    with progress() as tell:
        learned = run(asked, out, tell)
    if json:
        print_json(learned.to_json())
        return
    tables.learned(console, learned, out)
