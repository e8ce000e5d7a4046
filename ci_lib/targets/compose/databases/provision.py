"""Bringing a database server to where deploy.yml wants it: look, change, and look again."""

from collections.abc import Callable, Mapping

from ci_lib.config.provision import MysqlServer, PostgresServer
from ci_lib.domain.errors import ConfigFault, StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran, Unreachable
from ci_lib.targets.compose.databases.mysql import Mysql
from ci_lib.targets.compose.databases.postgres import Postgres
from ci_lib.targets.compose.databases.server import Change, Passwords, Server
from ci_lib.targets.compose.inside import instance
from ci_lib.targets.compose.site import Site

AnyServer = PostgresServer | MysqlServer
Secret = Callable[[str], str]

_LOOKS = 5
"""How often a server is looked at: what a change brings to light is changed on the next look."""


def provision(site: Site, service: str, secret: Secret, *, limit: float) -> tuple[str, ...]:
    """Provision the server that runs as ``service``; returns a line for each database, then the notes.

    ``secret`` gives the value of a variable of the job; those of *all* servers are asked for, so that a
    missing one is told before anything changes. ``limit`` in seconds, for everything together. Raises
    ``ConfigFault`` for a password that cannot be used, ``StepFault`` (PROVISION) for everything else.
    """
    servers = {server.service: server for server in site.settings.settings.provision}
    passwords = {name: passwords_of(server, secret) for name, server in servers.items()}
    server = servers[service]
    deadline = site.clock.monotonic() + limit
    container = _container(site, service)

    def ask(argv: tuple[str, ...], text: str) -> Ran:
        left = deadline - site.clock.monotonic()
        if left <= 0:
            hint = "raise `limits.provision`, and run again: what was done stays"
            raise StepFault(f"{service}: not done within {limit:.0f} s", hint=hint, reason=Reason.PROVISION)
        way = ("docker", "exec", "-i", container, *argv)
        try:
            return site.change(*way, stdin=text.encode(), limit=left)
        except StepFault as fault:
            reason = Reason.PROVISION if fault.reason is Reason.STOPPED else fault.reason
            raise StepFault(f"{service}: {fault.message}", hint=fault.hint, reason=reason) from fault

    kind: Server
    if isinstance(server, PostgresServer):
        kind = Postgres(server, ask, passwords[service])
    else:
        kind = Mysql(server, ask, passwords[service])
    return settle(kind, service, tuple(server.databases))


def settle(server: Server, service: str, databases: tuple[str, ...]) -> tuple[str, ...]:
    """Change what has to be, until nothing has; returns a line for each database, then the notes.

    Raises ``StepFault`` when a change fails, with what was done before, and when one does not last.
    """
    done: dict[str, list[str]] = {name: [] for name in (*databases, "")}
    changes: tuple[Change, ...] = ()
    for _ in range(_LOOKS):
        found = server.look()
        changes = found.changes
        if not changes:
            return (*_lines(service, done), *(f"{service}: {other}" for other in found.others))
        for change in changes:
            try:
                server.change(change)
            except StepFault as fault:
                before = " · ".join(_lines(service, {name: what for name, what in done.items() if what}))
                raise StepFault(
                    fault.message + (f" (done before: {before})" if before else ""),
                    hint=fault.hint,
                    reason=fault.reason,
                ) from fault
            done[change.database].append(change.what)
    raise StepFault(
        f"{service}: it does not last: {'; '.join(change.what for change in changes)}",
        hint="somebody else changes it back, or the server does not let it be taken away: see its log",
        reason=Reason.PROVISION,
    )


def _lines(service: str, done: Mapping[str, list[str]]) -> list[str]:
    """``db/shop_db: unchanged``; the server's own line comes last, and only where it has something to say."""
    rows = [f"{service}/{name}: {'; '.join(what) or 'unchanged'}" for name, what in done.items() if name]
    return [*rows, *([f"{service}: {'; '.join(done[''])}"] if done.get("") else [])]


def passwords_of(server: AnyServer, secret: Secret) -> Passwords:
    """User → password; raise ``ConfigFault`` for one that is missing, of several lines, or used twice."""
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for account in server.databases.values():
        password = secret(account.password_env)
        if any(char in password for char in "\n\r\0"):
            raise ConfigFault(
                f"the password in {account.password_env} has a line break",
                hint="a secret that was read from a file often ends in one: take it away",
            )
        other = owners.setdefault(password, account.password_env)
        if other != account.password_env:
            raise ConfigFault(
                f"{other} and {account.password_env} hold the same password",
                hint="each user needs one of its own: what one service leaks must open nothing else",
            )
        found[account.user] = password
    return found


def _container(site: Site, service: str) -> str:
    try:
        return instance(site, service)
    except Unreachable as fault:
        hint = f"see `status`, start {service}, and run again"
        raise StepFault(f"{service}: {fault}", hint=hint, reason=Reason.PROVISION) from fault
