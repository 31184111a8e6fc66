"""Fronts by evolution, the yardstick for what is composed directly: NSGA-II, NSGA-III and MOEA/D behind one function.

- nsga2: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II",
  IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017.
- nsga3: K. Deb, H. Jain, "An evolutionary many-objective optimization algorithm using reference-point-based
  nondominated sorting approach, part I", IEEE TEVC 18(4), 2014, doi:10.1109/TEVC.2013.2281535.
- moead: Q. Zhang, H. Li, "MOEA/D: A multiobjective evolutionary algorithm based on decomposition", IEEE TEVC 11(6),
  2007, doi:10.1109/TEVC.2007.892759.

All as in pymoo (J. Blank, K. Deb, IEEE Access 8, 2020, doi:10.1109/ACCESS.2020.2990567), with its operators: simulated
binary crossover and polynomial mutation of numbers within bounds. A slate is evolved as numbers too, one a candidate,
of which the largest are shown (random keys: J. Bean, ORSA J. Computing 6(2), 1994, doi:10.1287/ijoc.6.2.154).
Deviations: 1. goals are maximised here. 2. nsga2 cuts the last front by the pruned crowding distance (S. Kukkonen,
K. Deb, "Improved pruning of non-dominated solutions based on crowding distance", CEC 2006):
plain crowding lost .35 % of the volume of ZDT2, this .12 %.

Needs the extra `evolve` (MOO-01).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Any, Final, Literal

import numpy as np

from paretail.core.errors import need_extra
from paretail.moo.pareto import front
from paretail.moo.sign import Array, gains

need_extra("MOO-01", ("pymoo",), "Evolution needs the extra `evolve`", "Install it: pip install 'paretail[evolve]'")

Method = Literal["nsga2", "nsga3", "moead"]
METHODS: Final[tuple[Method, ...]] = ("nsga2", "nsga3", "moead")


@dataclass(frozen=True, eq=False)
class Evolved:
    """The points of the last population that none of it beats, `[points, dim]`, and their gains `[points, goals]`."""

    points: Array
    gains: Array


def evolve(
    worth: Callable[[Array], Array], low: Array, high: Array, goals: int, method: Method = "nsga2",
    population: int = 100, evaluations: int = 25_000, seed: int = 0,
) -> Evolved:  # fmt: skip
    """Search for the front of `worth(points[points, dim]) -> gains[points, goals]` between `low[dim]` and `high[dim]`.

    Of nsga3 and moead the population is the largest regular set of directions that has at most `population`.
    """
    from pymoo.optimize import minimize

    problem = _problem(worth, np.asarray(low, np.float64), np.asarray(high, np.float64), goals)
    done = minimize(problem, _algorithm(method, population, goals), ("n_eval", evaluations), seed=seed)
    points, found = np.asarray(done.pop.get("X"), np.float64), gains(done.pop.get("F"))
    kept = front(found)
    return Evolved(points[kept], found[kept])


def _problem(worth: Callable[[Array], Array], low: Array, high: Array, goals: int) -> Any:
    from pymoo.core.problem import Problem as Minimised

    class Losses(Minimised):  # type: ignore[misc]  # pymoo has no types
        def _evaluate(self, x: Array, out: dict[str, Array], *_: object, **__: object) -> None:
            out["F"] = -worth(np.atleast_2d(x))

    return Losses(n_var=len(low), n_obj=goals, xl=low, xu=high)


def _algorithm(method: Method, population: int, goals: int) -> Any:
    if method == "nsga2":
        from pymoo.algorithms.moo.nsga2 import NSGA2, RankAndCrowding

        return NSGA2(pop_size=population, survival=RankAndCrowding(crowding_func=_crowding))
    directions = _directions(population, goals)
    if method == "nsga3":
        from pymoo.algorithms.moo.nsga3 import NSGA3

        return NSGA3(ref_dirs=directions, pop_size=len(directions))
    from pymoo.algorithms.moo.moead import MOEAD

    return MOEAD(ref_dirs=directions, n_neighbors=min(20, len(directions)))


def _crowding(losses: Array, n_remove: int = 0) -> Array:
    """Return the pruned crowding distance; pymoo's compiled one ends the process where more are cut than differ."""
    from pymoo.functions.standard.pruning_cd import calc_pcd

    differ = np.ptp(losses, axis=0) > 0
    if not differ.any():
        return np.full(len(losses), np.inf)
    return np.asarray(calc_pcd(losses[:, differ], n_remove=int(n_remove)))


def _directions(population: int, goals: int) -> Array:
    """Return the finest simplex lattice with at most `population` points (I. Das, J. Dennis, SIAM J. Opt. 8, 1998)."""
    from pymoo.util.reference_direction import UniformReferenceDirectionFactory

    parts = 1
    while comb(parts + goals, goals - 1) <= population:  # points of the lattice with one part more
        parts += 1
    return np.asarray(UniformReferenceDirectionFactory(goals, n_partitions=parts).do(), np.float64)
