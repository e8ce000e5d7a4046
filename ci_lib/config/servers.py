"""Rules for the database servers of a stack, ``provision:``."""

from collections.abc import Iterator

from ci_lib.config.mistakes import Mistake, Path
from ci_lib.config.provision import MysqlServer, PostgresServer
from ci_lib.config.text import quoted

_THEIR_OWN = {
    "postgres": frozenset({"postgres", "template0", "template1"}),
    "mysql": frozenset({"mysql", "sys", "information_schema", "performance_schema"}),
}
_NOBODYS = {
    "postgres": frozenset({"postgres", "public", "none"}),
    "mysql": frozenset({"root", "mysql", "public", "none"}),
}
_LONGEST = {"postgres": (63, 63), "mysql": (64, 32)}
"""Characters of a database's and a user's name: PostgreSQL would cut longer ones without a word."""


def broken_servers(servers: tuple[PostgresServer | MysqlServer, ...], path: Path) -> Iterator[Mistake]:
    """Every rule that the servers of one layer break; ``path`` is where they are listed."""
    services: set[str] = set()
    passwords: dict[str, str] = {}
    for at, server in enumerate(servers):
        below = (*path, at)
        if server.service in services:
            text = f"{quoted(server.service)} is listed already: keep its databases together"
            yield Mistake(path=(*below, "service"), text=text)
        services.add(server.service)
        yield from _names(server, below)
        for name, account in server.databases.items():
            owner = passwords.setdefault(account.password_env, account.user)
            if owner != account.user:
                text = f"is the password of {quoted(owner)} already: each user needs one of its own"
                yield Mistake(path=(*below, "databases", name, "password_env"), text=text)


def _names(server: PostgresServer | MysqlServer, path: Path) -> Iterator[Mistake]:
    owners: dict[str, str] = {}
    for name, account in server.databases.items():
        below = (*path, "databases", name)
        if wrong := _database(server.type, name):
            yield Mistake(path=below, text=wrong)
        if wrong := _user(server, account.user):
            yield Mistake(path=(*below, "user"), text=wrong)
        elif account.user in owners:
            text = f"{quoted(account.user)} has database {quoted(owners[account.user])} already: "
            text += "each database needs a user of its own"
            yield Mistake(path=(*below, "user"), text=text)
        owners.setdefault(account.user, name)


def _database(kind: str, name: str) -> str:
    longest = _LONGEST[kind][0]
    if name.lower() in _THEIR_OWN[kind]:
        return "belongs to the server itself: give the service a database of its own"
    return f"is longer than {longest} characters" if len(name) > longest else ""


def _user(server: PostgresServer | MysqlServer, user: str) -> str:
    longest = _LONGEST[server.type][1]
    if user == server.user:
        return f"{quoted(user)} is the server's administrator: give the service a user of its own"
    reserved = server.type == "postgres" and user.startswith("pg_")
    if reserved or user.lower() in _NOBODYS[server.type]:
        return f"{quoted(user)} is reserved by the server: choose another name"
    return f"is longer than {longest} characters" if len(user) > longest else ""
