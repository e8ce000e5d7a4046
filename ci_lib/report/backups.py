"""What ``backup --list`` shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.text import ago, code, markdown
from ci_lib.report.history import aligned
from ci_lib.report.markdown import table

_NONE = "There is no backup here yet."
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRow:
    """One backup; ``size`` in bytes, of its dumps, ``age`` in seconds."""

    name: str
    version: str
    release_id: str
    databases: tuple[str, ...]
    size: int
    age: float

    def as_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        return {
            "name": self.name,
            "version": self.version,
            "release_id": self.release_id,
            "databases": list(self.databases),
            "size": self.size,
            "age_seconds": round(self.age),
        }


def listed(rows: Sequence[BackupRow]) -> str:
    """The backups, in the order given."""
    cells = [
        (row.name, ago(row.age), row.version or "?", ", ".join(row.databases) or "none", size(row.size))
        for row in rows
    ]
    return aligned(("BACKUP", "AGE", "RELEASE", "DATABASES", "SIZE"), cells, none=_NONE)


def listed_page(stack: str, environment: str, rows: Sequence[BackupRow]) -> str:
    """The same for the job summary; the rows must be masked already."""
    title = f"### Backups of {markdown(stack)} {markdown(environment)}\n"
    cells = [
        (
            code(row.name),
            ago(row.age),
            code(row.version) or "?",
            markdown(", ".join(row.databases)) or "none",
            size(row.size),
        )
        for row in rows
    ]
    return f"{title}\n{table(('Backup', 'Age', 'Release', 'Databases', 'Size'), cells) or _NONE}"


def size(count: int) -> str:
    """Bytes in the largest unit that leaves a whole part: ``812 B``, ``1.5 MiB``."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"
