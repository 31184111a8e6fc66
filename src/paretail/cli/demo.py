"""`paretail demo`: from a shop's files to a recommendation over HTTP, each step as you would type it."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from paretail.core.errors import ParetailError, Problem, UsageError

#: The service must answer within this many seconds.
#: A user of whom the demo shop knows nothing.
NEWCOMER = "somebody-new"
PATIENCE_SECONDS = 60.0


def demo(
    *,
    folder: Path = Path("demo-shop"),
    port: int = 8000,
    seed: int = 1,
    users: int = 5000,
    items: int = 2000,
    events: int = 400_000,
    only_files: bool = False,
    keep: bool | None = None,
) -> None:
    """Generate a demo shop, check and import it, train, evaluate against baselines, serve, and ask over HTTP.

    Parameters
    ----------
    folder
        Where the shop and the bundle are written; replaced where it is a demo shop already.
    port
        The port of the service; the next free one is taken where it is in use.
    seed
        Seed of the simulated shop.
    users
        How many users the shop has.
    items
        How many items it has, 40 or more.
    events
        About how many events.
    only_files
        Write the shop's files and stop.
    keep
        Leave the service running until Ctrl-C; by default on a terminal, unless CI=true.
    """
    from paretail.cli import main
    from paretail.cli.terminal import out
    from paretail.sim.truth import SimConfig

    size = SimConfig.parse({"users": users, "items": items, "events": events}, "the command line")
    _clear(folder)
    stay = sys.stdout.isatty() and os.environ.get("CI") != "true" if keep is None else keep
    out.print("[bold]1. A shop[/]: people, items, and two months of what happened", highlight=False)
    _generate(folder, size, seed)
    if only_files:
        return
    files = {name: str(next(folder.glob(f"{name}.csv*"))) for name in ("events", "items", "users", "holdout")}
    config, bundle = str(folder / "shop.toml"), str(folder / "bundle")
    steps = [
        ("2. Look at its files and write a configuration",
         ["init", "--events", files["events"], "--items", files["items"], "--users", files["users"], "--out", config]),
        ("3. Check the data", ["check", "--config", config]),
        ("4. Train", ["train", "--config", config, "--out", bundle]),
        ("5. Measure it on the week after, which it has not seen, beside baselines",
         ["evaluate", "--bundle", bundle, "--holdout", files["holdout"], "--against", "popular,knn,als",
          "--k", "10"]),
    ]  # fmt: skip
    for title, arguments in steps:
        out.print(f"\n[bold]{title}[/]\n[dim]$ paretail {' '.join(arguments)}[/]", highlight=False, soft_wrap=True)
        _run(main, arguments)
    _serve(folder, port, stay)


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / ".demo").is_file():
        expected = "An empty folder, or the folder of an earlier demo"
        raise UsageError(Problem("CLI-08", f"{folder} holds something else", expected, "Choose another --folder"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".demo").touch()


def _generate(folder: Path, size: Any, seed: int) -> None:
    from paretail.cli.terminal import out
    from paretail.sim.export import export
    from paretail.sim.shop import simulate

    world = simulate(size, seed)
    export(world, folder)
    shop = world.shop
    counts = (shop.users.frame.height, shop.catalogue.frame.height, shop.events.frame.height)
    out.print("   {:,} users, {:,} items, {:,} events (the last week kept apart), in {}".format(*counts, folder))


def _run(main: Any, arguments: list[str]) -> None:
    """Run a verb; a failed one ends the demo with its exit code."""
    try:
        main(arguments)
    except SystemExit as done:
        if done.code not in (0, None):
            raise


def _serve(folder: Path, port: int, stay: bool) -> None:
    from paretail.cli.terminal import out

    port = _free(port)
    command = ["serve", "--bundle", str(folder / "bundle"), "--port", str(port)]
    out.print("\n[bold]6. Serve it, and ask[/]", highlight=False)
    out.print(f"[dim]$ paretail {' '.join(command)}[/]", highlight=False, soft_wrap=True)
    with (folder / "serve.log").open("wb") as log:
        service = subprocess.Popen([sys.executable, "-m", "paretail", *command], stdout=log, stderr=log)
        try:
            _ask(f"http://127.0.0.1:{port}", folder, service)
            if stay:
                out.print(f"\nThe service runs on http://127.0.0.1:{port} (its pages: /docs). Ctrl-C stops it.")
                with suppress(KeyboardInterrupt):  # the end that was announced
                    service.wait()
        finally:
            service.terminate()
            service.wait(timeout=20)


def _ask(address: str, folder: Path, service: "subprocess.Popen[bytes]") -> None:
    import polars as pl

    from paretail.cli.terminal import out
    from paretail.pipeline.recommender import Recommender

    _until_ready(address, folder, service)
    user_id = _somebody(Recommender.load(folder / "bundle"))
    items = pl.read_csv(folder / "items.csv", infer_schema=False)
    names = dict(zip(items["sku"], items["name"], strict=True))

    def listed(user_id: str) -> str:
        question = {"user_id": user_id, "k": 5, "explain": True, "exclude": ["purchase", "cart"]}
        answer, took_ms = _post(address, "/v1/recommend", question)
        for item in answer["items"]:
            name = names.get(item["item_id"], "")
            out.print(f"   {item['rank']}. {item['item_id']} {name}  [dim]{item['reason']}[/]", highlight=False)
        out.print(f"   answered in {took_ms:.0f} ms by model {answer['model_version']}")
        return str(answer["items"][0]["item_id"])

    listed(user_id)
    out.print("\n[bold]7. Somebody new: before and after they put one thing in the cart[/]", highlight=False)
    first = listed(NEWCOMER)
    event = {"user_id": NEWCOMER, "item_id": first, "kind": "cart"}
    told, took_ms = _post(address, "/v1/events", {"events": [event]})
    out.print(f"   {told['accepted']} event accepted and on disk in {took_ms:.0f} ms")
    listed(NEWCOMER)


def _post(address: str, path: str, body: dict[str, Any]) -> tuple[Any, float]:
    """Send a request, show it as a command, and return the answer and the milliseconds that it took."""
    import msgspec

    from paretail.cli.terminal import out

    sent = msgspec.json.encode(body)
    out.print(f"[dim]$ curl -s {address}{path} -d '{sent.decode()}'[/]", highlight=False, soft_wrap=True)
    started = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(address + path, sent), timeout=PATIENCE_SECONDS) as reply:
        answer = msgspec.json.decode(reply.read())
    return answer, 1000 * (time.perf_counter() - started)


def _somebody(recommender: Any) -> str:
    """Return a user with a handful of target events, so that the reasons have something to say."""
    import numpy as np

    history = recommender.history
    wanted = history.kind == history.kinds.index(recommender.target)
    counts = np.bincount(history.user_idx[wanted], minlength=history.users)
    return str(recommender.users.ids[int(np.argmin(np.abs(counts - 6)))])


def _until_ready(address: str, folder: Path, service: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up and service.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    found = f"the service did not get ready (exit code {service.poll()})"
    raise ParetailError(Problem("CLI-09", found, "A ready service", f"Look at {folder / 'serve.log'}"))


def _free(port: int) -> int:
    import socket

    for candidate in range(max(port, 1), min(port + 50, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if probe.connect_ex(("127.0.0.1", candidate)) != 0:
                return candidate
    raise UsageError(Problem("CLI-10", f"no free port from {port} on", "A free port", "Choose another with --port"))
