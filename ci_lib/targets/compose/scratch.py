"""Trying a dump: restored into a scratch container of the very image that the database runs, and looked into.

The container has no network and no password, and is gone afterwards. One script on the host does it all, so
that it tidies up even when nobody waits for it any more; what a killed one left is removed by the next, which
knows by the lock that nobody uses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ci_lib.targets.compose.commands import Argv
from ci_lib.targets.compose.servers import MYSQL_COUNT, MYSQL_LOAD, POSTGRES_COUNT
from ci_lib.targets.compose.site import Site

LABEL = "deploy-actions.scratch"

_DATABASE = "deploy_actions_scratch"
_WAIT = 20.0
_BUSY = 75

# The servers' first start is over when they answer on TCP: while they are set up they have a socket alone.
# $1 label, $2 name, $3 whose image is used, $4 dump, $5 engine, $6 user, $7 and $8 the scripts that run
# inside, $9 the database.
_SCRIPT = """
set -eu; label=$1 name=$2 from=$3 dump=$4 engine=$5 user=$6 load=$7 count=$8
left=$(docker ps -aq --no-trunc --filter "label=$label"); [ -z "$left" ] || docker rm -f -v $left > /dev/null
[ -s "$dump" ] || { echo "$dump is empty or gone" >&2; exit 1; }
trap 'docker rm -f -v "$name" > /dev/null 2>&1 || true' EXIT; trap 'exit 1' HUP INT PIPE TERM
image=$(docker inspect --format '{{.Image}}' "$from")
docker run -d --network none --name "$name" --label "$label" \
  -e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_USER="$user" -e POSTGRES_DB=postgres \
  -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 -e MYSQL_ALLOW_EMPTY_PASSWORD=1 "$image" > /dev/null
inside() { docker exec -i "$name" "$@"; }
ready() {
  case $engine in
  postgres) inside pg_isready --quiet --host 127.0.0.1 --username "$user" < /dev/null ;;
  mysql) inside sh -c 'a=$(command -v mariadb-admin || command -v mysqladmin)
    "$a" --no-defaults --protocol=tcp --host=127.0.0.1 --connect-timeout=2 --silent ping' < /dev/null ;;
  esac
}
until ready > /dev/null 2>&1; do
  [ "$(docker inspect --format '{{.State.Running}}' "$name")" = true ] ||
    { docker logs --tail 3 "$name" >&2; echo "the scratch container of $image ended" >&2; exit 1; }
  sleep 0.5
done
plain() { case $(head -c 2 "$dump" | od -An -tx1) in *1f*8b*) gzip -dc "$dump" ;; *) cat "$dump" ;; esac; }
whole() { plain | tail -n 5 | grep -q "$1" || { echo 'the dump is not complete' >&2; exit 1; }; }
case $engine in
postgres)
  inside createdb --username "$user" --template template0 "$9" < /dev/null
  if [ "$(head -c 5 "$dump")" = PGDMP ]; then
    inside pg_restore --username "$user" --dbname "$9" --exit-on-error --no-owner --no-privileges < "$dump"
  else
    whole '^-- PostgreSQL database dump complete'
    { plain || echo 'the dump broke off;'; } |
      inside psql --username "$user" --dbname "$9" --no-psqlrc --quiet --set ON_ERROR_STOP=1 > /dev/null
  fi
  printf '%s' "$count" | inside psql --username "$user" --dbname "$9" --no-psqlrc --tuples-only --no-align ;;
mysql)
  whole '^-- Dump completed'
  { plain || echo 'the dump broke off;'; } | inside sh -c "$load" sh root '' "$9"
  inside sh -c "$count" sh root '' < /dev/null ;;
esac
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A dump to try: ``path`` on the host, ``container`` whose image is used, ``user`` who owns the data."""

    path: str
    engine: Literal["postgres", "mysql"]
    container: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of it: the rows of each table, or why there are none."""

    tables: Sequence[int] = ()
    wrong: str = ""


def attempt(site: Site, trial: Trial, *, limit: float) -> Tried:
    """Restore a dump and count; never raises for a dump that is broken."""
    label = f"{LABEL}={site.project}"
    count = POSTGRES_COUNT if trial.engine == "postgres" else MYSQL_COUNT
    arguments: Argv = (
        *(label, f"deploy-actions-scratch-{site.project}", trial.container, trial.path),
        *(trial.engine, trial.user, MYSQL_LOAD, count, _DATABASE),
    )
    # Not under `busy`: nothing of the stack is changed, and a deploy need not wait.
    guard = ("flock", "-w", f"{limit:.0f}", "-E", str(_BUSY), f"{site.state}/scratch.lock")
    timed = ("timeout", "-k", "15", f"{max(1.0, limit):.0f}")
    argv = (*guard, *timed, "sh", "-c", _SCRIPT, "sh", *arguments)
    ran = site.look(*argv, limit=2 * limit + _WAIT)
    if ran.code == _BUSY:
        return Tried(wrong="another restore test was at work all the time")
    if ran.code in (124, 137):
        return Tried(wrong=f"took longer than {limit:.0f} s")
    if not ran.ok:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        return Tried(wrong=next(iter(lines[-1:]), ran.said))
    return Tried(tables=[int(line) for line in ran.stdout.split()])
