"""PostgreSQL: what keeps services apart on a server, and the SQL that gets it there. Pure.

A user owns its one database. Nobody else may connect to that, so whatever is in it is out of reach. What
remains to be taken away: attributes of the user, memberships in other roles, rights on other databases.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ci_lib.config.provision import PostgresServer
from ci_lib.targets.compose.databases.scram import fits, verifier
from ci_lib.targets.compose.databases.server import Change, Passwords

State = Mapping[str, Any]

SHARED = ("postgres", "template1")
"""Databases of every server, to which everybody may connect unless that is taken away."""

_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreatedb": "CREATEDB",
    "rolcreaterole": "CREATEROLE",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
_BARE = "LOGIN " + " ".join(f"NO{word}" for word in _ATTRIBUTES.values())
_OWN = {"CONNECT", "CREATE", "TEMPORARY"}


def changes_of(server: PostgresServer, state: State, passwords: Passwords) -> Iterator[Change]:
    """What has to change on the server as a whole, users and databases first."""
    for name, account in server.databases.items():
        role = state["roles"].get(account.user)
        yield from _user(name, account.user, role, passwords[account.user])
        yield from _database(name, account.user, state["databases"].get(name))
    yield from _trespasses(server, state)
    yield from _shared(server, state)


def _user(database: str, user: str, role: State | None, password: str) -> Iterator[Change]:
    me = identifier(user)
    if role is None:
        sql = f"CREATE ROLE {me} {_BARE} PASSWORD {literal(verifier(password))};"
        yield Change(database=database, what=f"user {user} created", sql=sql)
        return
    extra = [word for key, word in _ATTRIBUTES.items() if role[key]]
    if extra:
        what = f"{', '.join(extra)} taken from {user}"
        yield Change(database=database, what=what, sql=f"ALTER ROLE {me} {_BARE};")
    elif not role["rolcanlogin"]:
        yield Change(database=database, what=f"{user} may log in again", sql=f"ALTER ROLE {me} LOGIN;")
    if role["expired"]:
        sql = f"ALTER ROLE {me} VALID UNTIL 'infinity';"
        yield Change(database=database, what=f"the password of {user} does not expire any more", sql=sql)
    if not fits(role["verifier"], password):
        sql = f"ALTER ROLE {me} PASSWORD {literal(verifier(password))};"
        yield Change(database=database, what=f"the password of {user} set anew", sql=sql)
    for group, grantor in role["member_of"]:
        by = f" GRANTED BY {identifier(grantor)}" if grantor else ""
        sql = f"REVOKE {identifier(group)} FROM {me}{by} CASCADE;"
        yield Change(database=database, what=f"{user} taken out of {group}", sql=sql)


def _database(name: str, user: str, found: State | None) -> Iterator[Change]:
    here, me = identifier(name), identifier(user)
    shut = f"REVOKE ALL ON DATABASE {here} FROM PUBLIC;"
    if found is None:
        sql = f"CREATE DATABASE {here} OWNER {me}; {shut}"
        yield Change(database=name, what="database created", sql=sql)
        return
    if found["owner"] != user:
        sql = f"ALTER DATABASE {here} OWNER TO {me};"
        yield Change(database=name, what=f"given to {user}, was {found['owner']}'s", sql=sql)
    elif not {right for who, right in found["rights"] if who == user} >= _OWN:
        sql = f"GRANT ALL ON DATABASE {here} TO {me};"
        yield Change(database=name, what=f"{user}'s own rights given back", sql=sql)
    if any(who == "" for who, _ in found["rights"]):
        yield Change(database=name, what="everybody's rights taken away", sql=shut)


def _trespasses(server: PostgresServer, state: State) -> Iterator[Change]:
    """Rights of a configured user on a database that is not its own, whosever that is."""
    homes = {account.user: name for name, account in server.databases.items()}
    for name, found in sorted(state["databases"].items()):
        # Of an owner that is being replaced, the rights go with the ownership.
        for user in sorted({who for who, _ in found["rights"]} & homes.keys() - {found["owner"]}):
            if homes[user] != name:
                sql = f"REVOKE ALL ON DATABASE {identifier(name)} FROM {identifier(user)} CASCADE;"
                what = f"rights of {user} on {name} taken away"
                yield Change(database=homes[user], what=what, sql=sql)


def _shared(server: PostgresServer, state: State) -> Iterator[Change]:
    """Close the databases that every server has to everybody, and leave them open to whoever logs in today.

    What connects there and is none of ours, such as a monitoring user, must not notice.
    """
    ours = {account.user for account in server.databases.values()}
    for name in SHARED:
        rights = state["databases"].get(name, {"rights": ()})["rights"]
        if ["", "CONNECT"] not in rights:
            continue
        known = {who for who, right in rights if right == "CONNECT"} | ours
        logins = {user for user, role in state["roles"].items() if _logs_in(role)}
        stay = ", ".join(identifier(user) for user in sorted(logins - known))
        here = identifier(name)
        keep = f"GRANT CONNECT ON DATABASE {here} TO {stay}; " if stay else ""
        sql = f"BEGIN; {keep}REVOKE CONNECT ON DATABASE {here} FROM PUBLIC; COMMIT;"
        yield Change(database="", what=f"everybody's right to connect to {name} taken away", sql=sql)


def _logs_in(role: State) -> bool:
    """Whether a role logs in and needs rights for it, which a superuser does not."""
    return role["rolcanlogin"] and not role["rolsuper"]


def schema_changes(database: str, user: str, schema: State | None) -> Iterator[Change]:
    """What has to change in a database's schema ``public``, None where it has none."""
    if schema is None:
        return
    if schema["everybody"]:
        sql = "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
        what = "everybody's right to create in schema public taken away"
        yield Change(database=database, what=what, sql=sql, within=database)
    if not schema["own"]:
        sql = f"GRANT USAGE, CREATE ON SCHEMA public TO {identifier(user)};"
        what = f"schema public opened to {user}"
        yield Change(database=database, what=what, sql=sql, within=database)


def others(server: PostgresServer, state: State) -> Iterator[str]:
    """What is on the server beside the configured ones, in sentences."""
    ours = {account.user for account in server.databases.values()} | {server.user}
    strange = sorted(state["databases"].keys() - server.databases.keys() - {*SHARED, "template0"})
    if strange:
        yield f"databases that are not listed: {_listed(strange)}"
    if users := sorted(state["roles"].keys() - ours):
        yield f"users that are not listed: {_listed(users)}"
    for name in strange:
        found = state["databases"][name]
        if ["", "CONNECT"] in found["rights"]:
            yield f"everybody may connect to {name}, every listed user too"
        elif found["owner"] in ours - {server.user}:
            yield f"{name} belongs to {found['owner']}, beside its own database"
    for name in server.databases:
        rights = state["databases"].get(name, {"rights": ()})["rights"]
        if guests := sorted({who for who, right in rights if right == "CONNECT"} - ours - {""}):
            yield f"{_listed(guests)} may connect to {name}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def identifier(name: str) -> str:
    """A name as SQL quotes it; also one that somebody else made up."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL quotes it; ``text`` is a name or a verifier and holds no backslash."""
    return "'" + text.replace("'", "''") + "'"
