"""The variables of the job's environment that deploy.yml names."""

from collections.abc import Iterable, Iterator, Mapping

from ci_lib.config.build import Build
from ci_lib.config.models import HostSettings, Login
from ci_lib.config.provision import ServerBase
from ci_lib.config.records import GitRecords
from ci_lib.config.release import Setting
from ci_lib.config.resolved import Resolved

_Named = Iterator[tuple[str, str | None]]
"""Pairs of a key of deploy.yml and the variable that stands there, None where none does."""


def variable_names(settings: Resolved) -> Mapping[str, tuple[str, ...]]:
    """Variable → the keys of deploy.yml that name it, for one stack in one environment.

    Left out are those that need not be there (``evidence.mask_env``), and those of a container.
    """
    found: dict[str, list[str]] = {}
    for key, name in _named(settings):
        if name:
            found.setdefault(name, []).append(key)
    return {name: tuple(dict.fromkeys(keys)) for name, keys in found.items()}


def _named(settings: Resolved) -> _Named:
    place, own = settings.place, settings.settings
    if place.signing:
        yield f"environments.{settings.environment}.signing.key_env", place.signing.key_env
    for name in hosts_of(settings):
        yield from host_variables(name, settings.hosts[name])
    yield from records_variables(settings)
    for registry, login in own.registries.items():
        yield from login_variables(registry, login)
    yield from _of_servers(own.provision)
    yield from _of_release(own.release.settings)
    for name, image in settings.images.items():
        if image.build:
            yield from _of_build(f"images.{name}.build", image.build)


def hosts_of(settings: Resolved) -> tuple[str, ...]:
    """The hosts that are needed: the environment's, and that of the records."""
    records = settings.records
    ledger = None if isinstance(records, GitRecords) else records.host
    return tuple(dict.fromkeys((*settings.place.hosts, *((ledger,) if ledger else ()))))


def host_variables(name: str, host: HostSettings) -> _Named:
    """The key of a host."""
    yield f"hosts.{name}.key_env", host.key_env


def records_variables(settings: Resolved) -> _Named:
    """Token and key of the ledger's branch."""
    if isinstance(settings.records, GitRecords):
        yield "records.token_env", settings.records.token_env
        yield "records.key_env", settings.records.key_env


def login_variables(registry: str, login: Login) -> _Named:
    """The login of a registry."""
    yield f"registries.{registry}.username_env", login.username_env
    yield f"registries.{registry}.password_env", login.password_env


def _of_servers(servers: Iterable[ServerBase]) -> _Named:
    for server in servers:
        for name, account in server.databases.items():
            yield f"provision.{server.service}.databases.{name}.password_env", account.password_env


def _of_release(wanted: Iterable[Setting]) -> _Named:
    for setting in wanted:
        if setting.from_ == "runner":
            yield "release.settings", setting.name
            yield "release.settings", setting.expires_in


def _of_build(key: str, build: Build) -> _Named:
    yield from ((f"{key}.args_env", name) for name in build.args_env)
    yield from ((f"{key}.secrets", name) for name in build.secrets.values())
