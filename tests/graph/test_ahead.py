"""Work ahead: in order, bounded, and errors are not lost."""

from threading import Lock

import pytest

from paretail.graph.ahead import ahead


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_in_order(threads: int) -> None:
    assert list(ahead(lambda step: step**2, range(40), threads)) == [step**2 for step in range(40)]
    assert list(ahead(lambda step: step, [], threads)) == []


@pytest.mark.parametrize("threads", [0, 2])
def test_no_more_is_made_than_two_steps_a_thread_ahead(threads: int) -> None:
    made, lock = [], Lock()

    def prepare(step: int) -> int:
        with lock:
            made.append(step)
        return step

    for step in ahead(prepare, range(100), threads):
        assert len(made) <= step + 1 + 2 * threads
        if step == 9:
            break
    assert len(made) <= 10 + 2 * threads


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_at_its_step(threads: int) -> None:
    def prepare(step: int) -> int:
        if step == 5:
            raise ValueError("step 5")
        return step

    seen = []
    with pytest.raises(ValueError, match="step 5"):
        seen.extend(seen.append(step) for step in ahead(prepare, range(9), threads))
    assert [step for step in seen if step is not None] == [0, 1, 2, 3, 4]
