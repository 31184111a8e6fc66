"""A training that was stopped goes on: what is kept of it until its bundle is published.

Beside a bundle `NAME` lies `unfinished/NAME-DIGEST` while it is trained: the choice of model and settings once that is
made, and the checkpoint of the fit. The digest is of the data, of what was asked for and of this version, so the same
command goes on from there, and any other begins anew.
"""

import fcntl
import inspect
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from paretail import __version__
from paretail.core.errors import ConfigError
from paretail.core.files import atomic_file
from paretail.graph.fingerprint import fingerprint
from paretail.graph.shopgraph import ShopGraph
from paretail.pipeline.config import ModelConfig
from paretail.retrieve.base import Question
from paretail.retrieve.choose import Choice
from paretail.retrieve.models import model

#: Nobody comes back to a training that nothing was written of for so long.
STALE_SECONDS: Final = 7 * 86_400.0


@dataclass(frozen=True)
class Unfinished:
    """The folder of one training, which nobody else writes to meanwhile."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The file that the fit keeps itself in; a hybrid's members and a teacher add their names to it."""
        return self.folder / "checkpoint.safetensors"

    def choice(self) -> tuple[str, Choice] | None:
        """Return the model's name and the choice made before the training was stopped, None where none can be read."""
        try:
            kept: dict[str, Any] = json.loads((self.folder / "choice.json").read_text(encoding="utf-8"))
            name, told = kept.pop("model"), kept | {"remarks": tuple(kept["remarks"])}
            config = model(name).config_type.parse(told.pop("config"), "[model.settings]")
            return name, Choice(config, **told)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ConfigError):
            return None

    def chose(self, name: str, choice: Choice) -> None:
        """Keep the choice."""
        told = {"model": name, **vars(choice), "config": choice.config.model_dump(mode="json")}
        with atomic_file(self.folder / "choice.json") as aside:
            aside.write_text(json.dumps(told), encoding="utf-8")


@contextmanager
def unfinished(
    out: Path, graph: ShopGraph, question: Question, wanted: ModelConfig, seed: int, seconds: float
) -> Iterator[Unfinished | None]:
    """Hold what is kept of a training that publishes to `out`, made now or found, and remove it in the end.

    It stays where the training fails or is stopped. None where nothing can be written beside `out`, or where the same
    training runs already: it goes without. What nobody came back to in a week is removed.
    """
    place = out.absolute().parent / "unfinished"
    folder = place / f"{out.name}-{_digest(graph, question, wanted, seed, seconds)}"
    with ExitStack() as stack:
        held = False
        with suppress(OSError):  # BlockingIOError is one too
            _sweep(place, out.name)
            folder.mkdir(parents=True, exist_ok=True)
            fcntl.flock(stack.enter_context((folder / "lock").open("w")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        yield Unfinished(folder) if held else None
        if held:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                place.rmdir()


def _digest(graph: ShopGraph, question: Question, wanted: ModelConfig, seed: int, seconds: float) -> str:
    """Return what the data, the wish and the code amount to."""
    names = [wanted.name, *wanted.settings.get("members", {}), *(wanted.settings.get("candidates") or {})]
    own = [Path(inspect.getfile(model(name))).read_text(encoding="utf-8") for name in names if ":" in name]
    asked = [__version__, own, asdict(question), wanted.model_dump(mode="json"), seed, seconds, fingerprint(graph)]
    return sha256(json.dumps(asked, default=dict, sort_keys=True).encode()).hexdigest()[:16]


def _sweep(place: Path, name: str) -> None:
    """Remove what nobody came back to."""
    for other in place.glob(f"{name}-*"):
        with suppress(OSError):  # its own run may be writing, or removing it, right now
            newest = max(path.stat().st_mtime for path in (other, *other.iterdir()))
            if time.time() - newest > STALE_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
