"""The table of balancers, and the way from a name to one of them: how the losses of several tasks are weighed.

A balancer sees the Gram matrix of the tasks' gradients at what they share, and the losses; it needs no torch.
`learn.step.step(..., balance=...)` asks it at each step.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from paretail.core.errors import ConfigError, Problem, nearest
from paretail.rank.balance.aligned import Aligned
from paretail.rank.balance.base import Balancer, Claims
from paretail.rank.balance.cagrad import CAGrad
from paretail.rank.balance.dwa import Dwa
from paretail.rank.balance.famo import Famo
from paretail.rank.balance.gradnorm import GradNorm
from paretail.rank.balance.mgda import Mgda
from paretail.rank.balance.nash import Nash
from paretail.rank.balance.pcgrad import PCGrad
from paretail.rank.balance.uncertainty import Uncertainty
from paretail.rank.balance.upgrad import UPGrad
from paretail.rank.balance.weighted import Weighted

__all__ = ["BALANCERS", "Balancer", "Claims", "balancer"]

BALANCERS: Final[dict[str, type[Balancer[Any]]]] = {
    "weighted": Weighted,
    "uncertainty": Uncertainty,
    "dwa": Dwa,
    "gradnorm": GradNorm,
    "famo": Famo,
    "pcgrad": PCGrad,
    "cagrad": CAGrad,
    "mgda": Mgda,
    "upgrad": UPGrad,
    "nash": Nash,
    "aligned": Aligned,
}


def balancer(name: str, tasks: Sequence[str], settings: dict[str, Any] | None = None) -> Balancer[Any]:
    """Return the balancer called `name` for `tasks`: an entry of BALANCERS, or `their_module:TheirBalancer`.

    Raises ConfigError: RANK-01 for a name that leads to none; what its settings say that cannot be followed.
    """
    found = BALANCERS.get(name) or _imported(name)
    return found(found.config_type.parse(settings or {}, f"the settings of {name}"), tasks)


def _imported(name: str) -> type[Balancer[Any]]:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute) if attribute else None
    except (ImportError, AttributeError):
        found = None
    if isinstance(found, type) and issubclass(found, Balancer):
        return found
    expected = f"Expected {nearest(name, BALANCERS)}, or a subclass of Balancer as their_module:TheirBalancer"
    raise ConfigError(Problem("RANK-01", f"the balancer {name!r} is not there", expected, "Correct its name"))
