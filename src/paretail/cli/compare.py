"""`paretail compare`: several models on the shop's own split."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def compare(
    *,
    config: Path,
    models: str = "popular,knn,als,mf,blend",
    budget: str = "10m",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 20,
    seed: int = 0,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Train several models on one split of the shop's events, and tell what each is worth and what it costs.

    Parameters
    ----------
    config
        The shop.toml; `[model.settings]` go to the model that it names.
    models
        Names of the model table, with commas; `auto` is one too.
    budget
        Time for choosing settings, shared by the models, such as 90s, 20m or 2h.
    k
        Length of the lists that are judged.
    seed
        Seed of every random stream.
    out
        A folder for compare.json and compare.html.
    json
        Print everything as JSON.
    """
    from paretail.cli import tables
    from paretail.cli.terminal import out as console
    from paretail.cli.terminal import print_json, progress
    from paretail.cli.train import overridden
    from paretail.core.files import atomic_file, check_writable
    from paretail.pipeline.compare import compare as run
    from paretail.pipeline.comparison_page import page
    from paretail.pipeline.config import load_config
    from paretail.pipeline.recommend import check_k

    check_k(k)
    shop = load_config(config)
    seconds = overridden(shop.train, None, budget).budget_seconds
    if out is not None:
        check_writable(out)
    names = [name.strip() for name in models.split(",") if name.strip()]
    with progress() as tell:
        found = run(shop, config.parent, names, k=k, seed=seed, seconds=seconds, progress=tell)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_file(out / "compare.json") as aside:
            aside.write_text(tables.as_json(found.to_json()), encoding="utf-8")
        with atomic_file(out / "compare.html") as aside:
            aside.write_text(page(found), encoding="utf-8")
    if json:
        print_json(found.to_json())
    else:
        tables.comparison(console, found, out)
