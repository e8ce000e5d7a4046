"""Ways into registries from this machine, and whom they are asked as."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict

from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Reference
from ci_lib.images.credentials import Credential, DockerCredentials, config_path
from ci_lib.ports.protocols import Clock, Host, Net
from ci_lib.ports.system import SystemClock

_HELPER: Final = 15.0
"""Seconds that a credential helper of Docker may take."""


class RegistryAccess(TypedDict):
    """What every question to a registry needs."""

    net: Net
    credentials: Callable[[str], Credential | None]
    clock: Clock


def registry_access(session: Session, settings: Resolved) -> RegistryAccess:
    """Ways into registries from this machine: the logins of deploy.yml, else Docker's own."""
    from ci_lib.ports.net import RequestsNet

    docker = DockerCredentials(
        path=config_path(session.env),
        read=session.runner.read,
        run=lambda argv, stdin: session.runner.run(argv, stdin=stdin, timeout=_HELPER),
    )
    login = login_of(session, settings)
    return RegistryAccess(
        net=RequestsNet(session.env),
        credentials=lambda name: login(name) or docker(name),
        clock=SystemClock(),
    )


def digest_of(session: Session, settings: Resolved, host: Host) -> Callable[[str, Reference], str]:
    """What says the digest of an image's reference: a registry, the host's engine, or a folder of builds."""

    def on_runner(reference: Reference) -> str:
        from ci_lib.images.registry import resolve_digest

        return resolve_digest(reference, **registry_access(session, settings))

    def digest(name: str, reference: Reference) -> str:
        if settings.target == "process":
            from ci_lib.targets.process import builds

            return builds.digest_of(Path(settings.folder), reference)
        if settings.images[name].resolve == "host":
            from ci_lib.images.on_host import resolve_on_host

            return resolve_on_host(reference, host=host, timeout=settings.settings.limits.pull)
        return on_runner(reference)

    return digest


def login_of(session: Session, settings: Resolved) -> Callable[[str], Credential | None]:
    """The login that deploy.yml names for a registry; its variables are read when it is asked for."""

    def login(registry: str) -> Credential | None:
        named = settings.settings.registries.get(registry)
        if named is None:
            return None
        username, password = session.value(named.username_env), session.secret(named.password_env)
        return Credential(username=username, password=password)

    return login
