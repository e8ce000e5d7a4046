"""A site in memory, and containers that answer from a dictionary."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from ci_lib.checks.run import run_check
from ci_lib.checks.site import Site
from ci_lib.config.checks import Check
from ci_lib.domain.backups import Backups
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.running import Health, Running
from ci_lib.ports.protocols import PortFault, Ran
from tests.fakes import FakeClock, FakeHost, FakeNet, FakeReporter

CHECK: TypeAdapter[Check] = TypeAdapter(Check)


@dataclass
class FakeContainers:
    """`addresses[service]`, and `commands[service, program]`; what is not there does not run."""

    addresses: dict[str, str] = field(default_factory=dict)
    commands: dict[tuple[str, str], Ran] = field(default_factory=dict)
    calls: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)

    def address(self, service: str) -> str:
        if service not in self.addresses:
            raise PortFault(f"no container of {service} runs")
        return self.addresses[service]

    def exec(
        self, service: str, argv: tuple[str, ...], *, timeout: float, stdin: bytes = b""
    ) -> Ran:
        self.given.append(stdin)
        self.calls.append((service, argv, timeout))
        return self.commands.get((service, argv[0]), Ran(code=127, stderr="executable file not found"))


@dataclass
class Place:
    """All the parts of a site, open to a test."""

    net: FakeNet = field(default_factory=FakeNet)
    reporter: FakeReporter = field(default_factory=FakeReporter)
    clock: FakeClock = field(default_factory=FakeClock)
    host: FakeHost = field(default_factory=FakeHost)
    runner: FakeHost = field(default_factory=lambda: FakeHost(name="here", local=True))
    containers: FakeContainers = field(default_factory=FakeContainers)
    running: tuple[Running, ...] = ()
    one_shot: frozenset[str] = frozenset()
    backups: Backups | None = None
    servers: tuple[Any, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise ConfigFault(f"the environment variable {name} is not set")
        return self.secrets[name]

    def site(self) -> Site:
        return Site(
            host=self.host,
            net=self.net,
            clock=self.clock,
            observe=lambda: self.running,
            containers=self.containers,
            folder="/checkout",
            run_dir="/srv/stacks/shop",
            runner=self.runner,
            one_shot=self.one_shot,
            reporter=self.reporter,
            backups=self.backups,
            servers=self.servers,
            secret=self.secret,
        )

    def run(self, facts: dict[str, str] | None = None, /, **check: Any) -> CheckResult:
        """Run one check as deploy.yml writes it, with one try unless it says otherwise."""
        settings = {"name": "ready", "tries": 1} | check
        settings |= {"from": settings.pop("start")} if "start" in settings else {}
        return run_check(CHECK.validate_python(settings), self.site(), facts or {})


def instance(workload: str, health: Health, exit_code: int | None = None) -> Running:
    """One container."""
    return Running(
        workload=workload,
        instance=f"{workload}-1",
        host="web1",
        image_ids=(),
        health=health,
        started_at="then",
        exit_code=exit_code,
    )
