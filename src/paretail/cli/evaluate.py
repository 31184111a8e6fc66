"""`paretail evaluate`: how good a bundle is on events that it has not seen."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def evaluate(
    *,
    bundle: Path,
    holdout: Path,
    target: str | None = None,
    k: Annotated[list[int] | None, Parameter(name=["-k", "--k"])] = None,
    exclude: str | None = None,
    against: str = "popular",
    json: bool = False,
) -> None:
    """Measure a bundle on held-out events, beside baselines fitted on the same history.

    Parameters
    ----------
    bundle
        The trained bundle.
    holdout
        Events after training, with the columns and words of the training events.
    target
        As for `recommend`: which of the shop's bundles is measured.
    k
        Lengths of lists to measure at; default 10 and 20.
    exclude
        As for `recommend`; held-out pairs that the user had before under these kinds are not asked for.
    against
        Baselines, with commas, such as popular,als,mf; `none` for no baseline. They are fitted with their default
        settings on all that the bundle was: events, catalogue, people.
    json
        Print every metric and segment as JSON.
    """
    from dataclasses import asdict

    from paretail.cli import tables
    from paretail.cli.terminal import out, print_json, progress
    from paretail.pipeline.evaluate import evaluate_bundle
    from paretail.pipeline.targets import bundle_of

    kinds = None if exclude is None else [word.strip() for word in exclude.split(",")]
    rivals = [] if against == "none" else [name.strip() for name in against.split(",")]
    with progress() as tell:
        found = evaluate_bundle(
            bundle_of(bundle, target), holdout, ks=k or (10, 20), exclude=kinds, against=rivals, progress=tell
        )
    if json:
        print_json(asdict(found))
    else:
        tables.evaluation(out, found)
