"""The files of a project on this machine that we add to: nothing is written through a link."""

import os
import stat
from pathlib import Path

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault

LIMIT = 1_048_576
"""Bytes: no pipeline's file is larger."""


class ProjectFiles:
    """Files below one folder. Every method raises ``PortFault`` for a path that leads out of it by a link."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, path: str) -> str | None:
        """The text of a file; None when there is none."""
        place = self._place(path)
        try:
            if not stat.S_ISREG(place.lstat().st_mode) or place.stat().st_size > LIMIT:
                raise PortFault(f"{one_line(path)} is no plain file of at most 1 MiB")
            return place.read_bytes().decode()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PortFault(f"{one_line(path)} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise PortFault(f"{one_line(path)} is not UTF-8 text") from error

    def create(self, path: str, text: str) -> None:
        """Write a new file and the folders above it; one that is there is a ``PortFault``."""
        place = self._place(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._write(place, text)
        except OSError as error:
            raise PortFault(f"{one_line(path)} cannot be written: {error.strerror}") from error

    def replace(self, path: str, text: str) -> None:
        """Replace a file's text at once, keeping its permissions: killed, it is the old one or the new."""
        place = self._place(path)
        fresh = place.with_name(f".{place.name}.deploy-actions-new")
        try:
            mode = stat.S_IMODE(place.stat().st_mode)
            fresh.unlink(missing_ok=True)  # of a run that was killed
            self._write(fresh, text)
            fresh.chmod(mode)
            fresh.replace(place)
        except OSError as error:
            raise PortFault(f"{one_line(path)} cannot be written: {error.strerror}") from error

    def _place(self, path: str) -> Path:
        place = self._folder / path
        for each in (place, *place.parents):
            if each == self._folder:
                return place
            if each.is_symlink():
                linked = one_line(str(each.relative_to(self._folder)))
                raise PortFault(f"{linked} is a link: nothing is read or written through it")
        raise PortFault(f"{one_line(path)} is not in the project")

    def _write(self, place: Path, text: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(place, flags, 0o666), "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
