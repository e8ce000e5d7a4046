"""What runs the checks of deploy.yml: on the only host, or on each of several and once from the runner."""

from collections.abc import Callable, Mapping

from ci_lib.cli.console import Session
from ci_lib.config.checks import Check, looks_from_host
from ci_lib.config.resolved import Resolved
from ci_lib.domain.backups import Backups
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.target import Containers, Target
from ci_lib.engine.tools import Variables
from ci_lib.ports.protocols import Host
from ci_lib.ports.system import SystemClock

Look = Callable[[tuple[str, ...], Variables], tuple[CheckResult, ...]]


def looks_on(
    make: Callable[..., Look], hosts: tuple[Host, ...], drivers: Mapping[str, tuple[Target, Containers]]
) -> Callable[[str, tuple[str, ...], Variables], tuple[CheckResult, ...]]:
    """Checks of several hosts: what looks from one of them is run there and named with it."""
    first = hosts[0]
    found = {
        host.name: make(looks_from_host, host, *drivers[host.name], None, on=host.name) for host in hosts
    }
    found[""] = make(lambda check: not looks_from_host(check), first, *drivers[first.name], None)
    return lambda host, groups, facts: found[host](groups, facts)


def looks(
    session: Session,
    settings: Resolved,
    wanted: Callable[[Check], bool],
    host: Host,
    target: Target,
    containers: Containers,
    backups: Backups | None,
    *,
    on: str = "",
) -> Look:
    """What runs those checks of a group that are ``wanted``; ``on`` is the host that they are named with."""

    def check(groups: tuple[str, ...], facts: Variables) -> tuple[CheckResult, ...]:
        from ci_lib.checks.run import run_checks
        from ci_lib.checks.site import Site
        from ci_lib.ports.net import RequestsNet

        compose = settings.settings.compose
        run_dir = compose.run_dir if settings.target == "compose" else settings.folder
        site = Site(
            host=host,
            net=RequestsNet(session.env),
            clock=SystemClock(),
            observe=target.observe,
            containers=containers,
            folder=settings.folder,
            run_dir=run_dir,
            runner=session.runner,
            one_shot=frozenset(compose.one_shot),
            servers=settings.settings.provision,
            secret=session.secret,
            reporter=session.reporter,
            backups=backups,
        )
        chosen = [
            item.model_copy(update={"name": f"{item.name} on {on}"}) if on else item
            for group in groups
            for item in getattr(settings.settings, group)
            if wanted(item)
        ]
        return run_checks(chosen, site, facts)

    return check
