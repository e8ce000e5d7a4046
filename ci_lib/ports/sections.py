"""A file that several runs write sections into, each whole and none lost."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault, TimedOut

LIMIT = 10.0
"""Seconds to wait for whoever else is writing."""
_POLL = 0.01


def append_section(path: Path, section: str, *, heading: str) -> None:
    """Append ``section`` under the file's own lock; ``heading`` is put first where the file is new.

    The file and missing folders get the modes that the umask allows: what stands there is for the repository.
    Raises ``PortFault`` when it cannot be written, is a link or no plain file; it is then as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # NONBLOCK: a pipe in the file's place must not hold us until somebody reads it.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(path, flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise PortFault(f"{one_line(str(path))} is no plain file")
            with _alone(handle, path):
                _append(handle, section, heading)
        finally:
            os.close(handle)
    except OSError as error:
        raise PortFault(f"{one_line(str(path))} cannot be written: {error.strerror}") from error


@contextmanager
def _alone(handle: int, path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LIMIT
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        if time.monotonic() >= deadline:
            raise TimedOut(f"{one_line(str(path))} was not free in {LIMIT:.0f} s")
        time.sleep(_POLL)
    yield


def _append(handle: int, section: str, heading: str) -> None:
    size = os.fstat(handle).st_size
    rest = memoryview((section if size else heading + section).encode("utf-8", "backslashreplace"))
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except BaseException:
        os.ftruncate(handle, size)  # a full disk or a cancel leaves no half section
        raise
