"""Putting the databases of a backup back, one after the other; the application must be stopped.

PostgreSQL: the database is renamed aside and made anew by ``pg_restore --create``, so that it is what was
dumped, with its settings, and nothing else. The one aside goes when that has succeeded, and comes back when
it has not. Whoever is killed in between leaves the one aside: going back then means to rename it, and any
other restore does that first.
MySQL and MariaDB: the database is dropped and filled anew; there is no transaction around it, so that only
another backup can undo it.
"""

import hashlib
from typing import assert_never

from ci_lib.config.backup import Database, Mysql, Postgres, ServiceDump
from ci_lib.config.databases import key_of
from ci_lib.config.resolved import Resolved
from ci_lib.domain.backups import Saved, SavedDatabase
from ci_lib.domain.errors import StepFault
from ci_lib.domain.plan import Step
from ci_lib.domain.reasons import Reason
from ci_lib.targets.compose.dumps import one_off
from ci_lib.targets.compose.layout import Layout
from ci_lib.targets.compose.manifest import Manifest
from ci_lib.targets.compose.servers import MYSQL_LOAD, running
from ci_lib.targets.compose.site import LOOK, Site

_LOOK = "SELECT datname FROM pg_database WHERE datname = :'aside';\n"
# Nobody may come in, and whoever is in goes: a session would keep the database from being renamed. What lies
# aside was left by a restore that was killed, and is what counts.
_ALONE = r"""
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS false', datname)
  FROM pg_database WHERE datname IN (:'db', :'aside') \gexec
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (:'db', :'aside');
SELECT format('DROP DATABASE IF EXISTS %I', :'db')
  WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'aside') \gexec
SELECT format('ALTER DATABASE %I RENAME TO %I', :'aside', :'db')
  WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'aside') \gexec
"""
_AWAY = r"""
SELECT format('ALTER DATABASE %I RENAME TO %I', :'db', :'aside')
  WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
"""
_OPEN = r"""
SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true', :'db')
  WHERE EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
"""
_DONE = 'DROP DATABASE IF EXISTS :"aside";\n'
_SCRIPTS = (_LOOK, _ALONE, _AWAY, _OPEN, _DONE)

# $1 container, $2 user, $3 database, $4 the name aside, $5 dump, $6 "back" on the way back, then the scripts.
# Whatever happens, the database that has the name is open again in the end.
_POSTGRES = """
set -eu; container=$1 user=$2 db=$3 aside=$4 dump=$5 way=$6 look=$7 alone=$8 away=$9; shift 9; open=$1 done=$2
sql() {
  printf '%s' "$1" | docker exec -i "$container" psql --username "$user" --dbname template1 --no-psqlrc \\
    --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --set db="$db" --set aside="$aside"
}
new() { docker exec -i "$container" pg_restore --username "$user" --dbname template1 "$@"; }
left=$(sql "$look")
trap 'sql "$open" > /dev/null || :' EXIT
trap 'exit 143' HUP INT TERM
sql "$alone" > /dev/null
if [ "$way" = back ] && [ -n "$left" ]; then sql "$open" > /dev/null; exit 0; fi
sql "$away" > /dev/null
if new --create --exit-on-error < "$dump"
then sql "$done" > /dev/null
else sql "$alone" > /dev/null && echo 'what was there before is back' >&2; exit 1
fi
"""

# A dump that breaks off must not end as if it were complete: the last line is no SQL.
_MYSQL = """
set -eu; container=$1 inside=$2 dump=$3; shift 3
gzip -t "$dump"
{ gzip -dc "$dump" || echo 'the dump broke off;'; } | docker exec -i "$container" sh -c "$inside" sh "$@"
"""

# $1 dump, $2 folder in the run directory, $3 name.
_PLACE = 'set -eu; mkdir -p "$2"; cmp -s "$1" "$2/$3" || { cp "$1" "$2/.$3.new"; mv "$2/.$3.new" "$2/$3"; }'


def restore(site: Site, layout: Layout, step: Step) -> tuple[str, ...]:
    """Put the databases of the backup that ``step`` names back, all within its time limit.

    ``back`` in its arguments: this undoes another restore, which may have left what was there before aside.
    The hashes are verified first. Raises ``StepFault`` (RESTORE); the data may be in between then.
    """
    manifest = Manifest(site=site)
    name, deadline = str(step.args["backup"]), site.clock.monotonic() + step.time_limit
    saved = manifest.read(name)
    if saved is None:
        raise StepFault(f"there is no backup {name}", hint="see `backup --list`", reason=Reason.RESTORE)
    if broken := manifest.broken(saved):
        raise StepFault(f"backup {name} is damaged: {', '.join(broken)}", reason=Reason.RESTORE)
    notes = []
    for item in saved.databases:
        limit = deadline - site.clock.monotonic()
        dump = f"{manifest.folder(name)}/{item.file}"
        database = configured(site.settings, item)
        _one(site, layout, database, dump, max(1.0, limit), back=bool(step.args["back"]))
        notes.append(f"{item.name}: restored from {item.file} of {name}")
    return tuple(notes)


def configured(settings: Resolved, item: SavedDatabase) -> Database:
    """What deploy.yml says of a saved database today; raise ``StepFault`` where it knows no such one."""
    for database in settings.settings.backup.databases:
        if (database.type, key_of(database)) == (item.type, item.name):
            return database
    raise StepFault(
        f"{item.name} ({item.type}) is in the backup, and not under `backup.databases`",
        hint="add it there again, as it was",
        reason=Reason.RESTORE,
    )


def restorable(settings: Resolved, saved: Saved) -> None:
    """Raise ``StepFault`` (RESTORE) where a database of a backup could not be put back by its settings."""
    if not saved.databases:
        hint = "see `backup --list`; its files are copied by hand"
        raise StepFault(f"backup {saved.name} has no database", hint=hint, reason=Reason.RESTORE)
    for item in saved.databases:
        configured(settings, item)
    for database in settings.settings.backup.databases:  # the safety backup has all of them
        if isinstance(database, ServiceDump) and database.restore is None:
            hint = "name the service that puts a dump back there"
            raise StepFault(f"{database.service} has no `restore:`", hint=hint, reason=Reason.RESTORE)


def _one(site: Site, layout: Layout, database: Database, dump: str, limit: float, *, back: bool) -> None:
    match database:
        case Postgres():
            _postgres(site, database, dump, limit, back=back)
        case Mysql():
            _mysql(site, database, dump, limit)
        case ServiceDump():
            _service(site, layout, database, dump, limit)
        case _:
            assert_never(database)


def _postgres(site: Site, database: Postgres, dump: str, limit: float, *, back: bool) -> None:
    what = f"restoring {database.database} in {database.service}"
    container = running(site, database.service, what, Reason.RESTORE)
    name, way = database.database, "back" if back else ""
    argv = ("sh", "-c", _POSTGRES, "sh", container, database.user, name, aside(name), dump, way, *_SCRIPTS)
    _do(site, *argv, limit=limit, what=what)


def aside(name: str) -> str:
    """What a PostgreSQL database is called meanwhile: no name that anybody else would give."""
    return f"deploy_actions_aside_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _mysql(site: Site, database: Mysql, dump: str, limit: float) -> None:
    what = f"restoring {database.database} in {database.service}"
    container = running(site, database.service, what, Reason.RESTORE)
    inside = (MYSQL_LOAD, dump, database.user, database.password_env, database.database)
    _do(site, "sh", "-c", _MYSQL, "sh", container, *inside, limit=limit, what=what)


def _service(site: Site, layout: Layout, dump: ServiceDump, path: str, limit: float) -> None:
    what = f"restoring by the service {dump.restore.service if dump.restore else '?'}"
    if dump.restore is None:
        raise StepFault(f"{dump.service} has no `restore:`", reason=Reason.RESTORE)
    name = path.rpartition("/")[2]
    folder = f"{site.run_dir}/{dump.folder}"
    _do(site, "sh", "-c", _PLACE, "sh", path, folder, name, limit=max(limit, LOOK), what=what)
    told = ("-e", f"{dump.restore.variable}={dump.restore.folder}/{name}")
    argv = one_off(site, layout, dump, *told, dump.restore.service)
    _do(site, *argv, limit=limit, what=what)


def _do(site: Site, *argv: str, limit: float, what: str) -> None:
    ran = site.change(*argv, limit=limit, label=what, reason=Reason.RESTORE)
    if not ran.ok:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        # What failed stands before what was done about it.
        errors = [line for line in lines if "error" in line.lower()]
        said = "; ".join(dict.fromkeys((*errors[:1], *lines[-1:])))
        raise StepFault(f"{what}: {said or ran.said}", reason=Reason.RESTORE)
