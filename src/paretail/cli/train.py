"""`paretail train`: from the shop's files to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING

from paretail.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from paretail.pipeline.config import TrainConfig


def train(
    *,
    config: Path,
    out: Path,
    target: str | None = None,
    seed: int | None = None,
    budget: str | None = None,
    sweep: bool = False,
    from_bundle: Path | None = None,
    same_items: bool = False,
    json: bool = False,
) -> None:
    """Import the shop's data, choose settings on a split of them, fit, and publish a new version of a bundle.

    Parameters
    ----------
    config
        The shop.toml.
    out
        The bundle's folder; a new version is added where there is one already.
    target
        What lists hold: `item`, `user` (people who may be friends), `category`, `brand` or another attribute of the
        items, instead of `[goal] lists`. Where OUT holds lists of another target, the bundle is OUT/targets/TARGET.
    seed
        Seed of every random stream, instead of `[train] seed`.
    budget
        Time that choosing settings may take, such as `90s` or `10m`, instead of `[train] budget`.
    sweep
        Also report how the ranker's tasks trade off on the shop's own log: weighted sums, balancers and single-task
        models, as a page and JSON in OUT/reports. It takes minutes.
    from_bundle
        Another bundle: the ranker starts from what that one's believes, instead of from nothing; instead of `[rank]
        start_from`.
    same_items
        With --from-bundle: items of the same id are the same thing in both, as in another country of one shop.
    json
        Print what was done as JSON.
    """
    from paretail.cli import tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.pipeline.config import load_config
    from paretail.pipeline.targets import place_of
    from paretail.pipeline.train import train as run

    shop = load_config(config)
    shop = shop.model_copy(update={"train": overridden(shop.train, seed, budget)})
    if from_bundle is not None:
        begun = {"start_from": str(from_bundle.absolute()), "start_items": same_items}
        shop = shop.model_copy(update={"rank": shop.rank.model_copy(update=begun)})
    if target is not None:
        shop = shop.model_copy(update={"goal": shop.goal.model_copy(update={"lists": target})})
    out = place_of(out, shop.goal.lists)
    with progress() as tell:
        trained = run(shop, config.parent, out, sweep=sweep, progress=tell)
    if json:
        told = {"version": trained.version, "facts": trained.facts, "metrics": trained.choice.metrics}
        told |= {"page": str(trained.page)}
        if trained.tradeoff is not None:
            told |= {"sweep": trained.tradeoff.to_json(), "sweep_page": str(trained.sweep)}
        print_json(told)
        return
    tables.trained(console, trained, out)


def overridden(settings: "TrainConfig", seed: int | None, budget: str | None) -> "TrainConfig":
    """Return the settings with what the command line gives; raises UsageError for what it must not be."""
    given = {name: value for name, value in (("seed", seed), ("budget", budget)) if value is not None}
    try:
        return type(settings).parse(settings.model_dump() | given, "the command line")
    except ConfigError as error:
        raise UsageError(error.problems) from None
