"""What became of each host of an environment that has several: pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ci_lib.domain.errors import DeployError, HostsFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import HostResult, Return
from ci_lib.domain.plan import CHANGING, Plan, Step, StepKind, some
from ci_lib.domain.reasons import GREEN, Status


@dataclass(slots=True, kw_only=True)
class HostsDone:
    """How far a plan got on each host; ``failed`` says why it stopped, ``lost`` why it did not go back."""

    switched: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def stays(self) -> set[str]:
        """The hosts on which the new release stays."""
        return self.switched - self.returned - self.lost.keys()


def blamed(fault: DeployError, step: Step) -> dict[str, str]:
    """The hosts on which a step failed, and why; all of them where the fault names none."""
    if isinstance(fault, HostsFault):
        return {host: one.message for host, one in fault.faults.items()}
    return dict.fromkeys(step.hosts, fault.message)


def among(plan: Plan, hosts: Collection[str]) -> Plan:
    """The steps on some of their hosts, without those that none of them has."""
    return tuple(part for step in plan if (part := step.among(hosts)) is not None)


def both(one: Return | None, other: Return | None) -> Return | None:
    """Two ways back as one."""
    if one is None or other is None:
        return one or other
    return Return(
        version=one.version,
        release_id=one.release_id,
        proved=one.proved and other.proved,
        steps=(*one.steps, *other.steps),
        cause="; ".join(cause for cause in (one.cause, other.cause) if cause),
    )


Before = Mapping[str, Release | None]
"""What each host served when the run began; None where nothing ran."""


def host_results(
    before: Before, release: Release | None, done: HostsDone, status: Status
) -> tuple[HostResult, ...]:
    """A row for each host of ``before``; ``status`` is how the run as a whole ended."""
    return tuple(_result(host, old, release, done, status) for host, old in before.items())


def _result(
    host: str, old: Release | None, release: Release | None, done: HostsDone, status: Status
) -> HostResult:
    note = done.failed.get(host, "")
    if host in done.lost:
        return HostResult(name=host, status=Status.PARTIAL, note=done.lost[host])
    if host in done.returned:
        return _serving(host, Status.ROLLED_BACK, old, note)
    if host in done.switched:
        if status is Status.UNKNOWN:
            return HostResult(name=host, status=Status.UNKNOWN, note=note)
        return _serving(host, status if status in GREEN else Status.DEPLOYED, release, note)
    if note and not done.switched:
        return _serving(host, Status.FAILED, old, note)
    kept = status if status in GREEN - {Status.DEPLOYED} else Status.UNCHANGED
    return _serving(host, kept, old, note)


def _serving(host: str, status: Status, release: Release | None, note: str) -> HostResult:
    if release is None:
        return HostResult(name=host, status=status, note=note)
    digest = release.images[0].digest if len(release.images) == 1 else ""
    return HostResult(
        name=host, status=status, version=release.version, release_id=release.id, digest=digest, note=note
    )


def before_of(plan: Plan, hosts: Collection[str], release: Release) -> Before:
    """What an interrupted plan found: what a host would go back to, or what it had already."""
    goes_back = {
        host: back.release if back.kind is StepKind.RESTORE else None
        for step in plan
        if step.kind in CHANGING
        for back in step.undo
        if back.kind in (StepKind.RESTORE, StepKind.TAKE_DOWN)
        for host in back.hosts
    }
    return {host: goes_back.get(host, release) for host in hosts}


def what_to_do(done: HostsDone, version: str, old: str) -> str:
    """What a person does about hosts that serve something else than the others; empty when all agree."""
    if done.lost:
        return (
            f"look at {some(done.lost)}, whose release is not known; when it answers again, deploy or roll "
            "back: hosts that serve the release already are left alone"
        )
    if done.stays:
        there = f"{some(sorted(done.stays))} {'serve' if len(done.stays) > 1 else 'serves'} {version}"
        return f"{there}, the others {old or 'what they had'}: deploy or roll back to bring them together"
    return ""
