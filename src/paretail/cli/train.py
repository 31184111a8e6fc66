"""`paretail train`: from the shop's files to a bundle."""

from pathlib import Path


def train(*, config: Path, out: Path, seed: int | None = None, budget: str | None = None, json: bool = False) -> None:
    """Import the shop's data, choose settings on a split of them, fit, and publish a new version of a bundle.

    Parameters
    ----------
    config
        The shop.toml.
    out
        The bundle's folder; a new version is added where there is one already.
    seed
        Seed of every random stream, instead of `[train] seed`.
    budget
        Time that choosing settings may take, such as `90s` or `10m`, instead of `[train] budget`.
    json
        Print what was done as JSON.
    """
    from paretail.cli import tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.pipeline.config import load_config, seconds
    from paretail.pipeline.train import train as run

    shop = load_config(config)
    limit = None if budget is None else seconds(budget)
    with progress() as tell:
        trained = run(shop, config.parent, out, seed=seed, budget_seconds=limit, progress=tell)
    if json:
        print_json({"version": trained.version, "facts": trained.facts, "metrics": trained.choice.metrics})
        return
    tables.trained(console, trained, out)
