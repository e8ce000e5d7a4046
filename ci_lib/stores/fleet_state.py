"""Lock and journal of an environment of several hosts: they live on the first one."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from ci_lib.domain.errors import Refusal, StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Entry, Lease, State
from ci_lib.ports.protocols import PortFault, Workers

T = TypeVar("T")


class FleetState:
    """``State`` on the first of several hosts, with an eye on what is at work on the others.

    ``states`` is what each host would keep by itself, the first one's first. ``tell`` makes another host see
    that the lock was taken, so that a run that had it before begins nothing there any more.
    """

    def __init__(
        self,
        states: Mapping[str, State],
        *,
        workers: Workers,
        at_once: int,
        tell: Mapping[str, Callable[[], None]] | None = None,
    ) -> None:
        self._states = states
        self._tell = tell or {}
        self._first = next(iter(states.values()))
        self._workers = workers
        self._at_once = at_once

    def peek(self) -> Lease | None:
        """Who holds the lock now."""
        return self._first.peek()

    def acquire(self, owner: str, *, seconds: float, instead_of: str = "") -> Lease | None:
        """Take the lock, unless a run has it, or left its journal, on another host: that was the first then.

        Raises ``Refusal`` (LOCKED) or ``StepFault`` (STATE) in these cases.
        """
        self._demand_no_other(owner)
        lease = self._first.acquire(owner, seconds=seconds, instead_of=instead_of)
        if lease is not None:
            self._told()
        return lease

    def begin(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Start a new journal."""
        self._first.begin(lease, entry, seconds=seconds)

    def note(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Append to the journal."""
        self._first.note(lease, entry, seconds=seconds)

    def journal(self) -> tuple[Entry, ...]:
        """The journal's lines; raises ``StepFault`` (STATE) when another host has one that is open."""
        self._demand_no_other()
        return self._first.journal()

    def settle(self, *, seconds: float) -> bool:
        """Wait until no command of an earlier run is still at work on any host.

        One that does not answer is left to the step that finds it so: the others must not wait for it.
        """
        found = self._each(lambda state: state.settle(seconds=seconds))
        if isinstance(first := found[next(iter(self._states))], Exception):
            raise first
        if not all(isinstance(one, PortFault) or one is True for one in found.values()):
            return False
        self._told()  # where a command was at work when the lock was taken
        return True

    def release(self, lease: Lease) -> None:
        """Give the lock back."""
        self._first.release(lease)

    def _told(self) -> None:
        """Tell the other hosts; one that cannot be reached sees it with the next command there."""
        for result in self._workers.run(tuple(self._tell.values()), at_once=self._at_once):
            if isinstance(result, StepFault):
                raise result

    def _demand_no_other(self, owner: str = "") -> None:
        """Raise when another host has a journal that is open or, for an ``owner``, somebody else's lock."""
        names = tuple(self._states)
        found = self._each(lambda state: (state.journal(), state.peek() if owner else None))
        for name in names[1:]:
            seen = found[name]
            if isinstance(seen, Exception):  # whoever needs that host will find out
                continue
            entries, held = seen
            if held is not None and held.owner != owner:
                raise Refusal(
                    f"{name} has a lock that {held.owner} holds, from when {name} was the first host",
                    hint="wait for that run; `lock status` with the hosts in that order says when it ends",
                    reason=Reason.LOCKED,
                )
            if entries and entries[-1]["event"] != "end":
                raise StepFault(
                    f"{name} holds the journal of an interrupted run, and {names[0]} is the first host now",
                    hint=f"put {name} first again under `hosts:`, run finalize, then change their order",
                    reason=Reason.STATE,
                )

    def _each(self, ask: Callable[[State], T]) -> Mapping[str, T | Exception]:
        states = tuple(self._states.values())
        jobs = [_job(ask, state) for state in states]
        return dict(zip(self._states, self._workers.run(jobs, at_once=self._at_once), strict=True))


def _job(ask: Callable[[State], T], state: State) -> Callable[[], T]:
    return lambda: ask(state)
