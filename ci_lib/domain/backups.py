"""Backups as the engine sees them: named, listed, looked at, tried. Made and restored they are by steps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, Self

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult

_NAME = re.compile(r"\d{8}T\d{6}Z(?:-\d{1,3})?", re.ASCII)


def is_backup_name(text: str) -> bool:
    """Whether ``text`` can be a backup's name: its UTC time, with a number where that was taken."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedDatabase:
    """One dump in a backup; ``file`` is relative to its folder, ``size`` in bytes.

    ``database`` is empty where a service of the stack made the dump.
    """

    type: str
    service: str
    database: str
    file: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.service}/{self.database}" if self.database else self.service

    def as_json(self) -> dict[str, Any]:
        """The form used in the manifest."""
        return {
            "type": self.type,
            "service": self.service,
            "database": self.database,
            "file": self.file,
            "sha256": self.sha256,
            "size": self.size,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(
            type=str(data["type"]),
            service=str(data["service"]),
            database=str(data["database"]),
            file=str(data["file"]),
            sha256=str(data["sha256"]),
            size=int(data["size"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A good backup, as its manifest describes it; ``made_at`` in UTC.

    ``release`` is what served when it was made, ``files`` maps every file of it to its SHA-256.
    """

    name: str
    made_at: datetime
    release: Release | None
    databases: tuple[SavedDatabase, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all dumps together."""
        return sum(item.size for item in self.databases)


class Backups(Protocol):
    """The backups of one stack in one environment. Only looks: it can do so while another run holds the lock.

    Methods raise ``StepFault`` or a ``PortFault`` when the host does not tell.
    """

    def fresh(self, now: datetime) -> str:
        """A name that no backup has yet."""

    def listed(self) -> tuple[Saved, ...]:
        """The good ones, newest first."""

    def preflight(self, name: str) -> tuple[CheckResult, ...]:
        """Whether this backup's databases could be put back now."""

    def tested(self, saved: Saved, *, limit: float) -> tuple[CheckResult, ...]:
        """Restore every dump into a scratch database and look into it; ``limit`` in seconds for them all."""
