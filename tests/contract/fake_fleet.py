"""Three hosts of one environment, each a cluster of its own, below the engine's real fleet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeVar

from ci_lib.config.load import load
from ci_lib.config.resolve import resolve
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import CheckResult, Mark, Packet
from ci_lib.domain.plan import Step, StepReport
from ci_lib.domain.running import Health, Running
from ci_lib.domain.target import Candidate, Kept, Release, Wanted
from ci_lib.engine.tools import Tools, Variables
from ci_lib.ports.protocols import Unreachable
from ci_lib.targets.fleet import HostFleet, named
from tests.contract.fake_target import DEPLOY_YML, EXTRA, Cluster, FakeTarget, OneRun, World

T = TypeVar("T")
HOSTS = ("web1", "web2", "web3")


class InTurn:
    """`Workers` one after the other, so that a test can stop between any two of them."""

    def run(self, jobs: Sequence[Callable[[], T]], *, at_once: int) -> Sequence[T | Exception]:
        results: list[T | Exception] = []
        for job in jobs:
            try:
                results.append(job())
            except Exception as error:
                results.append(error)
        return results


@lru_cache
def fleet_settings(environment: str, extra: str, rollout: str, hosts: tuple[str, ...]) -> Resolved:
    """The example's settings with these hosts in both environments."""
    machines = "".join(f"  {name}: {{ssh: root@{name}, known_hosts: k}}\n" for name in (*HOSTS, "web4"))
    text = DEPLOY_YML.replace("  here: {local: true}\n", machines).replace(EXTRA, extra + EXTRA)
    text = text.replace("{store: directory, path: records}", "{host: web1, path: /srv/releases}")
    text = text.replace("hosts: [here]", f"hosts: [{', '.join(hosts)}], rollout: {{{rollout}}}")
    return resolve(load(text, name="deploy.yml"), "shop", environment, "/checkout")


class HostTarget(FakeTarget):
    """One host of the fleet; `World.gone` are the hosts that do not answer."""

    def __init__(
        self, world: "FleetWorld", environment: str, resolved: Resolved, host: str, run: OneRun
    ) -> None:
        super().__init__(world, environment, resolved, run.fence)
        self._fleet_world = world
        self._host = host
        self._cluster = world.cluster(environment, host)

    def _reach(self) -> None:
        if self._host in self._fleet_world.gone:
            raise Unreachable(f"host {self._host} cannot be reached")

    def observe(self) -> tuple[Running, ...]:
        self._reach()
        found = super().observe()
        sick = self._cluster.live is not None and (self._host, self._cluster.live.version)
        if sick in self._fleet_world.sick:
            found = tuple(replace(item, health=Health.UNHEALTHY) for item in found)
        return tuple(replace(item, host=self._host) for item in found)

    def adopted(self) -> Release | None:
        self._reach()
        return super().adopted()

    def kept(self) -> tuple[Kept, ...]:
        self._reach()
        return super().kept()

    def resolve(self, wanted: Wanted) -> Candidate:
        self._reach()
        made = super().resolve(wanted)
        services = self._fleet_world.services.get(self._host, made.release.services)
        if wanted.snapshot:
            services = self._cluster.kept[wanted.snapshot].services
        beside = {"cache.environment.SIZE": self._fleet_world.beside.get(self._host, "")}
        return replace(made, release=replace(made.release, services=services), settings=beside)

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        self._reach()
        return super().preflight(candidate)

    def apply(self, step: Step) -> StepReport:
        world = self._fleet_world
        self._reach()
        assert not step.hosts, "a host is told what to do there, and nothing of the others"
        world.done.append((self._host, str(step.kind)))
        if fault := world.faults_on.get((self._host, str(step.kind))):
            raise fault
        report = super().apply(step)
        if (self._host, str(step.kind)) in world.unplugged_after:
            world.gone.add(self._host)
        return report

    def diagnose(self) -> Packet:
        self._reach()
        return super().diagnose()


@dataclass
class FleetWorld(World):
    """A `World` of several hosts.

    `faults_on` maps (host, kind of step) to what it raises there, `unplugged_after` holds such pairs after
    which the host does not answer any more; `sick` holds (host, version) that never become healthy,
    `refusing` those whose checks fail; `services` is what a host makes of the services, where it differs,
    and `beside` the hash of a setting of its service that is not managed.
    """

    rollout: str = "batch: 1"
    hosts: tuple[str, ...] = HOSTS
    gone: set[str] = field(default_factory=set)
    faults_on: dict[tuple[str, str], Exception] = field(default_factory=dict)
    unplugged_after: set[tuple[str, str]] = field(default_factory=set)
    sick: set[tuple[str, str]] = field(default_factory=set)
    refusing: set[tuple[str, str]] = field(default_factory=set)
    services: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)
    watch: Callable[[str], None] | None = None
    """Called with every tick, as something that happens meanwhile."""

    def tick(self, name: str) -> None:
        super().tick(name)
        if self.watch is not None:
            self.watch(name)

    def cluster(self, environment: str, host: str = "") -> Cluster:
        return self.clusters.setdefault(f"{environment}/{host or self.hosts[0]}", Cluster())

    def tools(self, environment: str, owner: str = "run-1", provider: str = "local") -> Tools:
        settings = fleet_settings(environment, self.extra, self.rollout, self.hosts)
        base = super().tools(environment, owner, provider)
        assert isinstance(base.state, OneRun)
        drivers = {host: HostTarget(self, environment, settings, host, base.state) for host in self.hosts}
        several = len(self.hosts) > 1
        fleet = HostFleet(drivers, workers=InTurn(), at_once=settings.place.rollout.max_parallel)
        return replace(
            base,
            settings=settings,
            target=fleet if several else drivers[self.hosts[0]],
            fleet=fleet if several else None,
            check_on=self._check_on if several else None,
            backups=None,
        )

    def on_each(self, environment: str = "staging") -> list[str]:
        """The version that each host serves, once everything has settled."""
        return [self.serves_on(host, environment) for host in self.hosts]

    def serves_on(self, host: str, environment: str = "staging") -> str:
        cluster = self.cluster(environment, host)
        while cluster.waiting:
            cluster.look()
        return cluster.live.version if cluster.live else ""

    def _check_on(
        self, host: str, groups: tuple[str, ...], facts: Variables
    ) -> tuple[CheckResult, ...]:
        self.tick(f"before check {host}")
        if host in self.gone:
            raise Unreachable(f"host {host} cannot be reached")
        bad = (host, facts["DEPLOY_VERSION"]) in self.refusing or facts["DEPLOY_VERSION"] in self.failing
        self.tick(f"after check {host}")
        seen = CheckResult(
            name="ready",
            mark=Mark.FAILED if bad else Mark.PASSED,
            value="HTTP 500" if bad else "HTTP 200",
            bound="HTTP 200",
        )
        return (named(seen, host),) if host else ()


def broken(text: str = "it broke") -> StepFault:
    """What a step raises that did not do its work."""
    return StepFault(text)


def fleet_with(*versions: str, **kind: Any) -> FleetWorld:
    """A fleet to which these versions were deployed, one after the other."""
    world = FleetWorld(**kind)
    for version in versions:
        assert world.deploy(version).green
    world.done.clear()
    return world
