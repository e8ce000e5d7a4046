"""What stands in a record: the bodies of intent, outcome, verification, revocation and adoption.

A body holds ``type`` (a verb, ``verified``, ``revoked``, ``approval``, ``adopted``), ``phase`` (``intent`` or
``outcome``), ``time`` and who did it. Plain dictionaries, since their JSON is the contract; this module alone
spells the keys.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ci_lib.domain.approval import Gate
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Outcome, Return
from ci_lib.domain.reasons import Verb
from ci_lib.version import VERSION

VERIFIED = "verified"
ADOPTED = "adopted"
REVOKED = "revoked"
APPROVAL = "approval"
INTENT = "intent"
OUTCOME = "outcome"


def stamp(moment: datetime) -> str:
    """A time as records spell it: UTC, whole seconds, ``2026-01-30T10:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The reverse of ``stamp``; raises ``ValueError`` for a time without its zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return found


_LONGEST = 2000
"""Characters of a foreign text that go into a record; the evidence holds more."""


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every body of one run has in common.

    ``redact`` masks secrets in what programs and people said; names, versions and digests decide later on and
    are never masked.
    """

    stack: str
    environment: str
    hosts: tuple[str, ...]
    config_hash: str
    facts: CiFacts
    redact: Callable[[str], str] = _as_it_is

    def body(self, kind: str, phase: str, now: datetime, release: Release | None) -> dict[str, Any]:
        """The common part of a body."""
        return {
            "type": kind,
            "phase": phase,
            "time": stamp(now),
            "stack": self.stack,
            "environment": self.environment,
            "hosts": list(self.hosts),
            "release": release.as_json() if release else None,
            "config_hash": self.config_hash,
            "actor": self.facts.actor,
            "ci": self.facts.as_json(),
            "tool": VERSION,
        }

    def intent(
        self,
        verb: Verb,
        now: datetime,
        release: Release,
        previous: Release | None,
        forced: str,
        skipped: str = "",
    ) -> dict[str, Any]:
        """Written when the lock is held and before anything changes.

        ``forced`` and ``skipped`` are the reasons given for that; whoever clears up needs them.
        """
        return self.body(verb, INTENT, now, release) | {
            "previous": previous.as_json() if previous else None,
            "forced": self._told(forced),
            "skipped": self._told(skipped),
        }

    def outcome(
        self, outcome: Outcome, now: datetime, release: Release | None, **more: str | bool
    ) -> dict[str, Any]:
        """How it ended.

        ``more``: ``ref`` (id of the intent), ``bad``, ``late``, ``forced``, ``skipped``; ``backup``,
        ``reason`` and ``approver`` where the data of a backup were put back; ``lock_owner``, ``lock_run``,
        ``reason`` and ``approver`` where a lock was released.
        """
        return self.body(outcome.verb, OUTCOME, now, release) | {
            "status": str(outcome.status),
            "reason_code": str(outcome.reason),
            "version": outcome.version,
            "failure": self._told(outcome.failure.as_json()) if outcome.failure else None,
            "rollback": self._back(outcome.rollback) if outcome.rollback else None,
            "checks": _tally(outcome.checks),
            "schema": self._told(outcome.schema.as_json()) if outcome.schema else None,
            "seconds": round(outcome.seconds, 3),
            **self._by_host(outcome),
            **{key: value if key == "ref" else self._told(value) for key, value in more.items()},
        }

    def verified(
        self, now: datetime, release: Release, checks: tuple[CheckResult, ...], *, passed: bool
    ) -> dict[str, Any]:
        """The proof that production asks for: these images passed, or failed, their checks here."""
        return self.body(VERIFIED, OUTCOME, now, release) | {
            "result": "PASSED" if passed else "FAILED",
            "checks": [self._told(check.as_json()) for check in checks],
        }

    def revoked(
        self, now: datetime, version: str, digests: tuple[str, ...], reason: str
    ) -> dict[str, Any]:
        """These images must not be used any more, although they were verified here.

        ``version`` is what a person called them.
        """
        return self.body(REVOKED, OUTCOME, now, None) | {
            "version": version,
            "digests": list(digests),
            "reason": self._told(reason),
        }

    def approval(
        self,
        now: datetime,
        *,
        approver: str,
        gate: Gate,
        subjects: tuple[str, ...],
        reason: str,
        until: datetime,
    ) -> dict[str, Any]:
        """Somebody agrees that a gate is opened for these subjects, until a time."""
        return self.body(APPROVAL, OUTCOME, now, None) | {
            "approver": approver,
            "gate": str(gate),
            "subjects": list(subjects),
            "reason": self._told(reason),
            "until": stamp(until),
        }

    def adopted(self, now: datetime, release: Release) -> dict[str, Any]:
        """What ran here before we came."""
        return self.body(ADOPTED, OUTCOME, now, release)

    def _by_host(self, outcome: Outcome) -> dict[str, Any]:
        """How it ended on each of several hosts; nothing where there is one."""
        rows = [host.as_json() | {"note": self._told(host.note)} for host in outcome.hosts]
        return {"by_host": rows} if rows else {}

    def _back(self, back: Return) -> dict[str, Any]:
        steps = [self._told(step.as_json()) for step in back.steps]
        return back.as_json() | {"cause": self._told(back.cause), "steps": steps}

    def _told(self, data: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Masked, then cut: half a secret would not be recognised."""
        if isinstance(data, str):
            return self.redact(data)[:_LONGEST]
        if isinstance(data, dict):
            return {key: self._told(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self._told(value) for value in data]
        return data


def _tally(checks: tuple[CheckResult, ...]) -> Mapping[str, int]:
    marks = [str(check.mark) for check in checks]
    return {mark: marks.count(mark) for mark in sorted(set(marks))}
