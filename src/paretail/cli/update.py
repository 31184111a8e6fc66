"""`paretail update`: from a bundle and what is new to its next version."""

from pathlib import Path


def update(*, config: Path, bundle: Path, json: bool = False) -> None:
    """Read the shop's data as `train` does, and publish what follows from a bundle's current version and what is new.

    Model, settings and weights stay as `train` chose them; models that are trained step by step go on from what they
    learned. Where nothing is new nothing is published.

    Parameters
    ----------
    config
        The shop.toml, with the [model] and [goal] that the bundle was trained for.
    bundle
        The bundle's folder; a new version is added.
    json
        Print what was done as JSON.
    """
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.pipeline.config import load_config
    from paretail.pipeline.update import update as run

    with progress() as tell:
        done = run(load_config(config), config.parent, bundle, progress=tell)
    if json:
        print_json(
            {"version": done.version, "parent": done.parent, "facts": done.facts, "page": done.page and str(done.page)}
        )
        return
    for line in done.account:
        console.print(line, soft_wrap=True, markup=False)  # it may hold [learn], which is no style
    if done.version == done.parent:
        console.print(f"Nothing is new; {done.version} stays as it is", soft_wrap=True)
        return
    console.print(f"New since {done.parent}: {done.news.told}", soft_wrap=True)
    console.print(f"Published {done.version} in {bundle} (model {done.facts['model']})", soft_wrap=True)
    console.print(f"Why, with weights and curves: {done.page}", soft_wrap=True)
