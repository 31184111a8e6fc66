"""How tests ask whether a result depends on the number of threads."""

from collections.abc import Callable

from paretail.core.kernels import use_cores


def with_threads(work: Callable[[], bytes]) -> list[bytes]:
    """Return what `work` returns with one thread, and with two where the machine has two."""
    before, found = use_cores(1), []
    try:
        for threads in (1, 2):
            use_cores(threads)
            found.append(work())
    finally:
        use_cores(before)
    return found
