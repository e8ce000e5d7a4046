"""How often something is tried again, and what is said in the end."""

from collections.abc import Callable, Iterable

import pytest

from ci_lib.domain.errors import DeployError
from ci_lib.images.fetch import Denied, Passing, fault
from ci_lib.images.patience import PAUSES, persist
from tests.fakes import FakeClock

LOST = fault("it does not stay")


def tried(results: Iterable[bool | DeployError]) -> tuple[list[bool | DeployError], Callable[[], bool]]:
    """The results that are left, the last one for ever, and what gives them one after the other."""
    left = list(results)

    def attempt() -> bool:
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, DeployError):
            raise result
        return result

    return left, attempt


def test_it_ends_with_the_first_try_that_works() -> None:
    clock = FakeClock()
    left, attempt = tried([False, Passing("busy"), True, False])
    persist(attempt, seed="s", clock=clock, lost=LOST)
    assert (left, len(clock.slept)) == ([False], 2)


@pytest.mark.parametrize(
    ("results", "said"),
    [((Passing("busy"), False), "it does not stay"), ((False, Passing("busy")), "busy")],
)
def test_what_the_last_try_met_is_told(results: tuple[bool | DeployError, ...], said: str) -> None:
    clock = FakeClock()
    with pytest.raises(DeployError, match=said):
        persist(tried(results)[1], seed="s", clock=clock, lost=LOST)
    assert len(clock.slept) == len(PAUSES)


def test_another_fault_is_not_tried_again() -> None:
    clock = FakeClock()
    with pytest.raises(Denied):
        persist(tried([Denied("no")])[1], seed="s", clock=clock, lost=LOST)
    assert clock.slept == []
