"""`paretail pareto`: what a bundle's slates can bring in several goals at once."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def pareto(
    *,
    bundle: Path,
    goals: str = "revenue,diversity",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    yardstick: str | None = None,
    seed: int = 0,
    out: Path | None = None,
    png: bool = False,
    json: bool = False,
) -> None:
    """Measure the front of goals on requests of the log: which settings nothing beats, and where today's slates are.

    Parameters
    ----------
    bundle
        The trained bundle, with a ranker.
    goals
        Two, three or four goals, with commas.
    k
        Length of the slates.
    yardstick
        Also search the weights by evolution, `nsga2`, `nsga3` or `moead`, with 20 times as many weightings; needs the
        extra `evolve`.
    seed
        Seed of the yardstick.
    out
        A folder for pareto.json and pareto.html.
    png
        Also write pareto.png there; needs the extra `plots`.
    json
        Print everything as JSON.
    """
    from paretail.cli import goal_tables
    from paretail.cli.tables import as_json
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.core.errors import Problem, UsageError
    from paretail.core.files import atomic_file, check_writable
    from paretail.pipeline.pareto import asked, measure
    from paretail.pipeline.pareto_page import page
    from paretail.pipeline.pareto_picture import check_there, write_png
    from paretail.pipeline.recommend import check_k
    from paretail.pipeline.recommender import Recommender

    check_k(k)
    if png:
        check_there()
        if out is None:
            raise UsageError(Problem("CLI-27", "--png without --out", "Expected a folder for it", "Add --out FOLDER"))
    if out is not None:
        check_writable(out)
    with progress() as tell:
        found = measure(Recommender.load(bundle), asked(goals), k, yardstick, seed, tell)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_file(out / "pareto.json") as aside:
            aside.write_text(as_json(found.to_json()), encoding="utf-8")
        with atomic_file(out / "pareto.html") as aside:
            aside.write_text(page(found), encoding="utf-8")
        if png:
            write_png(found, out / "pareto.png")
    if json:
        print_json(found.to_json())
    else:
        goal_tables.front(console, found, out)
