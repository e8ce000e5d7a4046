"""Backups on the host: files, settings and PostgreSQL dumps, with a manifest of their hashes.

A backup is a folder named by its UTC time. It is made as ``<time>.<project>.partial`` and renamed when
everything in it was checked, so that a folder without that ending is a good one. Stacks and environments may
share the parent folder: each counts, and removes, its own backups alone, known by the Compose project.
"""

import json
from collections.abc import Mapping

from ci_lib.config.backup import Postgres
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.observe import observe
from ci_lib.targets.compose.pin import EXPLICIT, LOADED
from ci_lib.targets.compose.site import LOOK, Site

_HINT = "nothing was changed; set it right, or set `backup.enabled: false` if you can do without"

_FILES = """
set -eu; umask 077; cd "$1"; rm -rf "$2"/*."$3".partial; folder=$4; mkdir -p "$folder/files"; shift 4
for path in "$@"; do
  [ ! -f "$path" ] || { mkdir -p "$folder/files/$(dirname -- "$path")"; cp "$path" "$folder/files/$path"; }
done
"""

# pg_restore --list reads the whole table of contents, so a truncated dump does not get through.
_DUMP = """
set -eu; umask 077
docker exec "$1" pg_dump --username "$2" --format custom "$3" > "$4"
docker exec -i "$1" pg_restore --list < "$4" > /dev/null
"""

_SUMS = 'set -eu; cd "$1"; find . -type f -exec sha256sum {} + ; find . -type f -exec chmod 600 {} +'

# $1 partial, $2 final, $3 parent, $4 how many to keep, $5 the project's line in a manifest. Names sort by
# time, and only good ones have such a name, so the newest good one is never removed.
_FINISH = """
set -eu; [ ! -e "$2" ] || { echo "$2 exists already" >&2; exit 1; }
mv "$1" "$2"; cd "$3"
grep -lF -- "$5" ????????T??????Z/manifest.json | sort -r | tail -n "+$(($4 + 1))" |
while IFS= read -r old; do rm -rf -- "${old%/manifest.json}"; done
"""


def backup(site: Site, *, limit: float) -> str:
    """Make one backup and let go of the oldest ones; returns its folder. All dumps share the time limit.

    Raises ``StepFault`` (BACKUP) when anything in it fails; what was begun is removed by the next one.
    """
    settings = site.settings.settings.backup
    now, deadline = site.clock.now(), site.clock.monotonic() + limit
    parent = settings.path
    final = f"{parent}/{now:%Y%m%dT%H%M%SZ}"
    partial = f"{final}.{site.project}.partial"
    paths = (*site.compose.files, ".env", LOADED, EXPLICIT)
    copy = ("sh", "-c", _FILES, "sh", site.run_dir, parent, site.project, partial, *paths)
    _must(site.change(*copy, limit=LOOK), "files")
    for database in settings.postgres:
        _dump(site, database, partial, deadline - site.clock.monotonic())
    sums = _must(site.change("sh", "-c", _SUMS, "sh", partial, limit=LOOK), "hashes")
    manifest = {
        "schema_version": 1,
        "stack": site.settings.stack,
        "environment": site.settings.environment,
        "project": site.project,
        "made_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "files": _hashes(sums.stdout),
    }
    site.host.write(f"{partial}/manifest.json", json.dumps(manifest, indent=1).encode())
    line = f'"project": "{site.project}"'
    finish = ("sh", "-c", _FINISH, "sh", partial, final, parent, str(settings.keep), line)
    _must(site.change(*finish, limit=LOOK), "finishing")
    return final


def _dump(site: Site, database: Postgres, folder: str, limit: float) -> None:
    container = next(
        (
            item.instance
            for item in observe(site)
            if item.workload == database.service and item.health is not Health.EXITED
        ),
        None,
    )
    what = f"dump of {database.database} in {database.service}"
    if container is None:
        raise StepFault(f"{what}: no container of it runs", hint=_HINT, reason=Reason.BACKUP)
    if limit <= 0:
        hint = "raise `limits.backup`; nothing was changed"
        raise StepFault(f"{what}: no time is left for it", hint=hint, reason=Reason.BACKUP)
    target = f"{folder}/{database.service}-{database.database}.dump"
    arguments = (container, database.user, database.database, target)
    _must(site.change("sh", "-c", _DUMP, "sh", *arguments, limit=limit), what)


def _hashes(text: str) -> Mapping[str, str]:
    rows = (line.split(maxsplit=1) for line in text.splitlines())
    return {path.removeprefix("./"): digest for digest, path in rows}


def _must(ran: Ran, what: str) -> Ran:
    if not ran.ok:
        raise StepFault(f"backup failed ({what}): {ran.said}", hint=_HINT, reason=Reason.BACKUP)
    return ran
