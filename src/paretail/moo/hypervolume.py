"""The volume of what a set of points dominates: one number for how good a front is.

    HV(S) = volume of { z : reference <= z <= s for one s of S }

E. Zitzler, L. Thiele, "Multiobjective evolutionary algorithms: a comparative case study and the strength Pareto
approach", IEEE TEVC 3(4), 1999, doi:10.1109/4235.797969; computed exactly by moocore (C. M. Fonseca, L. Paquete,
M. López-Ibáñez, CEC 2006, doi:10.1109/CEC.2006.1688440). Deviations: none. A point that does not exceed the reference
in every goal adds nothing.
"""

import moocore
import numpy as np

from paretail.moo.sign import Array


def hypervolume(gains: Array, reference: Array) -> float:
    """Return the volume between `reference[goals]` and `gains[points, goals]`; 0 of no points.

    Its unit is the product of the goals' units: scale them first where these differ. Raises ValueError where a number
    is not finite.
    """
    gains, reference = np.asarray(gains, np.float64), np.asarray(reference, np.float64)
    if not (np.isfinite(gains).all() and np.isfinite(reference).all()):
        raise ValueError("a volume needs finite gains and a finite reference")
    above = gains[(gains > reference).all(1)]
    return float(moocore.hypervolume(above, ref=reference, maximise=True)) if len(above) else 0.0
