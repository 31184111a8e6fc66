"""The table of balancers, and the way from a name to one of them: how the losses of several tasks are weighed.

A balancer sees the Gram matrix of the tasks' gradients at what they share, and the losses; it needs no torch.
`learn.step.step(..., balance=...)` asks it at each step.
"""

from collections.abc import Sequence
from typing import Any, Final

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
from paretail.rank.named import named

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
    found: type[Balancer[Any]] = named("balancer", name, BALANCERS, Balancer)
    return found(found.config_type.parse(settings or {}, f"the settings of {name}"), tasks)
