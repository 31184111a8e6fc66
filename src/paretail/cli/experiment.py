"""`paretail experiment`: where the experiments of a shop stand."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from paretail.core.errors import Problem
    from paretail.pipeline.config import ShopConfig
    from paretail.pipeline.experiments.config import ExperimentConfig
    from paretail.pipeline.experiments.looking import Status


def experiment(
    *,
    config: Path,
    store: Path | None = None,
    name: str | None = None,
    finish: bool = False,
    json: bool = False,
) -> None:
    """Say where the experiments of a shop.toml stand, from its store: effects, intervals, and what to do.

    The exit code is 0 for ship, 3 for go on, 4 for keep and stop (of several arms the first of these); an experiment
    that cannot be read, as its assignment is broken or nobody saw it, is told as an error, and the others go on.

    Parameters
    ----------
    config
        The shop.toml with `[[experiments]]`.
    store
        The folder of live data; by default the one of `[serve]`.
    name
        Which experiment; by default all.
    finish
        End what is decided: an experiment that says ship, keep or stop is set inactive in shop.toml, and the arm that
        ships goes live, its bundle as the live one's current version, its goals as `[serve] goals`.
    json
        Print everything as JSON.
    """
    from paretail.cli.terminal import err, print_json
    from paretail.core.errors import DataError
    from paretail.pipeline.config import load_config
    from paretail.pipeline.experiments import ending

    shop = load_config(config)
    wanted = _wanted(shop, config, name)
    bundle = None if shop.serve.bundle is None else config.parent / shop.serve.bundle
    told, refused = _looked(_store(shop, config, store, bundle), wanted, shop.data.currency, bundle)
    if not told:
        raise DataError(refused)
    done = {one: ending.finish(config, wanted[one], each, bundle) if finish else [] for one, each in told.items()}
    if json:
        print_json([{"experiment": one, **_plain(status), "done": done[one]}
                    for one, each in told.items() for status in each])  # fmt: skip
    for one, status in () if json else [(one, status) for one, each in told.items() for status in each]:
        _print(one, status, done[one])
    for problem in refused:
        err.print(str(problem), markup=False, soft_wrap=True)
    verdicts = [status.verdict for each in told.values() for status in each]
    raise SystemExit(0 if "ship" in verdicts else 3 if "go on" in verdicts else 4)


def _wanted(shop: "ShopConfig", config: Path, name: str | None) -> "dict[str, ExperimentConfig]":
    from paretail.core.errors import Problem, UsageError, nearest

    if wanted := {one.name: one for one in shop.experiments if name in (None, one.name)}:
        return wanted
    names = [one.name for one in shop.experiments]
    found = f"{config.name} has no experiment" + (f" {name!r}" if name else "")
    expected = f"Expected {nearest(name, names)}" if name and names else "Expected one in [[experiments]]"
    raise UsageError(Problem("EXPT-05", found, expected, "Name one, or write one (see docs/release.md)"))


def _store(shop: "ShopConfig", config: Path, store: Path | None, bundle: Path | None) -> Path:
    """Return the folder of live data: the one that is named, that of `[serve]`, else the one beside the bundle."""
    from paretail.cli.serve import beside
    from paretail.core.errors import Problem, UsageError

    folder = store or (config.parent / shop.serve.store if shop.serve.store else bundle and beside(bundle))
    if folder is None:
        raise UsageError(Problem("CLI-07", "no store to read", "--store FOLDER, or [serve] in shop.toml", "Name one"))
    return folder


def _looked(
    folder: Path, wanted: "dict[str, ExperimentConfig]", currency: str, bundle: Path | None
) -> "tuple[dict[str, list[Status]], list[Problem]]":
    """Return where experiments stand, by name, and why others cannot be read."""
    from contextlib import closing

    from paretail.core.clock import now_ms
    from paretail.core.errors import DataError
    from paretail.core.money import minor_per_major
    from paretail.data.stores.embedded import EmbeddedStore
    from paretail.pipeline.experiments.looking import look

    told: dict[str, list[Status]] = {}
    refused: list[Problem] = []
    with closing(EmbeddedStore.open(folder, create=False)) as opened:
        known = _catalogue(bundle)
        for name, settled in wanted.items():
            try:
                told[name] = look(opened, settled, now_ms(), minor_per_major(currency), known)
            except DataError as error:
                refused += error.problems
    return told, refused


def _plain(status: "Status") -> dict[str, object]:
    """Return a status for JSON, which has no infinite ends of intervals."""
    from dataclasses import asdict

    told = asdict(status)
    for effect in told["effects"]:
        effect |= {name: effect[name] if isfinite(effect[name]) else None for name in ("low", "high")}
    return told


def _print(experiment: str, status: "Status", done: list[str]) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    from paretail.cli.terminal import out as console
    from paretail.evaluate.experiments.sequences import LEAST

    because = f" ({', '.join(status.because)})" if status.because else ""
    left_out = f"; {status.left_out:,} left out, who were in it by two ids before a login" if status.left_out else ""
    console.print(
        f"{escape(experiment)}, {escape(status.arm)}: [bold]{status.verdict}[/bold]{because}; {status.users:,} users "
        f"against {status.incumbent_users:,}{left_out}", soft_wrap=True,
    )  # fmt: skip
    table = Table("a user", "better", "incumbent", "candidate", "difference", "95 % at every look", box=SIMPLE)
    for one in status.effects:
        means = f"{one.incumbent:.4g}", f"{one.candidate:.4g}", f"{one.difference:+.4g}"
        name = one.metric if one.unit == one.metric else f"{one.metric} ({one.unit})"
        none = f"from {LEAST} users in each arm on, not all alike"
        ends = f"{one.low:+.4g} to {one.high:+.4g}" if isfinite(one.low) else none
        table.add_row(name, one.better, *means, ends)
    console.print(table)
    for line in done:
        console.print(line, markup=False, soft_wrap=True)


def _catalogue(bundle: Path | None) -> "pl.DataFrame | None":
    """Return what the bundle that is served knows of items, None without one."""
    from paretail.pipeline.bundle import Bundle, current_or_none

    there = bundle is not None and current_or_none(bundle)
    return Bundle.load(bundle).tables["items"] if bundle is not None and there else None
