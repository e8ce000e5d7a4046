"""Lock and journal of one (stack, environment): a seam of its own, on the target's host."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Proof of holding the lock.

    ``owner`` is the CI run (or process) it belongs to, ``holder`` this very process, ``fence`` a number
    that grows with each taking. ``until`` is in seconds of the target's clock.
    """

    owner: str
    holder: str
    until: int
    fence: int


Entry = Mapping[str, Any]
"""One line of the journal."""


class State(Protocol):
    """Lock and journal.

    The lease is a promise with an end: ``until`` is moved at each journal line, by the target's clock, and
    a writer whose fencing number is not the newest any more is turned away (``Refusal`` with LOST_LOCK).
    """

    def peek(self) -> Lease | None:
        """Who holds the lock now; None when it is free or its time is over."""

    def acquire(self, owner: str, *, seconds: float, instead_of: str = "") -> Lease | None:
        """Take the lock for ``seconds``; None when another owner holds it.

        The same owner may always take it: in CI those are consecutive steps of one job. ``instead_of`` is
        the holder known to be dead, whose lease may be taken before its time.
        """

    def begin(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Start a new journal with its first line."""

    def note(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Append a line to the journal, and hold the lease for ``seconds`` from now."""

    def journal(self) -> tuple[Entry, ...]:
        """The journal's lines; a torn last one is left out. Whoever holds the lock is its only writer."""

    def settle(self, *, seconds: float) -> bool:
        """Wait until no command of an earlier run is still at work; False when ``seconds`` were too few."""

    def release(self, lease: Lease) -> None:
        """Give the lock back, if it is still ours."""
