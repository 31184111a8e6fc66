"""What a check is, and how it says where it found something."""

from collections.abc import Callable
from dataclasses import dataclass

from paretail.core.errors import Problem
from paretail.data.tables import Tables


@dataclass(frozen=True)
class Check:
    """One question to the data.

    `consequence` says what happens to the recommendations where the answer is bad.
    """

    run: Callable[[Tables], list[Problem]]
    consequence: str
