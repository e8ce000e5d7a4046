"""One dump into the folder of a backup, whatever makes it, checked before it counts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from ci_lib.config.backup import Database, Mysql, Postgres, ServiceDump
from ci_lib.config.databases import file_of
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.commands import Argv, compose
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.once import alone
from ci_lib.targets.compose.servers import MYSQL_DUMP, running
from ci_lib.targets.compose.site import LOOK, Site

_HINT = "nothing was changed; set it right, or set `backup.enabled: false` if you can do without"
_FULL = "nothing was changed; free space on the host, lower `backup.keep`, or move `backup.path`"
_NO_SPACE = "no space left"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:+=,@-]{0,200}")

# pg_restore reads the whole dump, so one that is cut short anywhere does not get through.
_POSTGRES = """
set -eu; umask 077
docker exec "$1" pg_dump --username "$2" --format custom "$3" > "$4"
docker exec -i "$1" pg_restore --file /dev/null < "$4"
"""

# The last line is written by nobody but a dump that came to its end. A pipe tells how gzip ended, and not
# what came before it: that leaves a mark.
_MYSQL = """
set -eu; umask 077; container=$1 inside=$2 file=$3; shift 3
{ docker exec "$container" sh -c "$inside" sh "$@" || : > "$file.failed"; } | gzip > "$file"
[ ! -e "$file.failed" ] || exit 1
gzip -dc "$file" | tail -n 1 | grep -q '^-- Dump completed' ||
  { echo 'the dump is not complete' >&2; exit 1; }
"""

# Name and state of every file below a folder, which must really lie in the run directory: $1 / $2.
_STATES = """
set -eu; cd -P "$1"; base=$PWD; cd -P "$2"
case $PWD/ in "$base"/*) ;; *) echo "$2 leads out of the run directory" >&2; exit 1 ;; esac
find . -type f -exec stat -c '%n//%i %s %z' {} +
"""

# $1 folder in the run directory, $2 file, $3 target.
_TAKE = 'set -eu; umask 077; mkdir -p "$(dirname "$3")"; cp "$1/$2" "$3"; [ -s "$3" ]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumper:
    """Dumps databases into ``folder``, which exists; each method returns the file it made, relative to it."""

    site: Site
    layout: Layout
    folder: str

    def dump(self, database: Database, limit: float) -> str:
        """Dump within ``limit`` seconds; raise ``StepFault`` (BACKUP) when it fails, or is not complete."""
        if limit <= 0:
            hint = "raise `limits.backup`; nothing was changed"
            raise StepFault(f"no time is left for {database.service}", hint=hint, reason=Reason.BACKUP)
        match database:
            case Postgres():
                return self._postgres(database, limit)
            case Mysql():
                return self._mysql(database, limit)
            case ServiceDump():
                return self._service(database, limit)
            case _:
                assert_never(database)

    def _postgres(self, database: Postgres, limit: float) -> str:
        name = file_of(database)
        what = f"dump of {database.database} in {database.service}"
        container = running(self.site, database.service, what, Reason.BACKUP)
        arguments = (container, database.user, database.database, f"{self.folder}/{name}")
        self._done("sh", "-c", _POSTGRES, "sh", *arguments, limit=limit, what=what)
        return name

    def _mysql(self, database: Mysql, limit: float) -> str:
        name = file_of(database)
        what = f"dump of {database.database} in {database.service}"
        container = running(self.site, database.service, what, Reason.BACKUP)
        inside = (MYSQL_DUMP, f"{self.folder}/{name}", database.user, database.password_env)
        argv = ("sh", "-c", _MYSQL, "sh", container, *inside, database.database)
        self._done(*argv, limit=limit, what=what)
        return name

    def _service(self, dump: ServiceDump, limit: float) -> str:
        """Run the team's own service, and take the one file that is new or changed afterwards."""
        what = f"dump by the service {dump.service}"
        folder = f"{self.site.run_dir}/{dump.folder}"
        must(self.site.change("mkdir", "-p", folder, limit=LOOK), what)
        before = self._states(dump, what)
        self._done(*one_off(self.site, self.layout, dump, dump.service), limit=limit, what=what)
        after = self._states(dump, what)
        new = sorted(name for name in after if after[name] != before.get(name))
        if len(new) != 1 or not _PLAIN.fullmatch(new[0]):
            found = ", ".join(new) or "none"
            hint = f"it has to leave one file in {dump.folder}, with a plain name; nothing was changed"
            raise StepFault(f"{what}: new files in {folder}: {found}", hint=hint, reason=Reason.BACKUP)
        name = f"{dump.service}/{new[0]}"
        take = ("sh", "-c", _TAKE, "sh", folder, new[0], f"{self.folder}/{name}")
        must(self.site.change(*take, limit=limit), f"{what}: {new[0]} is empty or cannot be read")
        return name

    def _done(self, *argv: str, limit: float, what: str) -> None:
        must(self.site.change(*argv, limit=limit, label=what, reason=Reason.BACKUP), what)

    def _states(self, dump: ServiceDump, what: str) -> Mapping[str, str]:
        ran = self.site.look("sh", "-c", _STATES, "sh", self.site.run_dir, dump.folder)
        rows = (line.partition("//") for line in must(ran, what).stdout.splitlines())
        return {name.removeprefix("./"): state for name, _, state in rows}


def one_off(site: Site, layout: Layout, dump: ServiceDump, *words: str) -> Argv:
    """The command that runs one of the dump's services once, and starts no other; ``words`` end with it."""
    layout.follow_current(once=True)
    files = (*layout.files, layout.pin, *dump.files)
    return alone(site, compose(site.environment, site.run_dir, site.project, files), *words)


def must(ran: Ran, what: str) -> Ran:
    """Return ``ran`` if it succeeded; raise ``StepFault`` (BACKUP) with what it printed."""
    if not ran.ok:
        full = next((line for line in ran.stderr.splitlines() if _NO_SPACE in line.lower()), "")
        raise failed(what, full.strip() or ran.said)
    return ran


def failed(what: str, said: str) -> StepFault:
    """The fault of a backup that failed at ``what``; a full disk is the likeliest reason of all."""
    hint = _FULL if _NO_SPACE in said.lower() else _HINT
    return StepFault(f"backup failed ({what}): {said}", hint=hint, reason=Reason.BACKUP)
