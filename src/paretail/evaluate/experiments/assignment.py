"""Which arm a user is in: the same at every visit and on every machine, without a table.

    arm(user) = argmin_a -ln(u_a) / weight_a,   u_a = blake2b(experiment, a, user) in (0, 1)

Of exponential variables with rates weight_a the least is that of a with probability weight_a / sum of weights. A change
of weights, or an arm more, moves a user only into an arm that has gained.

D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Trans. Networking 6(1), 1998,
doi:10.1109/90.663936 (rendezvous hashing); weights as in C. Schindelhauer, G. Schomaker, "Weighted distributed hash
tables", SPAA 2005, doi:10.1145/1073970.1074008 (the logarithmic method). Deviations: none.
"""

from collections.abc import Mapping
from hashlib import blake2b
from math import inf, isfinite, log

from paretail.core.errors import Problem, UsageError


def arm_of(user_id: str, experiment: str, weights: Mapping[str, float]) -> str:
    """Return the arm of `weights` (arm -> weight, 0 or more) that the user is in.

    `experiment` is the salt: two experiments divide users independently of each other. Raises UsageError: EXPT-01 where
    the weights give no arm.
    """
    check(experiment, weights)
    return min(weights, key=lambda arm: _waited(f"{experiment}\0{arm}\0{user_id}", weights[arm]))


def check(experiment: str, weights: Mapping[str, float]) -> None:
    """Raise UsageError (EXPT-01) where a weight is negative or no number, or all are 0."""
    wrong = [f"{arm} has {weight:g}" for arm, weight in weights.items() if not isfinite(weight) or weight < 0]
    if wrong or not any(weights.values()):
        found = f"the arms of {experiment!r} cannot be weighed: {', '.join(wrong) or 'no arm has a weight above 0'}"
        expected = "Expected a weight of 0 or more for each arm, and above 0 for one at least"
        raise UsageError(Problem("EXPT-01", found, expected, "Correct the weights"))


def _waited(name: str, weight: float) -> float:
    drawn = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    return -log((drawn + 0.5) / 2**64) / weight if weight else inf
