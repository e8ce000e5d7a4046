"""MariaDB and MySQL: what keeps services apart on a server, and the SQL that gets it there. Pure.

A user is known by its name and ``%``, and has all rights on its one database. The server itself lists what a
user may do (``SHOW GRANTS``); a line that is neither "nothing" nor that one right is one too many.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ci_lib.config.provision import MysqlServer
from ci_lib.targets.compose.databases import mysql_hashes
from ci_lib.targets.compose.databases.server import Change, Passwords

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


def changes_of(server: MysqlServer, state: State, passwords: Passwords) -> Iterator[Change]:
    """What has to change, users and databases first."""
    for name, account in server.databases.items():
        user, password = account.user, passwords[account.user].encode("utf-8", "surrogateescape")
        found = state.users.get((user, "%"))
        if found is None:
            sql = f"CREATE USER {who(user)} {_identified(state, password)};"
            yield Change(database=name, what=f"user {user} created", sql=sql)
        elif not mysql_hashes.fits(*found, password):
            sql = f"ALTER USER {who(user)} {_identified(state, password)};"
            yield Change(database=name, what=f"the password of {user} set anew", sql=sql)
        if name not in state.databases:
            sql = f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4;"
            yield Change(database=name, what="database created", sql=sql)
        yield from _rights(name, user, state.grants.get(user, []))


def _rights(name: str, user: str, lines: list[str]) -> Iterator[Change]:
    """Take away what is too much, and give what is missing.

    All is revoked at once, on every level, and the one right given again: no list of levels can be forgotten.
    """
    give = f"GRANT ALL PRIVILEGES ON {pattern(name)}.* TO {who(user)};"
    rights = [_plain(line, user) for line in lines]
    own = f"ALL PRIVILEGES ON {pattern(name)}.*"
    extra = [right for right in rights if right not in (own, "USAGE ON *.*")]
    roles = [right for right in extra if " ON " not in right]
    # Before the rest: on MariaDB, revoking all takes roles along.
    for role in roles:
        sql = f"REVOKE {role} FROM {who(user)};"
        yield Change(database=name, what=f"{user} taken out of {role}", sql=sql)
    if extra != roles:
        what = f"taken from {user}: {', '.join(right for right in extra if right not in roles)}"
        sql = f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {who(user)}; {give}"
        yield Change(database=name, what=what, sql=sql)
    elif own not in rights:
        what = f"all rights on its database given to {user}"
        yield Change(database=name, what=what, sql=give)


def _plain(line: str, user: str) -> str:
    """A line of ``SHOW GRANTS`` without the user, and without the hash that MariaDB tells with it.

    ``SELECT ON `shop`.* WITH GRANT OPTION``. Older servers quote a user as they quote a text.
    """
    for me in (f"`{user}`@`%`", who(user)):
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


def who(user: str) -> str:
    """A user as SQL names it: from anywhere."""
    return f"'{user}'@'%'"


def _identified(state: State, password: bytes) -> str:
    if state.mariadb:
        return f"IDENTIFIED VIA {mysql_hashes.NATIVE} USING '{mysql_hashes.native(password)}'"
    return f"IDENTIFIED WITH {mysql_hashes.CACHING} AS '{mysql_hashes.caching(password).decode()}'"
