"""The hosts of one environment as one target: a driver each, and all of them at work at the same time."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain

from ci_lib.domain.differences import Difference, Differences
from ci_lib.domain.errors import ConfigFault, DeployError, HostsFault, Refusal, StepFault
from ci_lib.domain.faults import fault_of
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Running
from ci_lib.domain.target import Candidate, Kept, OneOff, T, Target, Wanted
from ci_lib.ports.protocols import Ran, Workers

UNSUPPORTED = frozenset(
    {StepKind.BACKUP, StepKind.PROVISION, StepKind.RESTORE_BACKUP, StepKind.STOP}
)
"""What works on the data of one host; see ``config/several.py``."""


class HostFleet:
    """``Target`` and ``Fleet`` over the drivers of several hosts, the first one's first.

    A step names its hosts, and may come back with a ``HostsFault`` that names those on which it failed: the
    others have done it then. ``at_once`` is the number of hosts that are worked on at the same time.
    """

    def __init__(self, drivers: Mapping[str, Target], *, workers: Workers, at_once: int) -> None:
        self._drivers = drivers
        self._workers = workers
        self._at_once = at_once
        self._failed: tuple[str, ...] = ()
        """The hosts on which something failed last: theirs is the failure packet."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Their names, in the order of deploy.yml."""
        return tuple(self._drivers)

    @property
    def supports(self) -> frozenset[StepKind]:
        """What the drivers know, without what several hosts do not do."""
        return self._first.supports - UNSUPPORTED

    def at(self, host: str) -> Target:
        """The driver of one host."""
        if host not in self._drivers:
            raise StepFault(
                f"{host} is not among the environment's hosts any more",
                hint=f"an interrupted run was at work there: put {host} back into deploy.yml, run finalize",
                reason=Reason.STATE,
            )
        return self._drivers[host]

    def each(self, hosts: Collection[str], work: Callable[[str], T]) -> Mapping[str, T]:
        """Do ``work`` for several hosts at the same time; see ``Fleet``."""
        names = tuple(hosts)
        results = self._workers.run([_job(work, name) for name in names], at_once=self._at_once)
        if refusal := next((result for result in results if isinstance(result, Refusal)), None):
            raise refusal  # the lock is lost: nothing is ours any more, on no host
        done: dict[str, T] = {}
        faults: dict[str, DeployError] = {}
        for name, result in zip(names, results, strict=True):
            if isinstance(result, Exception):
                faults[name] = fault_of(result)
            else:
                done[name] = result
        if faults:
            self._failed = tuple(name for name in faults if name in self._drivers)
            raise HostsFault(faults)
        return done

    def observe(self) -> tuple[Running, ...]:
        """What runs on all hosts."""
        return tuple(chain.from_iterable(self._all(lambda driver: driver.observe()).values()))

    def adopted(self) -> Release | None:
        """What runs on the first host that has something which was not deployed by us."""
        found = self._all(lambda driver: driver.adopted()).values()
        return next((release for release in found if release is not None), None)

    def kept(self) -> tuple[Kept, ...]:
        """The releases that every host can go back to, in the first host's order."""
        memories = [
            {item.release.id: item for item in kept}
            for kept in self._all(lambda driver: driver.kept()).values()
        ]
        everywhere = (
            [memory[key] for memory in memories]
            for key in memories[0]
            if all(key in memory for memory in memories)
        )
        return tuple(
            Kept(
                release=items[0].release,
                good=all(item.good for item in items),
                current=all(item.current for item in items),
                left=any(item.left for item in items),
            )
            for items in everywhere
        )

    def resolve(self, wanted: Wanted) -> Candidate:
        """One release for all hosts; raise ``ConfigFault`` for a migration that needs a service on each.

        What the hosts make of the services may differ, since each has an ``.env`` of its own. The release's
        id then holds all of it: a release is unchanged if it is so on every host.
        """
        found = self._all(lambda driver: driver.resolve(wanted))
        first = next(iter(found.values()))
        if needs := sorted({name for candidate in found.values() for name in candidate.needs}):
            raise ConfigFault(
                f"the migration needs {', '.join(needs)}, and each of {len(found)} hosts has one of its own",
                hint="a schema is migrated once: keep the database in a stack of its own, on one host",
            )
        services = {host: candidate.release.services for host, candidate in found.items()}
        return replace(
            first,
            release=replace(first.release, services=_together(services)),
            unmanaged=frozenset(chain.from_iterable(item.unmanaged for item in found.values())),
            others=tuple(dict.fromkeys(chain.from_iterable(item.others for item in found.values()))),
            hosts=found,
        )

    def compare(self, candidate: Candidate) -> Differences:
        """How each host differs; what is so on all of them is said once, else with the host's name."""
        found = self.each(
            self.hosts, lambda host: self._drivers[host].compare(candidate.hosts.get(host, candidate))
        )
        if len(set(found.values())) == 1:
            return next(iter(found.values()))
        return Differences(
            settings=tuple(_on(host, item) for host, each in found.items() for item in each.settings),
            files=tuple(_on(host, item) for host, each in found.items() for item in each.files),
            unknown=_notes({host: each.unknown for host, each in found.items()}),
        )

    def drift(self, release: Release) -> tuple[CheckResult, ...]:
        """What drifted on each host, named with it."""
        found = self._all(lambda driver: driver.drift(release))
        return tuple(named(check, host) for host, checks in found.items() for check in checks)

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """The checks of every host, each named with its host."""
        found = self._all(lambda driver: driver.preflight(candidate))
        return tuple(named(check, host) for host, checks in found.items() for check in checks)

    def removable(self) -> tuple[CheckResult, ...]:
        """The rows of every host, each named with its host."""
        found = self._all(lambda driver: driver.removable())
        return tuple(named(check, host) for host, checks in found.items() for check in checks)

    def apply(self, step: Step) -> StepReport:
        """Perform a step on its hosts; one without hosts is of a time when there was one host."""
        hosts = step.hosts or (step.host,)
        done = self.each(hosts, lambda host: self.at(host).apply(step.on(host) if step.hosts else step))
        return StepReport(
            notes=_notes({host: report.notes for host, report in done.items()}),
            skipped=all(report.skipped for report in done.values()),
        )

    def once(self, job: OneOff) -> Ran:
        """Run a command once, on the first host."""
        return self._first.once(job)

    def advice(self) -> tuple[str, ...]:
        """What to know on each host, said once where it is the same on all."""
        return _notes(self._all(lambda driver: driver.advice()))

    def diagnose(self) -> Packet:
        """The failure packets of the hosts on which something failed."""
        hosts = self._failed or self.hosts
        results = self._workers.run(
            [_job(lambda host: self.at(host).diagnose(), host) for host in hosts], at_once=self._at_once
        )
        found = dict(zip(hosts, results, strict=True))
        return Packet(
            services=tuple(
                replace(logs, service=f"{host}: {logs.service}")
                for host, packet in found.items()
                if isinstance(packet, Packet)
                for logs in packet.services
            ),
            disk="\n".join(
                f"{host}\n{packet.disk if isinstance(packet, Packet) else packet}"
                for host, packet in found.items()
            ),
        )

    @property
    def _first(self) -> Target:
        return next(iter(self._drivers.values()))

    def _all(self, look: Callable[[Target], T]) -> Mapping[str, T]:
        return self.each(self.hosts, lambda host: look(self._drivers[host]))


def named(check: CheckResult, host: str) -> CheckResult:
    """A check's result with the host that it is about."""
    return replace(check, name=f"{check.name} on {host}")


def _on(host: str, difference: Difference) -> Difference:
    return replace(difference, name=f"{host}: {difference.name}")


def _job(work: Callable[[str], T], host: str) -> Callable[[], T]:
    return lambda: work(host)


def _together(services: Mapping[str, str]) -> str:
    """One hash of what all hosts made of the services: theirs, where they agree.

    So a release keeps its id when a host joins that makes the same of it.
    """
    if len(set(services.values())) == 1:
        return next(iter(services.values()))
    lines = sorted(f"{host}={text}\n" for host, text in services.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _notes(notes: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Notes of several hosts, each said once, with the hosts that said it unless all did."""
    said: dict[str, list[str]] = {}
    for host, texts in notes.items():
        for text in texts:
            said.setdefault(text, []).append(host)
    everywhere = len(notes)
    return tuple(
        text if len(hosts) == everywhere else f"{', '.join(hosts)}: {text}" for text, hosts in said.items()
    )
