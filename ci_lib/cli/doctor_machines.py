"""The rows of ``doctor`` that look at machines: this one, the hosts, the ledger, the registries."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Final

from ci_lib.cli.console import Session
from ci_lib.cli.hosts import Hosts, store_at
from ci_lib.cli.registries import registry_access
from ci_lib.cli.wiring import host_checks
from ci_lib.config.models import DeployConfig, Login
from ci_lib.config.names import host_variables, hosts_of, login_variables, records_variables
from ci_lib.config.records import DirectoryRecords, GitRecords
from ci_lib.config.resolved import Resolved
from ci_lib.config.rules import check_runner
from ci_lib.doctor.look import Untold, look_at, met
from ci_lib.doctor.machines import clock_row, host_row, tool_rows
from ci_lib.domain.doctor import Row, Seen, Standing, missing, ok, unknown, weak
from ci_lib.domain.errors import ConfigFault, DeployError
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import Mark
from ci_lib.images.address import address_of
from ci_lib.images.fetch import NotThere, Silent
from ci_lib.images.registry import Registry
from ci_lib.ports.protocols import Host
from ci_lib.ports.system import SystemClock
from ci_lib.records.chain import check

_STANDINGS: Final = {
    Mark.PASSED: Standing.OK,
    Mark.WARNED: Standing.WEAK,
    Mark.FAILED: Standing.MISSING,
    Mark.SKIPPED: Standing.UNKNOWN,
}
_NOBODYS: Final = "deploy-actions-doctor"
"""A tag that nobody has: that it is not there is an answer, and costs nothing to give."""

_HERE: Final = "run doctor in the job that has it, or set it"


def machine_rows(
    session: Session, config: DeployConfig, places: list[Resolved], exits: ExitStack
) -> Iterator[Row]:
    """Rows for this machine, each host once and each environment on it, the ledger, and each repository."""
    if not places:
        return
    yield from tool_rows(session.runner, _tools(places))
    hosts, closed = Hosts(session, places[0].folder, exits), set[str]()
    yield from _hosts(session, places, hosts, closed)
    wanted = "can be read, and nothing in it was changed"
    yield look_at("records", wanted, partial(_records, session, config, places[0], hosts, closed, exits))
    yield from _registries(session, places)


def _tools(places: Iterable[Resolved]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in places:
        uses = {"ssh": [name for name in hosts_of(one) if not one.hosts[name].local]}
        builds = [f"build of {name}" for name, image in one.images.items() if image.build]
        ledger = ["records"] if isinstance(one.records, GitRecords) else []
        uses |= {"git": [*ledger, *builds], "docker": builds}
        for tool, needs in uses.items():
            if needs:
                found[tool] = list(dict.fromkeys((*found.get(tool, ()), *needs)))
    return found


def _hosts(session: Session, places: list[Resolved], hosts: Hosts, closed: set[str]) -> Iterator[Row]:
    """What stands on a host that lets nobody in (``closed``) is not asked for: that would take as long."""
    names = dict.fromkeys(name for one in places for name in hosts_of(one))
    for name in names:
        connect = partial(_connect, session, places[0], hosts, name)
        row = host_row(name, connect)
        yield row
        if row.seen.standing is not Standing.OK:
            closed.add(name)
            continue
        host = connect()
        if not host.local:
            yield clock_row(host, SystemClock().now)
        for one in places:
            if name in one.place.hosts:
                yield from _on_host(session, one, host)


def _connect(session: Session, settings: Resolved, hosts: Hosts, name: str) -> Host:
    host = settings.hosts[name]
    _demand(session, *(variable for _, variable in host_variables(name, host)))
    return hosts(name, host)


def _on_host(session: Session, settings: Resolved, host: Host) -> Iterator[Row]:
    name = f"{settings.environment} on {host.name}"
    try:
        found = host_checks(session, settings, host)
    except Exception as error:  # as in `look_at`: one answer for several rows
        yield Row(name=name, wanted="says what it has", seen=met(error))
        return
    for one in found:
        seen = Seen(standing=_STANDINGS[one.mark], value=one.value)
        yield Row(name=f"{name}: {one.name}", wanted=one.bound, seen=seen)


def _records(
    session: Session,
    config: DeployConfig,
    settings: Resolved,
    hosts: Hosts,
    closed: set[str],
    exits: ExitStack,
) -> Seen:
    try:
        check_runner(config, hosted=session.facts.hosted)
    except ConfigFault as fault:
        return missing(fault.message, fault.hint)
    _demand(session, *(variable for _, variable in records_variables(settings)))
    records = settings.records
    if isinstance(records, DirectoryRecords) and records.host in closed:
        raise Untold(f"not asked: host {records.host} lets nobody in")
    store = store_at(session, records, settings.hosts, settings.folder, hosts, exits)
    data = store.read(settings.stack)
    try:
        chain = check(data)
    except DeployError as error:
        return missing(error.message, error.hint)  # it did answer
    lines = chain.data.count(b"\n")
    return ok(f"{lines} records of {settings.stack}")


def _registries(session: Session, places: list[Resolved]) -> Iterator[Row]:
    """A registry that does not answer is not asked for its other repositories: each would wait as long."""
    silent: set[str] = set()
    for (repository, login, on_host), one in _repositories(places).items():
        host = address_of(repository).host
        name, wanted = f"image {repository}", "may be read from here"
        if on_host:
            value = "read by the hosts alone (`resolve: host`), and not tried"
            yield Row(name=name, wanted=wanted, seen=weak(value, "does `docker pull` work there?"))
        elif host in silent:
            yield Row(name=name, wanted=wanted, seen=unknown(f"not asked: {host} did not answer before"))
        else:
            yield look_at(name, wanted, partial(_readable, session, one, repository, login, silent))


def _repositories(places: Iterable[Resolved]) -> dict[tuple[str, Login | None, bool], Resolved]:
    """Repository, its login in deploy.yml and whether its digest comes from the hosts → where so."""
    found: dict[tuple[str, Login | None, bool], Resolved] = {}
    for one in places:
        for image in one.images.values() if one.target == "compose" else ():
            login = one.settings.registries.get(address_of(image.repository).host)
            found.setdefault((image.repository, login, image.resolve == "host"), one)
    return found


def _readable(
    session: Session, settings: Resolved, repository: str, login: Login | None, silent: set[str]
) -> Seen:
    if login:
        _demand(session, *(name for _, name in login_variables("", login)))
    asked = Registry(repository, **registry_access(session, settings))
    try:
        asked.manifest(Reference(repository=repository, tag=_NOBODYS))
    except NotThere as error:
        return _not_there(error.code)
    except Silent:
        silent.add(address_of(repository).host)
        raise
    return ok("answers")


def _not_there(code: str) -> Seen:
    """What a registry's 404 says of the repository: anybody's web server has a 404, and no such code."""
    if code == "MANIFEST_UNKNOWN":
        return ok("answers")
    hint = "is its name right? The first push may make it"
    if code == "NAME_UNKNOWN":
        return weak("answers, and has no such repository yet", hint)
    if code == "NOT_FOUND":  # Harbor's, in place of both
        return weak("answers, and does not say whether there is such a repository", hint)
    said = f"404 ({code})" if code else "404 without a registry's word for it"
    return unknown(f"answers {said}", "is that a registry, and is the repository's name right?")


def _demand(session: Session, *names: str | None) -> None:
    """Raise ``Untold`` where the job that we are in is not the one with the secret."""
    for name in names:
        if name and not session.env.get(name):
            raise Untold(f"cannot be asked: {name} is not set here", hint=_HERE)
