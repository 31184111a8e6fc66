"""Checking `[policy]` before anything is trained: all names in it that lead to no goal are told at once."""

from paretail.core.errors import ParetailError, Problem
from paretail.policy import PolicyError
from paretail.policy.config import PolicyConfig
from paretail.policy.goals import resolved
from paretail.policy.objectives import objective


def check_goals(policy: PolicyConfig) -> None:
    """Raise PolicyError (POL-01, POL-04, or what a goal says of its settings) for goals that do not exist.

    Whether a goal can be had, the trained bundle alone can say; whether a class of one's own is there, who serves it.
    """
    problems: list[Problem] = []
    named = [("settings", tuple(policy.settings)), ("base", tuple(policy.base))]
    for preset, goals in policy.presets.items():
        try:
            named.append((f"presets.{preset}", resolved(goals, policy.presets).names))
        except PolicyError as error:
            problems += _where(f"presets.{preset}", error)
    for where, names in named:
        for name in names:
            if ":" in name or (name in policy.settings and where != "settings"):
                continue  # a class is needed where lists are made; the others are looked at there
            try:
                objective(name, policy.settings.get(name))
            except ParetailError as error:
                problems += _where(where, error)
    if problems:
        raise PolicyError(problems)


def _where(where: str, error: ParetailError) -> list[Problem]:
    return [Problem(one.code, f"[policy] {where}: {one.found}", one.expected, one.do) for one in error.problems]
