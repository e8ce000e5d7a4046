"""Holding the lock of one stack and environment."""

from collections.abc import Iterator
from contextlib import contextmanager

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Lease
from ci_lib.engine.perform import LEASE
from ci_lib.engine.tools import Tools
from ci_lib.ports.protocols import PortFault

POLL = 2.0
"""Seconds between two looks at a lock that is held."""
_RELEASING = 60.0
"""Seconds that a lock is held for, that is taken to be released."""


def take(tools: Tools, *, wait: float) -> Lease:
    """Take the lock, waiting at most ``wait`` seconds; raise ``Refusal`` (LOCKED) naming the holder.

    A lease whose time is over, or whose owner is known to be dead, is taken over.
    """
    deadline = tools.clock.monotonic() + wait
    while True:
        lease = tools.state.acquire(tools.ci.owner, seconds=LEASE)
        if lease is not None:
            return lease
        held = tools.state.peek()
        if held is not None and tools.ended(held.owner):
            lease = tools.state.acquire(tools.ci.owner, seconds=LEASE, instead_of=held.holder)
            if lease is not None:
                tools.reporter.note("took over the lock of a run that died")
                return lease
        if tools.clock.monotonic() >= deadline:
            raise locked(tools, held)
        tools.clock.sleep(POLL)


@contextmanager
def holding(tools: Tools, *, wait: float) -> Iterator[Lease]:
    """Hold the lock for a block; it is kept when the run is cancelled, for whoever clears up."""
    with _held(tools, take(tools, wait=wait)) as lease:
        yield lease


@contextmanager
def instead_of(tools: Tools, held: Lease) -> Iterator[Lease]:
    """Hold the lock for a block in the place of ``held``, however long that had; raises ``Refusal`` (LOCKED).

    The fencing number moves, so that whoever has it now changes nothing any more.
    """
    lease = tools.state.acquire(tools.ci.owner, seconds=_RELEASING, instead_of=held.holder)
    if lease is None:
        raise locked(tools, tools.state.peek())
    with _held(tools, lease):
        yield lease


@contextmanager
def _held(tools: Tools, lease: Lease) -> Iterator[Lease]:
    try:
        yield lease
    except Exception:
        _give_back(tools, lease)
        raise
    _give_back(tools, lease)


def _give_back(tools: Tools, lease: Lease) -> None:
    """Release the lock; where that fails the lease ends by itself, and the outcome stays what it is."""
    try:
        tools.state.release(lease)
    except PortFault as fault:
        tools.reporter.warn(f"the lock could not be given back, it ends by itself: {fault}")


def locked(tools: Tools, held: Lease | None) -> Refusal:
    """What is said while another run holds the lock."""
    where = f"{tools.settings.stack} {tools.settings.environment}"
    who = f" by {held.owner}" if held else ""
    return Refusal(
        f"the lock of {where} is held{who}",
        hint="wait for that run, or use --lock-wait SECONDS; an abandoned lock ends by itself, and "
        "`lock status` says when",
        reason=Reason.LOCKED,
    )
