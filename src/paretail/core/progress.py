"""Progress: how long work tells what it is doing, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """Called with the step at hand (a short phrase for people) and the share of it that is done, 0 to 1."""

    def __call__(self, step: str, done: float = 0.0) -> None:
        """Tell that `step` has come as far as `done`."""
        ...


def silent(step: str, done: float = 0.0) -> None:
    """Tell nobody."""
