"""Each provisioned user can work in its own database, and gets into no other of the same server.

Everything is tried as a service would, over the network and with the password: what the server says of
rights is one thing, what it does another. A neighbour's refusal counts only between two looks at the own
database that succeeded, so that a server which is down or full refuses nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ci_lib.checks.site import Probe, Seen, Site
from ci_lib.config.checks import IsolationCheck
from ci_lib.config.provision import MysqlServer, PostgresServer
from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import Ran, TimedOut

_NO_TOOL = 91
_OWN, _WRONG, _STILL = "own", "wrong-password", "still"

# The password comes as a line of standard input; $1: address, $2: user, $3: its own database, $4: SQL that
# makes and removes a table, $5: SQL that counts what can be seen, then the neighbours' databases. Prints
# "what <tab> exit code <tab> last words" for each attempt.
_ATTEMPTS = r"""
say() {
  out=$(ask "$2" "$3" 2>&1) && code=0 || code=$?
  printf '%s\t%s\t%s\n' "$1" "$code" "$(printf '%s' "$out" | tail -n 1 | tr '\t' ' ')"
}
host=$1 user=$2 own=$3 change=$4 count=$5; shift 5
say own "$own" "$change"
secret=$password; password=x$secret; say wrong-password "$own" "$count"; password=$secret
for other in "$@"; do say "/$other" "$other" "$count"; done
say still "$own" "$count"
"""

_PSQL = r"""
IFS= read -r password
command -v psql > /dev/null || exit 91
ask() {
  PGPASSWORD=$password PGCONNECT_TIMEOUT=5 psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v VERBOSITY=terse \
    -h "$host" -U "$user" -d "$1" -c "$2"
}
"""

_CLIENT = r"""
IFS= read -r password
tool=$(command -v mariadb || command -v mysql) || exit 91
ask() {
  MYSQL_PWD=$password "$tool" --no-defaults --protocol=tcp --connect-timeout=5 --batch --skip-column-names \
    --host="$host" --user="$user" --database="$1" --execute="$2"
}
"""

_CHANGE = "CREATE TABLE deploy_actions_probe (one INTEGER); DROP TABLE deploy_actions_probe;"
_PSQL_CHANGE = f"BEGIN; {_CHANGE} COMMIT"
_PSQL_COUNT = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v')
AND nspname NOT IN ('pg_catalog', 'information_schema') AND has_table_privilege(c.oid, 'SELECT')
"""
# DDL ends a transaction here: what a killed attempt left behind is removed first.
_CLIENT_CHANGE = f"DROP TABLE IF EXISTS deploy_actions_probe; {_CHANGE}"
_CLIENT_COUNT = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"

Server = PostgresServer | MysqlServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to get in: at what, whether it succeeded, and the last words."""

    what: str
    passed: bool
    said: str


def probe(check: IsolationCheck, site: Site) -> Probe:
    """Make ready to try every user at every database of its server."""
    number = sum(len(server.databases) for server in site.servers)
    bound = f"{number} user{'s' * (number > 1)}, each in its own database alone"
    return Probe(bound=bound, look=lambda: _look(check, site, bound))


def _look(check: IsolationCheck, site: Site, bound: str) -> Seen:
    # All of them first: whether a variable is missing does not hang on what the servers say.
    secrets = {
        (server.service, account.user): site.secret(account.password_env)
        for server in site.servers
        for account in server.databases.values()
    }
    deadline = site.clock.monotonic() + check.timeout
    wrong: list[str] = []
    for server in site.servers:
        host = site.containers.address(server.service)
        for database, account in server.databases.items():
            left = deadline - site.clock.monotonic()
            if left <= 0:
                raise TimedOut(f"cannot be decided: not done within {check.timeout:g} s")
            others = [name for name in server.databases if name != database]
            script, sql = _spoken(server)
            argv = ("sh", "-c", script, "sh", host, account.user, database, *sql, *others)
            given = f"{secrets[server.service, account.user]}\n".encode("utf-8", "surrogateescape")
            ran = site.containers.exec(server.service, argv, timeout=left, stdin=given)
            wrong += objections(server, account.user, database, ran)
    return Seen(passed=not wrong, value="; ".join(wrong) or bound)


def _spoken(server: Server) -> tuple[str, tuple[str, str]]:
    """The script, and its SQL, that speaks with this kind of server."""
    if isinstance(server, PostgresServer):
        return _PSQL + _ATTEMPTS, (_PSQL_CHANGE, _PSQL_COUNT)
    return _CLIENT + _ATTEMPTS, (_CLIENT_CHANGE, _CLIENT_COUNT)


def objections(server: Server, user: str, database: str, ran: Ran) -> Iterator[str]:
    """What is wrong with a user's attempts, in sentences; also where nothing can be decided."""
    if ran.code == _NO_TOOL:
        yield f"cannot be decided: {server.service} has no client of its own"
        return
    attempts = {attempt.what: attempt for attempt in _attempts(ran.stdout)}
    others = [f"/{name}" for name in server.databases if name != database]
    if not ran.ok or attempts.keys() != {_OWN, _WRONG, _STILL, *others}:
        yield f"cannot be decided: the attempts of {user} ended early: {one_line(ran.said, 80)}"
        return
    for what in (_OWN, _STILL):
        if not attempts[what].passed:
            yield f"{user} cannot work in {database}: {attempts[what].said}"
            return
    if attempts[_WRONG].passed:
        yield f"{server.service} takes {user} with a wrong password"
    for other in others:
        if attempts[other].passed:
            yield f"{user} gets into {other[1:]}, and sees {attempts[other].said or 0} tables there"


def _attempts(text: str) -> Iterator[Attempt]:
    for line in text.splitlines():
        what, _, rest = line.partition("\t")
        code, _, said = rest.partition("\t")
        yield Attempt(what=what, passed=code == "0", said=one_line(said, 120))
