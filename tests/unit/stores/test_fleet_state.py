"""Lock and journal on the first of several hosts."""

import pytest

from ci_lib.domain.errors import Refusal, StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import State
from ci_lib.ports.protocols import Unreachable
from ci_lib.stores.fleet_state import FleetState
from tests.contract.fake_fleet import InTurn
from tests.fakes import FakeClock, MemoryState


class Gone(MemoryState):
    """A host that does not answer."""

    def journal(self) -> tuple[dict[str, str], ...]:
        raise Unreachable("no route")

    def settle(self, *, seconds: float) -> bool:
        raise Unreachable("no route")


def fleet(**states: State) -> FleetState:
    return FleetState(states, workers=InTurn(), at_once=4)


def memory() -> MemoryState:
    return MemoryState(clock=FakeClock())


def test_the_first_host_holds_lock_and_journal() -> None:
    first, second = memory(), memory()
    state = fleet(web1=first, web2=second)
    lease = state.acquire("run-1", seconds=60)
    assert lease is not None
    state.begin(lease, {"event": "begin"}, seconds=60)
    state.note(lease, {"event": "end"}, seconds=60)
    assert state.peek() == first.peek() != None  # noqa: E711 - both in one
    assert [entry["event"] for entry in state.journal()] == ["begin", "end"]
    assert (second.peek(), second.journal()) == (None, ())
    state.release(lease)
    assert state.peek() is None


def test_a_journal_that_was_left_open_on_another_host_is_not_overlooked() -> None:
    first, second = memory(), memory()
    second.lines = ['{"event": "begin"}']
    with pytest.raises(StepFault, match="web2 holds the journal of an interrupted run, and web1 is"):
        fleet(web1=first, web2=second).acquire("run-1", seconds=60)
    assert first.peek() is None
    second.lines = ['{"event": "begin"}', '{"event": "end"}']
    assert fleet(web1=first, web2=second).acquire("run-1", seconds=60) is not None


def test_it_has_settled_when_every_host_that_answers_has() -> None:
    first, second, gone = memory(), memory(), Gone(clock=FakeClock())
    assert fleet(web1=first, web2=second, web3=gone).settle(seconds=1)
    second.busy = True
    assert not fleet(web1=first, web2=second, web3=gone).settle(seconds=1)


def test_without_the_first_host_nothing_is_settled() -> None:
    with pytest.raises(Unreachable):
        fleet(web1=Gone(clock=FakeClock()), web2=memory()).settle(seconds=1)


def test_another_host_that_does_not_answer_keeps_nobody_from_taking_the_lock() -> None:
    assert fleet(web1=memory(), web2=Gone(clock=FakeClock())).acquire("run-1", seconds=60) is not None


def test_a_lock_that_was_taken_when_another_host_was_the_first_is_not_overlooked() -> None:
    first, second = memory(), memory()
    assert second.acquire("run-1", seconds=60) is not None
    with pytest.raises(Refusal, match="web2 has a lock that run-1 holds") as refusal:
        fleet(web1=first, web2=second).acquire("run-2", seconds=60)
    assert refusal.value.reason is Reason.LOCKED
    assert first.peek() is None


def test_the_other_hosts_are_told_when_the_lock_is_taken_and_again_when_nothing_is_at_work() -> None:
    told: list[str] = []
    state = FleetState(
        {"web1": memory(), "web2": memory()},
        tell={"web2": lambda: told.append("web2")},
        workers=InTurn(),
        at_once=4,
    )
    assert state.acquire("run-1", seconds=60) is not None
    assert told == ["web2"]
    assert state.settle(seconds=1)
    assert told == ["web2", "web2"]
