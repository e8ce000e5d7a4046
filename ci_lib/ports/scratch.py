"""Temporary folders that nobody else can look into, and that do not outlive a killed run for long."""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ci_lib.domain.errors import StepFault

_PREFIX: Final = "deploy-actions-"


@contextmanager
def scratch(name: str, *, root: str = "") -> Iterator[str]:
    """A new folder of mode 0700 below ``root`` (the system's folder for such things), removed at the end.

    Those of the same ``name`` that killed runs of this user have left are removed first. Raises
    ``StepFault`` when none can be made.
    """
    base = Path(root or tempfile.gettempdir())
    sweep(name, root=str(base))
    try:
        folder, lock = _made(base, name)
    except OSError as error:
        raise StepFault(f"no temporary folder can be made below {base}: {error.strerror}") from error
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(name: str, *, root: str) -> None:
    """Remove folders of this name whose maker has ended; what belongs to somebody else is left alone."""
    for folder in Path(root).glob(f"{_PREFIX}{name}-*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _made(base: Path, name: str) -> tuple[Path, int]:
    """The folder, and the descriptor that locks it until we end, however that comes about.

    It gets its name when it is locked: under that name, one without a lock is nobody's.
    """
    new = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=base))
    lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return new.rename(base / f"{_PREFIX}{name}-{secrets.token_hex(8)}"), lock
