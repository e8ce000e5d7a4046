"""The clock, the environment and the signals of the process that we are."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

from ci_lib.domain.errors import Cancelled, TimeOver


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from some fixed point, never going back, and counted while the machine sleeps.

        A lease on another machine runs on meanwhile. Without such a clock (macOS) sleep is not counted.
        """
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def sleep(self, seconds: float) -> None:
        """Wait; a signal that cancels the run ends the wait."""
        time.sleep(seconds)


def environment() -> Mapping[str, str]:
    """Return a copy of the process environment. Nothing else in the package reads it."""
    return dict(os.environ)


def cancel_on_signals() -> None:
    """Make the first SIGINT or SIGTERM raise ``Cancelled`` in the main thread, and ignore all later ones.

    GitHub sends SIGINT, SIGTERM 7.5 s later, then kills: the second signal must not disturb the writing
    of the journal that the first one caused.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _cancel)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeOver`` in the main thread when what is within has not ended after ``seconds``.

    It ends any wait, whatever waits: for an answer, between two tries, for a child. One at a time.
    """

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeOver

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _cancel(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        # Not SIG_IGN: children inherit that one, and could then not be ended with SIGTERM.
        signal.signal(each, _ignore)
    raise Cancelled(signal.Signals(number).name)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Let a later signal pass."""
