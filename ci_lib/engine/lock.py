"""Holding the lock of one stack and environment."""

from collections.abc import Iterator
from contextlib import contextmanager

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Lease
from ci_lib.engine.perform import LEASE_SLACK
from ci_lib.engine.tools import Tools

_FIRST_STEP = 300.0
_POLL = 2.0


def take(tools: Tools, *, wait: float) -> Lease:
    """Take the lock, waiting at most ``wait`` seconds; raise ``Refusal`` (LOCKED) naming the holder.

    A lease whose time is over, or whose owner is known to be dead, is taken over.
    """
    deadline = tools.clock.monotonic() + wait
    while True:
        held = tools.state.peek()
        dead = held.holder if held and tools.ended(held.owner) else ""
        seconds = _FIRST_STEP + LEASE_SLACK
        lease = tools.state.acquire(tools.ci.owner, seconds=seconds, instead_of=dead)
        if lease is not None:
            if dead:
                tools.reporter.note("took over the lock of a run that died")
            return lease
        if tools.clock.monotonic() >= deadline:
            raise _locked(tools, held)
        tools.clock.sleep(_POLL)


@contextmanager
def holding(tools: Tools, *, wait: float) -> Iterator[Lease]:
    """Hold the lock for a block; it is kept when the run is cancelled, for whoever clears up."""
    lease = take(tools, wait=wait)
    try:
        yield lease
    except Exception:
        tools.state.release(lease)
        raise
    tools.state.release(lease)


def _locked(tools: Tools, held: Lease | None) -> Refusal:
    where = f"{tools.settings.stack} {tools.settings.environment}"
    who = f" by {held.owner}" if held else ""
    return Refusal(
        f"the lock of {where} is held{who}",
        hint="wait for that run, or use --lock-wait SECONDS; an abandoned lock ends by itself",
        reason=Reason.LOCKED,
    )
