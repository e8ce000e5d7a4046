"""Holding an advisory lock (``flock``) with our own hands; it ends with the process that holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault, TimedOut

_POLL = 0.01  # seconds


@contextmanager
def locked(path: str, *, wait: float) -> Iterator[None]:
    """Hold the lock of a file for a block; the file is made (mode 0600), its folder is not.

    Programs that are started meanwhile do not hold it. Raises ``TimedOut`` when somebody else holds it for
    longer than ``wait`` seconds, ``PortFault`` when the file cannot be opened.
    """
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PortFault(f"{one_line(path)} cannot be opened: {error.strerror}") from None
    try:
        deadline = time.monotonic() + wait
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() >= deadline:
                raise TimedOut(f"{one_line(path)} was not free in {wait:g} s")
            time.sleep(_POLL)
        yield
    finally:
        os.close(lock)
