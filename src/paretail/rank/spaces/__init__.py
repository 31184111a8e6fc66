"""The table of spaces: over which examples a ranker learns what follows a click.

Needs the extra `learn`; each is a module, `forward(Followed) -> loss`.
"""

from typing import Any, Final

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
from paretail.rank.spaces.base import Followed, Space
from paretail.rank.spaces.conditional import Conditional
from paretail.rank.spaces.escm2_dr import Escm2Dr
from paretail.rank.spaces.escm2_ips import Escm2Ips
from paretail.rank.spaces.esmm import Esmm

__all__ = ["SPACES", "Followed", "Space"]

SPACES: Final[dict[str, type[Space[Any]]]] = {
    "conditional": Conditional,
    "esmm": Esmm,
    "escm2_ips": Escm2Ips,
    "escm2_dr": Escm2Dr,
}
