"""`paretail bundles`: list the versions of a bundle, choose one, take in that of another bundle, go back."""

from pathlib import Path

from cyclopts import App

app = App(name="bundles", help="List the versions of a bundle, choose one, or go back to the one before.")


@app.command(name="list")
def list_versions(bundle: Path, *, json: bool = False) -> None:
    """List the versions of a bundle, oldest first, with their main figure; `*` marks the current one.

    Parameters
    ----------
    bundle
        The bundle's folder.
    json
        Print JSON.
    """
    from paretail.cli.terminal import out, print_json
    from paretail.pipeline.bundle import current_or_none, describe

    rows, now = describe(bundle), current_or_none(bundle)
    if json:
        print_json({"current": now, "versions": rows})
        return
    for row in rows:
        mark = "*" if row["version"] == now else " "
        out.print(f"{mark} {row['version']}  {row['created']}  {row['model']}  {row['figure']}", soft_wrap=True)
    if now is None:
        out.print(f"No version is current. Choose one with: paretail bundles use VERSION --bundle {bundle}")


@app.command
def use(version: str, bundle: Path) -> None:
    """Make a version the current one, once every byte of it is verified.

    Parameters
    ----------
    version
        A name that `bundles list` shows.
    bundle
        The bundle's folder.
    """
    from paretail.cli.terminal import out
    from paretail.pipeline.bundle import point

    point(bundle, version)
    out.print(f"{version} is current")


@app.command
def adopt(other: Path, bundle: Path) -> None:
    """Copy the current version of another bundle to this one and make it current, once every byte is verified.

    A service that serves this bundle picks it up.

    Parameters
    ----------
    other
        The folder of the bundle that shall go live.
    bundle
        The folder of the bundle that is live.
    """
    from paretail.cli.terminal import out
    from paretail.pipeline.bundle import adopt as take_in
    from paretail.pipeline.bundle import point

    version = take_in(bundle, other)
    point(bundle, version)
    out.print(f"{version} is current")


@app.command
def rollback(bundle: Path) -> None:
    """Make the version before the current one current.

    Parameters
    ----------
    bundle
        The bundle's folder.
    """
    from paretail.cli.terminal import out
    from paretail.pipeline.bundle import rollback as back

    out.print(f"{back(bundle)} is current")
