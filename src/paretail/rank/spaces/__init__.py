"""The table of spaces: over which examples a ranker learns what follows a click.

Needs the extra `learn`; each is a module, `forward(Followed) -> loss`.
"""

from typing import Any, Final

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
from paretail.core.config import Config
from paretail.rank.named import named
from paretail.rank.spaces.base import Followed, Space
from paretail.rank.spaces.conditional import Conditional
from paretail.rank.spaces.escm2_dr import Escm2Dr
from paretail.rank.spaces.escm2_ips import Escm2Ips
from paretail.rank.spaces.esmm import Esmm

__all__ = ["SPACES", "Followed", "Space", "space_settings"]

SPACES: Final[dict[str, type[Space[Any]]]] = {
    "conditional": Conditional,
    "esmm": Esmm,
    "escm2_ips": Escm2Ips,
    "escm2_dr": Escm2Dr,
}


def space_settings(name: str, settings: dict[str, Any]) -> tuple[type[Space[Any]], Config]:
    """Return the class of the space called `name`, of SPACES or `their_module:TheirSpace`, and its settings.

    Raises ConfigError: RANK-01 for a name that leads to none; what its settings say that cannot be followed.
    """
    found = named("space", name, SPACES, Space)
    return found, found.config_type.parse(settings, "[rank] space_settings")
