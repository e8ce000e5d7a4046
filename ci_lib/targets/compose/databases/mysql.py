"""A MariaDB or MySQL in its container: how it is asked, and told."""

import re

from ci_lib.config.provision import MysqlServer
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.databases.mysql_changes import changes_of, grants_of, others, state_of, who
from ci_lib.targets.compose.databases.server import Ask, Change, Found, Passwords, failed

# $1: the variable with the administrator's password, which stays in the container; $2: the administrator.
_CLIENT = """
secret=$(printenv "$1") || secret=$(cat "$(printenv "${1}_FILE")" 2> /dev/null) ||
  { echo "the container has neither $1 nor a readable ${1}_FILE" >&2; exit 90; }
tool=$(command -v mariadb || command -v mysql) || { echo 'it has neither mariadb nor mysql' >&2; exit 91; }
MYSQL_PWD=$secret exec "$tool" --user="$2" --batch --skip-column-names --default-character-set=utf8mb4
"""

# A hash is no password, and no public thing: it stays out of the general log.
_QUIET = "SET SESSION sql_log_off = 1; SET SESSION lock_wait_timeout = 15;\n"

_LOOK = """\
SELECT 'version', VERSION();
SELECT 'user', User, Host, plugin, HEX(authentication_string) FROM mysql.user WHERE Host <> '';
SELECT 'database', SCHEMA_NAME FROM information_schema.SCHEMATA;
"""


class Mysql:
    """``Server`` of a MariaDB or MySQL, by its own client in its container."""

    def __init__(self, server: MysqlServer, ask: Ask, passwords: Passwords) -> None:
        self._server = server
        self._ask = ask
        self._passwords = passwords

    def look(self) -> Found:
        """How it stands now."""
        state = state_of(self._run(_LOOK).stdout)
        known = [one.user for one in self._server.databases.values() if (one.user, "%") in state.users]
        if known:
            sql = "".join(f"SELECT 'of', '{user}'; SHOW GRANTS FOR {who(user)};\n" for user in known)
            state.grants = grants_of(self._run(sql).stdout)
        changes = tuple(changes_of(self._server, state, self._passwords))
        return Found(changes=changes, others=tuple(others(self._server, state)))

    def change(self, change: Change) -> None:
        """Carry out one change."""
        self._run(change.sql, change)

    def _run(self, sql: str, change: Change | None = None) -> Ran:
        server = self._server
        ran = self._ask(("sh", "-c", _CLIENT, "sh", server.password_env, server.user), _QUIET + sql)
        if not ran.ok:
            admin = f"{server.password_env} of the container must hold the password of {server.user}"
            raise failed(server.service, change, _hidden(ran.said), hint=admin)
        return ran


def _hidden(said: str) -> str:
    """A server's message about a statement without the hash that stood in it."""
    return re.sub(r"\*[0-9A-F]{40}|\$A\$\S+", "***", said)
