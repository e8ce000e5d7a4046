"""The newest commit of a branch that many write to: how it is followed, and how the next one comes to be."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ci_lib.domain.branch import Branch
from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.ports.protocols import Clock, PortFault, TimedOut, UnknownHostKey, Unreachable

_TRIES: Final = 50
_FAULTS: Final = 3
"""Pushes that fail although nobody else has pushed, until we believe that they always will."""
_PATIENCE: Final = 120.0
"""Seconds after which nothing new is tried."""
_LOOKS: Final = (0.0, 1.0, 4.0)
"""Pauses in seconds before each look at what became of a push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a commit is to bring: files, its message, and the records that are in them."""

    files: Mapping[str, bytes]
    message: str
    records: tuple[Record, ...] = ()


class Head:
    """Follows a branch. Methods raise ``PortFault``, and ``Refusal`` for a branch that was rewritten."""

    def __init__(self, *, branch: Branch, clock: Clock) -> None:
        self._branch = branch
        self._clock = clock
        self._tip: str | None = None

    def newest(self) -> str:
        """The branch's newest commit, asked for now; tried twice, for a line may be bad for a moment."""
        try:
            return self._fetched()
        except (UnknownHostKey, TimedOut):
            raise
        except PortFault:
            self._clock.sleep(_LOOKS[1])
            return self._fetched()

    def change(self, make: Callable[[str], Change]) -> Change:
        """Put the commit that ``make`` wants on top of the one it is given.

        Made anew and tried again as long as somebody else is faster. It begins with the commit that we know:
        if that is not the newest any more, the push says so, and mostly it is.
        """
        deadline = self._clock.monotonic() + _PATIENCE
        faults = 0
        for number in range(_TRIES):
            tip = self.newest() if self._tip is None else self._tip
            change = make(tip)
            commit = self._branch.commit(tip, change.files, message=change.message, at=self._clock.now())
            fault = self._pushed(commit, tip)
            if fault is None:
                return change
            lost_race, late = self._tip != tip, self._clock.monotonic() > deadline
            faults += not lost_race
            if not lost_race and (late or faults == _FAULTS):
                raise fault
            if late:
                break
            self._clock.sleep(_pause(number))
        raise Refusal(
            f"the {self._branch.name} is being written by others all the time",
            hint="run again later",
            reason=Reason.CANNOT_DECIDE,
        )

    def _pushed(self, commit: str, tip: str) -> PortFault | None:
        """Push; returns why the commit is not in the branch, if so.

        What git says about a push that failed is for people. What counts is what the branch holds now: the
        answer may be lost, and the commit there.
        """
        try:
            self._branch.push(commit, instead_of=tip)
        except UnknownHostKey:
            raise
        except PortFault as fault:
            return None if self._branch.descends(self._after(fault), commit) else fault
        self._tip = commit
        return None

    def _after(self, fault: PortFault) -> str:
        """The newest commit after a push that failed."""
        for pause in _LOOKS:
            self._clock.sleep(pause)
            try:
                return self._fetched()
            except PortFault as again:
                last = again
        raise Unreachable(f"{fault}; whether the branch has taken it is not known: {last}") from last

    def _fetched(self) -> str:
        tip = self._branch.fetch()
        if self._tip and tip != self._tip and not (tip and self._branch.descends(tip, self._tip)):
            raise Refusal(
                f"the {self._branch.name} was rewritten while this run was at work: it had commit "
                f"{self._tip[:12]}, and now {tip[:12] or 'is gone'} does not come after that",
                hint="protect the branch from force pushes and deletion, put the lost commits back",
                reason=Reason.CANNOT_DECIDE,
            )
        self._tip = tip
        return tip


def _pause(number: int) -> float:
    """Seconds before another try: longer each time, up to 3, and never the same for two writers."""
    longest: float = min(0.1 * 2**number, 3.0)
    return longest * (0.5 + secrets.randbelow(1000) / 1000)
