"""The table of sharing architectures: what the tasks of a ranker have in common, and what each has for itself.

Needs the extra `learn`; each is a module, `forward(x) -> Shared`, that knows neither losses nor steps.
"""

from typing import Any, Final

import paretail.learn  # noqa: F401  # says which extra to install where torch is not there
from paretail.rank.named import named
from paretail.rank.sharing.aitm import Aitm
from paretail.rank.sharing.base import Shared, Sharing, SharingConfig
from paretail.rank.sharing.bottom import Bottom
from paretail.rank.sharing.cross_stitch import CrossStitch
from paretail.rank.sharing.dselect_k import DSelectK
from paretail.rank.sharing.mmoe import Mmoe
from paretail.rank.sharing.ple import Ple
from paretail.rank.sharing.single import Single

__all__ = ["SHARING", "Shared", "Sharing", "sharing_settings"]

SHARING: Final[dict[str, type[Sharing[Any]]]] = {
    "single": Single,
    "bottom": Bottom,
    "cross_stitch": CrossStitch,
    "mmoe": Mmoe,
    "ple": Ple,
    "dselect_k": DSelectK,
    "aitm": Aitm,
}


def sharing_settings(name: str, settings: dict[str, Any]) -> tuple[type[Sharing[Any]], SharingConfig]:
    """Return the class of the architecture called `name`, of SHARING or `their_module:TheirSharing`, and its settings.

    Raises ConfigError: RANK-01 for a name that leads to none; what its settings say that cannot be followed.
    """
    found = named("sharing architecture", name, SHARING, Sharing)
    return found, found.config_type.parse(settings, "[rank] sharing_settings")
