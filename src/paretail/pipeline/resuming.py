"""A training that was stopped goes on: what is kept of it until its bundle is published.

Beside a bundle `NAME` lies `unfinished/NAME-DIGEST` while it is trained: the choice of model and settings once that is
made, and the checkpoint of the fit. The digest is of the data, of what was asked for and of this version, so the same
command goes on from there, and any other begins anew.
"""

import json
import shutil
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from paretail import __version__
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
    """The folder of one training."""

    folder: Path

    @classmethod
    def of(
        cls, out: Path, graph: ShopGraph, question: Question, wanted: ModelConfig, seed: int, seconds: float
    ) -> Self:
        """Return that of a training that publishes to `out`, made now or found; stale ones beside it are removed."""
        asked = [__version__, asdict(question), wanted.model_dump(mode="json"), seed, seconds, fingerprint(graph)]
        digest = sha256(json.dumps(asked, default=dict, sort_keys=True).encode()).hexdigest()[:16]
        place = out.absolute().parent / "unfinished"
        for other in place.glob(f"{out.name}-*"):
            if time.time() - max(path.stat().st_mtime for path in (other, *other.iterdir())) > STALE_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
        return cls(place / f"{out.name}-{digest}")

    @property
    def checkpoint(self) -> Path:
        """The file that the fit keeps itself in; a hybrid's members add their names to it."""
        return self.folder / "checkpoint.safetensors"

    def choice(self) -> tuple[str, Choice] | None:
        """Return the model's name and the choice made before the training was stopped, None where none was."""
        try:
            kept: dict[str, Any] = json.loads((self.folder / "choice.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        name, told = kept.pop("model"), kept | {"remarks": tuple(kept["remarks"])}
        return name, Choice(**told | {"config": model(name).config_type.parse(told["config"], "[model.settings]")})

    def chose(self, name: str, choice: Choice) -> None:
        """Keep the choice."""
        told = {"model": name, **vars(choice), "config": choice.config.model_dump(mode="json")}
        with atomic_file(self.folder / "choice.json") as aside:
            aside.write_text(json.dumps(told), encoding="utf-8")

    def done(self) -> None:
        """Remove what was kept: the bundle is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if (place := self.folder.parent).is_dir() and not any(place.iterdir()):
            place.rmdir()
