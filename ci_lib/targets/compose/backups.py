"""Looking at backups: listing them, judging whether one could be put back, and trying it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal, assert_never

from ci_lib.config.backup import Database, DumpTest, Mysql, Postgres, ServiceDump
from ci_lib.domain.backups import Saved, SavedDatabase
from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import PortFault
from ci_lib.targets.compose.manifest import Manifest
from ci_lib.targets.compose.restore import configured, restorable
from ci_lib.targets.compose.scratch import Trial, attempt
from ci_lib.targets.compose.servers import MYSQL_SIZE, POSTGRES_SIZE, running
from ci_lib.targets.compose.site import Site, demand

_MIB = 1024 * 1024

_FRESH = """
name=$2; number=2
while [ -e "$1/$name" ]; do name=$2-$number; number=$((number + 1)); done; printf '%s\\n' "$name"
"""

# Free bytes where Docker keeps its volumes, and where backups go: $1, whose folder may not exist yet.
_ROOM = """
set -eu; folder=$1; while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
root=$(docker info --format '{{.DockerRootDir}}')
for place in "$root" "$folder"; do
  df -Pk "$place" | tail -n 1 | { read -r _ _ _ free _; echo "$((free * 1024))"; }
done
"""


class ComposeBackups:
    """``Backups`` of a Compose stack."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._manifest = Manifest(site=site)

    def fresh(self, now: datetime) -> str:
        """The time, with a number when that is taken."""
        name = f"{now:%Y%m%dT%H%M%SZ}"
        ran = self._site.look("sh", "-c", _FRESH, "sh", self._manifest.parent, name)
        return demand(ran, "no name for a backup", reason=Reason.BACKUP).stdout.strip()

    def listed(self) -> tuple[Saved, ...]:
        """The good ones, newest first."""
        return self._manifest.listed()

    def preflight(self, name: str) -> tuple[CheckResult, ...]:
        """Whether it is there, meant for these databases, whole, and has room to go to."""
        saved = self._manifest.read(name)
        if saved is None:
            missing = f"there is no backup {name}; `backup --list` shows what is"
            return (_row("backup", "there", partial(_missing, missing)),)
        sizes: list[int] = []
        rows = [
            _row("backup", "can be restored by deploy.yml", partial(self._configured, saved)),
            _row("hashes", "every file as in the manifest", partial(self._whole, saved)),
        ]
        rows += [
            _row(item.name, "a running container", partial(self._asked, item, sizes))
            for item in saved.databases
        ]
        rows.append(_row("room", "what serves now, and once more", partial(self._room, sizes)))
        return tuple(rows)

    def tested(self, saved: Saved, *, limit: float) -> tuple[CheckResult, ...]:
        """A row for the hashes, and one for each dump."""
        clock = self._site.clock
        deadline = clock.monotonic() + limit
        rows = [_row("hashes", "every file as in the manifest", partial(self._whole, saved))]
        if not saved.databases:
            rows.append(_row("databases", "at least one", partial(_missing, "the backup has none")))
        if rows[0].mark is Mark.PASSED:
            for item in saved.databases:
                start = clock.monotonic()
                row = _row(item.name, "restores, and has tables", partial(self._tried, saved, item, deadline))
                rows.append(replace(row, seconds=clock.monotonic() - start))
        if any(row.mark is Mark.FAILED for row in rows) and not self._manifest.there(saved.name):
            rows.append(_row("folder", "there", partial(_missing, "a newer backup removed it meanwhile")))
        return tuple(rows)

    def _configured(self, saved: Saved) -> str:
        restorable(self._site.settings, saved)
        return f"{len(saved.databases)} of {saved.name}"

    def _whole(self, saved: Saved) -> str:
        broken = self._manifest.broken(saved)
        if broken:
            raise StepFault(f"damaged: {', '.join(broken)}", reason=Reason.RESTORE)
        return f"{len(saved.files)} files"

    def _asked(self, item: SavedDatabase, sizes: list[int]) -> str:
        """Whether the database can be talked to, and how large it is; one of a service is left to that."""
        database = configured(self._site.settings, item)
        match database:
            case Postgres():
                container = running(self._site, database.service, "restoring", Reason.RESTORE)
                psql = ("psql", "--username", database.user, "--dbname", "template1", "--no-psqlrc")
                shape = ("--tuples-only", "--no-align", "--set", f"db={database.database}")
                argv = ("docker", "exec", "-i", container, *psql, *shape)
                ran = self._site.look(*argv, stdin=POSTGRES_SIZE.encode())
            case Mysql():
                container = running(self._site, database.service, "restoring", Reason.RESTORE)
                inside = (MYSQL_SIZE, "sh", database.user, database.password_env, database.database)
                ran = self._site.look("docker", "exec", container, "sh", "-c", *inside)
            case ServiceDump():
                return "left to its service"
            case _:
                assert_never(database)
        size = int(demand(ran, f"{item.name} does not answer", reason=Reason.RESTORE).stdout)
        sizes.append(size)
        return f"answers, {_mib(size)}"

    def _room(self, sizes: list[int]) -> str:
        """PostgreSQL keeps the old database until the new one is there; a safety dump comes before."""
        ran = demand(self._site.look("sh", "-c", _ROOM, "sh", self._manifest.parent), "no disk to be seen")
        data, folder = (int(line) for line in ran.stdout.split())
        need = sum(sizes)
        if data < need or folder < need:
            raise StepFault(f"{_mib(need)} needed, free: {_mib(data)} for data, {_mib(folder)} for backups")
        return f"free: {_mib(data)} for data, {_mib(folder)} for backups"

    def _tried(self, saved: Saved, item: SavedDatabase, deadline: float) -> str:
        """Restore one dump into a scratch container; says how much was in it."""
        database = configured(self._site.settings, item)
        engine, service, user = _how(database)
        trial = Trial(
            path=f"{self._manifest.folder(saved.name)}/{item.file}",
            engine=engine,
            container=running(self._site, service, "no image to test with", Reason.RESTORE_TEST),
            user=user,
        )
        tried = attempt(self._site, trial, limit=deadline - self._site.clock.monotonic())
        if tried.wrong:
            raise StepFault(tried.wrong, reason=Reason.RESTORE_TEST)
        if not tried.tables and not database.allow_empty:
            raise StepFault("restored, and has no table", reason=Reason.RESTORE_TEST)
        return f"{len(tried.tables)} tables, {sum(tried.tables)} rows"


def _how(database: Database) -> tuple[Literal["postgres", "mysql"], str, str]:
    """The engine, the service whose image is used, and the user, of a database that can be tested."""
    match database:
        case Postgres():
            return "postgres", database.service, database.user
        case Mysql():
            return "mysql", database.service, "root"
        case ServiceDump(test=DumpTest() as test):
            return test.engine, test.service, "postgres"
    raise StepFault("cannot be tested: it has no `test:`", reason=Reason.RESTORE_TEST)


def _row(name: str, bound: str, look: Callable[[], str]) -> CheckResult:
    """What ``look`` saw; a fault of it is a failed row."""
    try:
        return CheckResult(name=name, mark=Mark.PASSED, value=look(), bound=bound)
    except (StepFault, PortFault) as fault:
        return CheckResult(name=name, mark=Mark.FAILED, value=str(fault), bound=bound)


def _missing(text: str) -> str:
    raise StepFault(text)


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f} MiB"
