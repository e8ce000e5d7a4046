"""The one place where real ports, drivers and stores are built.

Imports are lazy: a verb loads what it uses.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from ci_lib.cli.approval_files import approvals_of
from ci_lib.cli.approval_reviews import reviews_of
from ci_lib.cli.console import Session
from ci_lib.cli.dotenv import secrets_of
from ci_lib.cli.fleet import fleet_of, secrets_of_all, state_of
from ci_lib.cli.forges import forge_of, run_state_of
from ci_lib.cli.hosts import Hosts, records_host, store_at
from ci_lib.cli.looks import looks, looks_on
from ci_lib.cli.policy import demand_of, files_of, found_policies, seal_of, trusts_of
from ci_lib.cli.registries import digest_of, login_of
from ci_lib.config.policy import Files
from ci_lib.config.resolved import Resolved
from ci_lib.config.tighten import tightened
from ci_lib.domain.approval import Demand, Gate
from ci_lib.domain.backups import Backups
from ci_lib.domain.errors import Refusal
from ci_lib.domain.forge import Forge
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.state import Fence, State, unfenced
from ci_lib.domain.target import Containers, Target
from ci_lib.engine.tools import Tools, Variables
from ci_lib.ports.protocols import Host, PortFault
from ci_lib.ports.system import SystemClock
from ci_lib.records.trust import Trusts

if TYPE_CHECKING:  # loaded where they are used
    from ci_lib.stores.state import HostState
    from ci_lib.targets.compose.site import Site as ComposeSite
    from ci_lib.targets.fleet import HostFleet

_BASE = ("PATH", "HOME", "LANG")
"""What a process of the process target gets of our environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """The collaborators of one run, and the hosts behind them."""

    tools: Tools
    host: Host
    runner: Host
    target: Target


@contextmanager
def built(session: Session, settings: Resolved) -> Iterator[Built]:
    """Build everything for one stack and environment; connections are closed at the end."""
    with ExitStack() as stack:
        hosts = Hosts(session, settings.folder, stack)
        all_hosts = tuple(hosts(name, settings.hosts[name]) for name in settings.place.hosts)
        governed = _governed(session, settings, hosts, all_hosts)
        settings = governed.settings
        host = all_hosts[0]
        if settings.target == "compose":
            session.mask(_hidden(settings, all_hosts))
        state, fences = _state(settings, all_hosts)
        drivers = {
            one.name: TARGETS[settings.target](session, settings, one, fences[one.name]) for one in all_hosts
        }
        target, containers = drivers[host.name]
        fleet: HostFleet | None = None
        if settings.several:
            target = fleet = fleet_of(settings, {name: driver for name, (driver, _) in drivers.items()})
        backups = None if fleet else _backups(session, settings, host)
        checks, forge = partial(looks, session, settings), forge_of(session)
        yield Built(
            tools=Tools(
                settings=settings,
                ci=session.facts,
                target=target,
                state=state,
                store=store_at(session, settings.records, settings.hosts, settings.folder, hosts, stack),
                clock=SystemClock(),
                reporter=session.reporter,
                digest=digest_of(session, settings, host),
                check=checks(lambda _: True, host, target, containers, backups),
                listed=_listed(session, settings, host, forge),
                hook=lambda argv, facts, limit: session.runner.run(
                    argv, timeout=limit, cwd=settings.folder, env=facts
                ),
                run_state=run_state_of(forge),
                redact=session.redact,
                backups=backups,
                trust=governed.trust,
                seal=lambda: seal_of(session, settings.place.signing),
                demand=governed.demand,
                agreed=lambda: (
                    *approvals_of(session, settings, governed.files),
                    *reviews_of(session, settings, governed.demand, forge),
                ),
                fleet=fleet,
                check_on=looks_on(checks, all_hosts, drivers) if fleet else None,
            ),
            host=host,
            runner=session.runner,
            target=target,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Governed:
    """The settings as the policies allow them, and what else follows from these."""

    settings: Resolved
    demand: Demand
    files: Files | None
    trust: Callable[[], Trusts]


def _governed(session: Session, settings: Resolved, hosts: Hosts, places: Iterable[Host]) -> _Governed:
    """Ask the records' host and those of the environment for their policies.

    One that cannot be read keeps nobody from going back, but no gate opens then: only who asks the ledger, or
    for an approval, is refused.
    """
    where = {host.name: host for host in places}
    host = records_host(session, settings.records, settings.hosts, hosts)
    try:
        policies = found_policies(session, {**where, host.name: host}.values())
        for policy in policies:
            settings = tightened(settings, policy)
    except (Refusal, PortFault) as fault:
        return _Governed(
            settings=settings, demand=Demand(gates=frozenset(Gate)), files=None, trust=partial(_raise, fault)
        )
    return _Governed(
        settings=settings,
        demand=demand_of(policies, settings.environment),
        files=files_of(policies, settings.environment),
        trust=lambda: trusts_of(policies),
    )


def _raise(fault: Exception) -> NoReturn:
    raise fault


def _compose(session: Session, settings: Resolved, host: Host, fence: Fence) -> tuple[Target, Containers]:
    from ci_lib.targets.compose.inside import ComposeContainers
    from ci_lib.targets.compose.target import ComposeTarget

    site = _site(session, settings, host, fence)
    target = ComposeTarget(site=site, logins=login_of(session, settings), secret=session.secret)
    return target, ComposeContainers(site)


def _site(session: Session, settings: Resolved, host: Host, fence: Fence = unfenced) -> "ComposeSite":
    from ci_lib.targets.compose.site import Site

    environment = _bare(session.env) if host.local else ()
    return Site(settings=settings, host=host, clock=SystemClock(), environment=environment, fence=fence)


def host_checks(session: Session, settings: Resolved, host: Host) -> tuple[CheckResult, ...]:
    """What a host must have, whatever the release; a target without such demands has none."""
    if settings.target != "compose":
        return ()
    from ci_lib.targets.compose.preflight import ask, judge_host

    return tuple(judge_host(settings, ask(_site(session, settings, host), (), ())))


def _backups(session: Session, settings: Resolved, host: Host) -> Backups | None:
    """The stack's backups, where its target makes some."""
    if settings.target != "compose":
        return None
    from ci_lib.targets.compose.backups import ComposeBackups

    return ComposeBackups(_site(session, settings, host))


def _bare(env: Mapping[str, str]) -> tuple[str, ...]:
    """Arguments of ``env`` that leave only what Docker itself needs; nothing of it is a secret."""
    kept = {name: value for name, value in env.items() if name in _BASE or name.startswith("DOCKER_")}
    return ("-i", *(f"{name}={value}" for name, value in kept.items()))


def _process(session: Session, settings: Resolved, host: Host, fence: Fence) -> tuple[Target, Containers]:
    from ci_lib.ports.flock import locked
    from ci_lib.ports.processes import SystemProcesses
    from ci_lib.targets.process.target import ProcessTarget

    base = {name: session.env[name] for name in _BASE if name in session.env}
    target = ProcessTarget(
        settings=settings,
        host=host,
        processes=SystemProcesses(),
        clock=SystemClock(),
        base=base,
        fence=fence,
        locked=locked,
    )
    return target, target


TARGETS: Final[Mapping[str, Callable[[Session, Resolved, Host, Fence], tuple[Target, Containers]]]] = {
    "compose": _compose,
    "process": _process,
}
"""Drivers by the name that ``target:`` has in deploy.yml."""


def _state(settings: Resolved, hosts: tuple[Host, ...]) -> tuple[State, Mapping[str, Fence]]:
    """Lock and journal, and what keeps a run that has lost the lock from changing anything on each host."""
    from ci_lib.stores.state import HostState

    driver = settings.settings.compose if settings.target == "compose" else settings.settings.process
    folder = f"{driver.run_dir}/.deploy-actions"
    states = {host.name: HostState(host=host, folder=folder) for host in hosts}
    first = states[settings.host]
    if not settings.several:
        return first, {settings.host: first.fence}
    others = {name: state for name, state in states.items() if state is not first}
    fences = {settings.host: first.fence, **dict.fromkeys(others, first.fence_elsewhere)}
    tell = {name: partial(_tell, first, state) for name, state in others.items()}
    return state_of(settings, states, tell), fences


def _tell(first: "HostState", other: "HostState") -> None:
    other.obey(first.fence_elsewhere(taken=True))


def _hidden(settings: Resolved, hosts: tuple[Host, ...]) -> tuple[str, ...]:
    """The values of the ``.env`` of every host."""
    run_dir = settings.settings.compose.run_dir
    return secrets_of_all(settings, hosts, lambda host: secrets_of(host, run_dir))


def _listed(
    session: Session, settings: Resolved, host: Host, forge: Forge
) -> Callable[[Variables], tuple[CheckResult, ...]]:
    def listed(facts: Variables) -> tuple[CheckResult, ...]:
        from ci_lib.cli.green import green_rows
        from ci_lib.cli.papers import rows

        green = green_rows(session, settings, forge, facts, digest_of(session, settings, host))
        return (*rows(session, settings, host, facts), *green)

    return listed
