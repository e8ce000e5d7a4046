"""Lock and journal of one (stack, environment): a seam of its own, on the target's host."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Proof of holding the lock.

    ``owner`` is the CI run (or process) it belongs to, ``holder`` this very process, ``fence`` a number
    that grows with each taking. ``since`` and ``until`` are in seconds of the target's clock.
    """

    owner: str
    holder: str
    until: int
    fence: int
    since: int = 0


Entry = Mapping[str, Any]
"""One line of the journal."""

Fence = Callable[[], tuple[str, ...]]
"""The words that stand before a command on the host, so that it begins only while the lock is still ours.

They compare holder and fencing number with the lease, and end with ``FENCED_OUT`` where another run has it.
They belong behind ``flock busy``, which whoever takes the lock over waits for: a command either began before
that and is waited for, or does not begin. So a process that was paused, however long, changes nothing when it
wakes (M. Kleppmann, "How to do distributed locking", 2016: fencing tokens). None where no lock was taken.
"""

FENCED_OUT = 76
FENCED_OUT_SAYS = "deploy-actions: the lock is not held by this run any more"
"""Exit code and last words of a command that did not begin; a program of the team may end with 76 too."""


def unfenced() -> tuple[str, ...]:
    """The fence of what needs no lock."""
    return ()


def in_time(ran: Ran) -> Ran:
    """Return ``ran`` unless the fence kept it from beginning; then raise ``Refusal`` (LOST_LOCK)."""
    if ran.code == FENCED_OUT and ran.stderr.rstrip().endswith(FENCED_OUT_SAYS):
        raise lost_lock()
    return ran


def lost_lock() -> Refusal:
    """The end of a run that another one took the lock from."""
    return Refusal(
        "the lock was lost: another run took it over, or somebody released it, while this one was away",
        hint="see `lock status` and `history`; this run changed nothing any more since then",
        reason=Reason.LOST_LOCK,
    )


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
