"""MariaDB and MySQL: what a server must look like for its services to be apart, and the SQL for it.

A user is known by its name and ``%``, and has all rights on its one database. The server itself lists what a
user may do (``SHOW GRANTS``); a line that is neither "nothing" nor that one right is one too many.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ci_lib.config.provision import MysqlServer
from ci_lib.ports.protocols import Ran
from ci_lib.targets.compose.databases import mysql_hashes
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
_SYSTEM = frozenset({"mysql", "sys", "information_schema", "performance_schema"})
_SYSTEM_USERS = frozenset({"mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "healthcheck"})
_ESCAPED = {"t": "\t", "n": "\n", "0": "\0", "\\": "\\"}


@dataclass(slots=True, kw_only=True)
class State:
    """What a server says of itself. ``users``: name and host → plugin and hash; ``grants``: user → lines."""

    mariadb: bool = False
    databases: set[str] = field(default_factory=set)
    users: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict, repr=False)
    grants: dict[str, list[str]] = field(default_factory=dict, repr=False)


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
            sql = "".join(f"SELECT 'of', '{user}'; SHOW GRANTS FOR {_who(user)};\n" for user in known)
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


def changes_of(server: MysqlServer, state: State, passwords: Passwords) -> Iterator[Change]:
    """What has to change, users and databases first."""
    for name, account in server.databases.items():
        user, password = account.user, passwords[account.user].encode("utf-8", "surrogateescape")
        found = state.users.get((user, "%"))
        if found is None:
            sql = f"CREATE USER {_who(user)} {_identified(state, password)};"
            yield Change(database=name, what=f"user {user} created", sql=sql)
        elif not mysql_hashes.fits(*found, password):
            sql = f"ALTER USER {_who(user)} {_identified(state, password)};"
            yield Change(database=name, what=f"the password of {user} set anew", sql=sql)
        if name not in state.databases:
            sql = f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4;"
            yield Change(database=name, what="database created", sql=sql)
        yield from _rights(name, user, state.grants.get(user, []))


def _rights(name: str, user: str, lines: list[str]) -> Iterator[Change]:
    """Take away what is too much, and give what is missing.

    All is revoked at once, on every level, and the one right given again: no list of levels can be forgotten.
    """
    give = f"GRANT ALL PRIVILEGES ON {pattern(name)}.* TO {_who(user)};"
    rights = [_plain(line, user) for line in lines]
    own = f"ALL PRIVILEGES ON {pattern(name)}.*"
    extra = [right for right in rights if right not in (own, "USAGE ON *.*")]
    roles = [right for right in extra if " ON " not in right]
    # Before the rest: on MariaDB, revoking all takes roles along.
    for role in roles:
        sql = f"REVOKE {role} FROM {_who(user)};"
        yield Change(database=name, what=f"{user} taken out of {role}", sql=sql)
    if extra != roles:
        what = f"taken from {user}: {', '.join(right for right in extra if right not in roles)}"
        sql = f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {_who(user)}; {give}"
        yield Change(database=name, what=what, sql=sql)
    elif own not in rights:
        what = f"all rights on its database given to {user}"
        yield Change(database=name, what=what, sql=give)


def _plain(line: str, user: str) -> str:
    """A line of ``SHOW GRANTS`` without the user, and without the hash that MariaDB tells with it.

    ``SELECT ON `shop`.* WITH GRANT OPTION``. Older servers quote a user as they quote a text.
    """
    for me in (f"`{user}`@`%`", _who(user)):
        right, found, rest = line.removeprefix("GRANT ").rpartition(f" TO {me}")
        if found:
            return right + (" WITH GRANT OPTION" if rest.endswith("WITH GRANT OPTION") else "")
    return line


def state_of(text: str) -> State:
    """Read what ``_LOOK`` prints."""
    state = State()
    for row in _rows(text):
        match row:
            case ["version", version]:
                state.mariadb = "mariadb" in version.lower()
            case ["user", user, host, plugin, stored]:
                state.users[user, host] = plugin, bytes.fromhex("" if stored == "NULL" else stored)
            case ["database", name]:
                state.databases.add(name)
    return state


def grants_of(text: str) -> dict[str, list[str]]:
    """Read what ``SHOW GRANTS`` prints for several users, each after a row with its name."""
    grants: dict[str, list[str]] = {}
    lines: list[str] = []
    for row in _rows(text):
        if row[0] == "of":
            lines = grants.setdefault(row[1], [])
        elif not row[0].startswith("SET DEFAULT ROLE"):  # it goes with the role
            lines.append(row[0])
    return grants


def _rows(text: str) -> Iterator[list[str]]:
    """The rows of ``--batch``, in which tab, line break, NUL and backslash are escaped."""
    for line in text.splitlines():
        cells = line.split("\t")
        yield [re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), cell) for cell in cells]


def others(server: MysqlServer, state: State) -> Iterator[str]:
    """What is on the server beside the configured ones, in sentences."""
    ours = {account.user for account in server.databases.values()}
    if names := sorted(state.databases - server.databases.keys() - _SYSTEM):
        yield f"databases that are not listed: {', '.join(names)}"
    known = ours | _SYSTEM_USERS | {server.user}
    if users := sorted({user for user, _ in state.users} - known):
        yield f"users that are not listed: {', '.join(user or 'anonymous' for user in users)}"
    for user, host in sorted(state.users):
        if user in ours and host != "%":
            yield f"{user} may also come in from {host}, with rights and a password of its own there"


def pattern(name: str) -> str:
    """A database's name in GRANT, where a bare underscore stands for any letter: ``a_b`` is ``axb`` too."""
    return "`" + name.replace("_", "\\_") + "`"


def _who(user: str) -> str:
    return f"'{user}'@'%'"


def _identified(state: State, password: bytes) -> str:
    if state.mariadb:
        return f"IDENTIFIED VIA {mysql_hashes.NATIVE} USING '{mysql_hashes.native(password)}'"
    return f"IDENTIFIED WITH {mysql_hashes.CACHING} AS '{mysql_hashes.caching(password).decode()}'"


def _hidden(said: str) -> str:
    """A server's message about a statement without the hash that stood in it."""
    return re.sub(r"\*[0-9A-F]{40}|\$A\$\S+", "***", said)
