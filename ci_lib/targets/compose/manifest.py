"""The manifest of a backup: written last, and believed only where the hashes in it hold."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.backups import Saved, SavedDatabase, is_backup_name
from ci_lib.domain.errors import StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Reason
from ci_lib.records.bodies import moment
from ci_lib.targets.compose.site import LOOK, Site, demand

FILE = "manifest.json"
SCHEMA_VERSION = 1

# $1 parent, $2 the project's line. A folder that is not finished has another name, and so has a foreign one.
_LIST = """
cd "$1" 2>/dev/null || exit 0
for name in *; do
  case $name in *.partial) continue ;; ????????T??????Z | ????????T??????Z-*) ;; *) continue ;; esac
  grep -qsF -- "$2" "$name/manifest.json" || continue
  text=$(cat "$name/manifest.json") && printf '=%s\\n%s\\n' "$name" "$text"
done
"""

# $1 folder; hashes and names on standard input.
_VERIFY = 'cd "$1" && exec sha256sum -c -'


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifests of one stack in one environment, below its ``backup.path``."""

    site: Site

    @property
    def parent(self) -> str:
        """The folder of all backups."""
        return self.site.settings.settings.backup.path

    @property
    def line(self) -> str:
        """The line that tells our backups from those of others who share the folder."""
        return f'"project": {json.dumps(self.site.project)}'

    def folder(self, name: str) -> str:
        """The folder of one backup; raise ``StepFault`` for what can be no name."""
        if not is_backup_name(name):
            raise StepFault(f"{name[:60]!r} is not the name of a backup", hint="see `backup --list`")
        return f"{self.parent}/{name}"

    def text(self, saved: Saved) -> bytes:
        """The manifest's content."""
        settings = self.site.settings
        body = {
            "schema_version": SCHEMA_VERSION,
            "name": saved.name,
            "stack": settings.stack,
            "environment": settings.environment,
            "project": self.site.project,
            "made_at": f"{saved.made_at:%Y-%m-%dT%H:%M:%SZ}",
            "release": saved.release.as_json() if saved.release else None,
            "databases": [item.as_json() for item in saved.databases],
            "files": dict(saved.files),
        }
        return json.dumps(body, indent=1).encode() + b"\n"

    def listed(self) -> tuple[Saved, ...]:
        """Every good backup of this project, newest first; one whose manifest cannot be read is left out."""
        ran = demand(self.site.look("sh", "-c", _LIST, "sh", self.parent, self.line), "no list of backups")
        return tuple(sorted(_found(ran.stdout), key=lambda saved: (saved.made_at, saved.name), reverse=True))

    def read(self, name: str) -> Saved | None:
        """One backup of this project; None when there is none of that name."""
        self.folder(name)
        return next((saved for saved in self.listed() if saved.name == name), None)

    def broken(self, saved: Saved) -> tuple[str, ...]:
        """The files that are not what the manifest says, or are gone; ``StepFault`` when none is left."""
        lines = "".join(f"{digest}  {path}\n" for path, digest in saved.files.items())
        argv = ("sh", "-c", _VERIFY, "sh", self.folder(saved.name))
        ran = self.site.look(*argv, stdin=lines.encode(), limit=self.site.settings.settings.limits.restore)
        wrong = tuple(
            line.rpartition(": ")[0] for line in ran.stdout.splitlines() if not line.endswith(": OK")
        )
        if not ran.ok and not wrong:
            raise StepFault(f"backup {saved.name} cannot be read: {ran.said}", reason=Reason.RESTORE)
        return wrong

    def there(self, name: str) -> bool:
        """Whether the backup's folder is there: a newer backup may have removed it meanwhile."""
        return self.site.look("test", "-d", self.folder(name), limit=LOOK).ok


def _found(text: str) -> Iterator[Saved]:
    for part in text.split("\n=") if text else ():
        name, _, body = part.removeprefix("=").partition("\n")
        try:
            saved = _read(name, json.loads(body))
        except (KeyError, TypeError, ValueError):
            continue
        if is_backup_name(name):
            yield saved


def _read(name: str, body: Mapping[str, Any]) -> Saved:
    if body["schema_version"] != SCHEMA_VERSION:
        raise ValueError("another version wrote it")
    saved = Saved(
        name=name,
        made_at=moment(body["made_at"]),
        release=Release.from_json(body["release"]) if body["release"] else None,
        databases=tuple(SavedDatabase.from_json(item) for item in body["databases"]),
        files={str(path): str(digest) for path, digest in body["files"].items()},
    )
    if any(_leaves(path) for path in (*saved.files, *(item.file for item in saved.databases))):
        raise ValueError("a file of it lies elsewhere")
    return saved


def _leaves(path: str) -> bool:
    return not path or path.startswith("/") or "\n" in path or ".." in path.split("/")
