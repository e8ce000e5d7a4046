"""The one result of a run, from which outputs, summary, evidence, records and exit code are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ci_lib.domain.build import BuiltImage
from ci_lib.domain.images import Image
from ci_lib.domain.reasons import GREEN, REASONS, Exit, Reason, Status, Verb
from ci_lib.domain.schema import SchemaChange

if TYPE_CHECKING:  # which needs the marks of this module
    from ci_lib.domain.gate import JobResult

SCHEMA_VERSION = 1


class Mark(StrEnum):
    """The verdict on one check or one step."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check: what was seen (``value``) and what was demanded (``bound``), both fit for a person."""

    name: str
    mark: Mark
    value: str
    bound: str
    tries: int = 1
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The form used in records and evidence."""
        return {
            "name": self.name,
            "mark": str(self.mark),
            "value": self.value,
            "bound": self.bound,
            "tries": self.tries,
            "seconds": round(self.seconds, 3),
        }


def objections(checks: Iterable[CheckResult]) -> str:
    """What was seen and what was demanded, of checks that did not pass, as one sentence."""
    return "; ".join(f"{check.name}: {check.value}, wanted {check.bound}" for check in checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One step that ran."""

    name: str
    mark: Mark
    seconds: float
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The form used in evidence."""
        return {
            "name": self.name,
            "mark": str(self.mark),
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One image of the release, and the digest that ran before (empty when none did)."""

    image: Image
    previous_digest: str = ""

    def as_json(self) -> dict[str, str]:
        """The form used in records and evidence."""
        return self.image.as_json() | {"previous_digest": self.previous_digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Which step failed, why, and what to do next."""

    step: str
    cause: str
    hint: str = ""

    def as_json(self) -> dict[str, str]:
        """The form used in records and evidence."""
        return {"step": self.step, "cause": self.cause, "hint": self.hint}


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """The automatic way back after a failure: to what, and whether it was proved."""

    version: str
    release_id: str
    proved: bool
    steps: tuple[StepResult, ...] = ()
    cause: str = ""

    def as_json(self) -> dict[str, Any]:
        """The form used in records and evidence."""
        return {
            "version": self.version,
            "release_id": self.release_id,
            "proved": self.proved,
            "steps": [step.as_json() for step in self.steps],
            "cause": self.cause,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """How it ended on one of several hosts: the release that serves there, and why it is not the one wanted.

    ``digest`` is empty where the release has several images; nothing but the name is known of a host that
    could not be brought back (``partial``) or was left half-way (``unknown``).
    """

    name: str
    status: Status
    version: str = ""
    release_id: str = ""
    digest: str = ""
    note: str = ""

    def as_json(self) -> dict[str, str]:
        """The form used in records and evidence."""
        return {
            "name": self.name,
            "status": str(self.status),
            "version": self.version,
            "release_id": self.release_id,
            "digest": self.digest,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """What one service leaves behind when something failed; texts are unmasked until they are written."""

    service: str
    lines: str = ""
    health: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The failure packet: a look at every service and at the host while it was still warm."""

    services: tuple[Logs, ...] = ()
    disk: str = ""

    def without_logs(self) -> "Packet":
        """The packet without what the services themselves printed, which may hold undeclared secrets."""
        silent = (replace(logs, lines="", health="") for logs in self.services)
        return replace(self, services=tuple(silent))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a verb ended, in full."""

    verb: Verb
    status: Status
    reason: Reason
    stack: str = ""
    environment: str = ""
    version: str = ""
    release_id: str = ""
    previous_version: str = ""
    changes: tuple[Change, ...] = ()
    steps: tuple[StepResult, ...] = ()
    rule: tuple[CheckResult, ...] = ()
    """What the verified-image rule looked at, where it was asked."""
    preflight: tuple[CheckResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    jobs: tuple["JobResult", ...] = ()
    builds: tuple[BuiltImage, ...] = ()
    schema: SchemaChange | None = None
    records: tuple[str, ...] = ()
    ledger_head: str = ""
    actor: str = ""
    run_url: str = ""
    owner: str = ""
    started_at: str = ""
    seconds: float = 0.0
    failure: Failure | None = None
    rollback: Return | None = None
    hosts: tuple[HostResult, ...] = ()
    """Each host of an environment that has several; empty where it has one."""
    notes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    """Gates that a person opened (``--force``, ``--skip-checks``), each with its reason; shown loudly."""
    evidence_path: str = ""
    manifest_hash: str = ""
    plan: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    record_lines: tuple[str, ...] = field(default=(), repr=False)
    packet: Packet | None = field(default=None, repr=False)

    @property
    def green(self) -> bool:
        """Whether the job may be green."""
        return self.status in GREEN and self.exit is Exit.OK

    @property
    def exit(self) -> Exit:
        """The exit code that belongs to the reason."""
        return REASONS[self.reason][0]

    def as_json(self) -> dict[str, Any]:
        """The versioned result: ``schema_version`` rises when a field changes its meaning or goes."""
        return {
            "schema_version": SCHEMA_VERSION,
            "verb": str(self.verb),
            "status": str(self.status),
            "reason_code": str(self.reason),
            "exit_code": int(self.exit),
            "stack": self.stack,
            "environment": self.environment,
            "version": self.version,
            "release_id": self.release_id,
            "previous_version": self.previous_version,
            "images": [change.as_json() for change in self.changes],
            "steps": [step.as_json() for step in self.steps],
            "rule": [check.as_json() for check in self.rule],
            "preflight": [check.as_json() for check in self.preflight],
            "checks": [check.as_json() for check in self.checks],
            "jobs": [job.as_json() for job in self.jobs],
            "builds": [built.as_json() for built in self.builds],
            "schema": self.schema.as_json() if self.schema else None,
            "records": list(self.records),
            "ledger_head": self.ledger_head,
            "actor": self.actor,
            "run_url": self.run_url,
            "started_at": self.started_at,
            "seconds": round(self.seconds, 3),
            "failure": self.failure.as_json() if self.failure else None,
            "rollback": self.rollback.as_json() if self.rollback else None,
            "hosts": [host.as_json() for host in self.hosts],
            "notes": list(self.notes),
            "overrides": list(self.overrides),
            "evidence_path": self.evidence_path,
            "manifest_hash": self.manifest_hash,
        }
