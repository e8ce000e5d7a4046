"""Where checks look from, and what every check comes down to: a bound, and a look at the world."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, assert_never

from ci_lib.config.provision import MysqlServer, PostgresServer
from ci_lib.domain.backups import Backups
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.reporter import Reporter
from ci_lib.domain.running import Running
from ci_lib.domain.target import Containers
from ci_lib.ports.protocols import Clock, Host, Net

From = Literal["runner", "host", "container"]

Facts = Mapping[str, str]
"""The release's facts under their full names, such as ``DEPLOY_VERSION``. They are no secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The places that checks look from.

    ``host`` is the environment's host, ``run_dir`` the stack's folder there; ``runner`` is the machine that
    we run on, ``folder`` deploy.yml's folder on it. ``one_shot`` names the workloads that are meant to end.
    ``reporter`` is told each result, and why there is another try; ``backups`` are the stack's, if it can
    have some. ``servers`` are the provisioned database servers; ``secret`` gives the value of a variable of
    the job, or raises ``ConfigFault``.
    """

    host: Host
    net: Net
    clock: Clock
    observe: Callable[[], tuple[Running, ...]]
    containers: Containers
    folder: str
    run_dir: str
    runner: Host
    reporter: Reporter
    secret: Callable[[str], str]
    one_shot: frozenset[str] = frozenset()
    backups: Backups | None = None
    servers: tuple[PostgresServer | MysqlServer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one try saw, and whether that is good enough."""

    passed: bool
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A check made ready for one site: ``bound`` is what it demands, ``look`` is one try.

    ``look`` may raise a ``PortFault`` or ``DeployError``, which means that it could not decide.
    """

    bound: str
    look: Callable[[], Seen]


@contextmanager
def reach(
    site: Site, start: From, service: str | None, address: str, port: int
) -> Iterator[tuple[str, int]]:
    """Yield the address and port at which the runner finds what ``start`` would find at ``address:port``.

    From a container, ``address`` is replaced by that of ``service``, as the host sees it. A forwarded port
    takes every connection and drops it when nobody is at the other end: only an answer proves anything.
    """
    match start:
        case "runner":
            yield address, port
        case "host" | "container":
            with site.host.forward(seen_by_host(site, start, service, address), port) as end:
                yield end
        case _:
            assert_never(start)


def seen_by_host(site: Site, start: Literal["host", "container"], service: str | None, address: str) -> str:
    """The address that the host must use."""
    return address if start == "host" else site.containers.address(required(service))


def required(service: str | None) -> str:
    """Return the service; raise ``StepFault`` when a check that needs one has none."""
    if service is None:
        raise StepFault(
            "`from: container` has no `service`",
            hint="name the service in deploy.yml",
            reason=Reason.CHECKS,
        )
    return service
