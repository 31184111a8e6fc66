"""The reference page of balancers: what each claims, and its settings, from the code."""

import inspect
from collections.abc import Iterator
from dataclasses import fields

import reference_config

from paretail.rank.balance import BALANCERS, Claims

CLAIMS = {
    "simplex": ("sums to one", "the weights sum to one"),
    "scale_invariant": (
        "unit-free",
        "multiplying a loss by a number leaves the direction as it was",
    ),
    "harms_none": ("harms no task", "to first order no loss rises"),
    "stationary": ("stops", "where a task can gain at others' cost alone, the direction is zero"),
    "equivariant": ("no order", "the order of the tasks does not matter"),
}


def page() -> str:
    """Return the page."""
    return "\n".join(["# Balancers: claims and settings\n", *_claims(), *_settings()])


def _claims() -> Iterator[str]:
    yield "What holds with the default settings. Tests ask for each claim, and for a case against each not made.\n"
    yield f"| balancer | looks at | {' | '.join(CLAIMS[field.name][0] for field in fields(Claims))} |"
    yield "|---|---|" + "---|" * len(fields(Claims))
    for name, balancer in BALANCERS.items():
        made = ["yes" if getattr(balancer.claims, field.name) else "" for field in fields(Claims)]
        looks = "gradients" if balancer.needs_gram else "losses"
        yield f"| [`{name}`](../balancers.md#{name}) | {looks} | {' | '.join(made)} |"
    yield ""
    yield from (f"- **{short}**: {meaning}." for short, meaning in CLAIMS.values())


def _settings() -> Iterator[str]:
    for name, balancer in BALANCERS.items():
        if balancer.config_type.model_fields:
            opening = inspect.getdoc(balancer)
            yield f"\n## Settings of `{name}`\n\n{opening}\n\n{reference_config.settings(balancer.config_type)}"
