"""Hosts of deploy.yml, connected when they are needed, and the ledger's store on one of them."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ci_lib.cli.console import Session
from ci_lib.config.models import HostSettings
from ci_lib.config.records import DirectoryRecords, GitRecords, Records
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.store import Store
from ci_lib.ports.local import LocalHost
from ci_lib.ports.protocols import Host
from ci_lib.ports.system import SystemClock

if TYPE_CHECKING:
    from ci_lib.ports.git_access import Access


class Hosts:
    """Hosts by name, each connected once; ``folder`` is where relative paths of deploy.yml start."""

    def __init__(self, session: Session, folder: str, stack: ExitStack) -> None:
        self._session = session
        self._folder = folder
        self._stack = stack
        self._made: dict[str, Host] = {}

    def __call__(self, name: str, settings: HostSettings) -> Host:
        """The host of that name."""
        if name not in self._made:
            self._made[name] = self._make(name, settings)
        return self._made[name]

    def _make(self, name: str, settings: HostSettings) -> Host:
        if settings.local:
            return LocalHost(name, sudo=settings.sudo)
        from ci_lib.ports.ssh import SshHost

        assert settings.ssh is not None
        assert settings.known_hosts is not None
        known_hosts = Path(self._folder) / settings.known_hosts
        if not known_hosts.is_file():
            raise ConfigFault(
                f"hosts.{name}.known_hosts: there is no file {settings.known_hosts}",
                hint="fetch the keys with ssh-keyscan, compare them with the host's own, and commit the file",
            )
        destination, port = split_destination(settings.ssh)
        key = self._session.secret(settings.key_env) if settings.key_env else None
        host = SshHost(
            name, destination, known_hosts=str(known_hosts), port=port, private_key=key, sudo=settings.sudo
        )
        return self._stack.enter_context(host)


def split_destination(text: str) -> tuple[str, int | None]:
    """Take ``user@host:port`` apart; an IPv6 address with a port stands in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return text.replace("[", "").replace("]", ""), None
    return host.replace("[", "").replace("]", ""), int(port)


def records_host(
    session: Session, records: Records, known: Mapping[str, HostSettings], hosts: Hosts
) -> Host:
    """The machine that the ledger is on, and with it the policy; for a branch, the one that we run on."""
    if isinstance(records, GitRecords):
        return session.runner
    return hosts(records.host, known[records.host]) if records.host else session.runner


def store_at(
    session: Session,
    records: Records,
    known: Mapping[str, HostSettings],
    folder: str,
    hosts: Hosts,
    exits: ExitStack,
) -> Store:
    """The ledger's store; a relative path of this machine starts in deploy.yml's ``folder``.

    What it opens is closed with ``exits``.
    """
    if isinstance(records, DirectoryRecords):
        return _directory(session, records, known, folder, hosts)
    from ci_lib.ports.git_branch import GitBranch
    from ci_lib.stores.git import GitStore

    branch = GitBranch(records.branch, _access(session, records, folder))
    return GitStore(branch=exits.enter_context(branch), clock=SystemClock())


def _access(session: Session, records: GitRecords, folder: str) -> "Access":
    from ci_lib.ports.git_access import Access

    return Access(
        folder=folder,
        url=str(Path(folder) / records.folder) if records.folder else records.remote or "",
        token=session.secret(records.token_env) if records.token_env else "",
        username=records.username,
        key=session.secret(records.key_env) if records.key_env else None,
        known_hosts=str(Path(folder) / records.known_hosts) if records.known_hosts else "",
    )


def _directory(
    session: Session, records: DirectoryRecords, known: Mapping[str, HostSettings], folder: str, hosts: Hosts
) -> Store:
    from ci_lib.stores.directory import DirectoryStore

    host = records_host(session, records, known, hosts)
    path = str(Path(folder) / records.path) if host.local else records.path
    return DirectoryStore(host=host, path=path, clock=SystemClock())
