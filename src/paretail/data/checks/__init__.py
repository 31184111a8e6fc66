"""Checks: what is wrong with a shop's data, one check a file."""

from collections.abc import Mapping

from paretail.data.checks.base import Check
from paretail.data.report import CheckResult
from paretail.data.tables import Tables

CHECKS: Mapping[str, Check] = {}


def run(tables: Tables) -> tuple[CheckResult, ...]:
    """Run every check."""
    return tuple(CheckResult(name, check.consequence, tuple(check.run(tables))) for name, check in CHECKS.items())
