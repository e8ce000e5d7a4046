"""What stands in a record: the bodies of intent, outcome, verification and adoption.

A body holds ``type`` (a verb, ``verified`` or ``adopted``), ``phase`` (``intent`` or ``outcome``), ``time``
and who did it. Plain dictionaries, since their JSON is the contract; this module alone spells the keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ci_lib.domain.facts import CiFacts
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Failure, Outcome
from ci_lib.domain.reasons import Verb
from ci_lib.version import VERSION

VERIFIED = "verified"
ADOPTED = "adopted"
INTENT = "intent"
OUTCOME = "outcome"


def stamp(moment: datetime) -> str:
    """A time as records spell it: UTC, whole seconds, ``2026-01-30T10:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The reverse of ``stamp``."""
    return datetime.fromisoformat(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every body of one run has in common."""

    stack: str
    environment: str
    hosts: tuple[str, ...]
    config_hash: str
    facts: CiFacts

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
        self, verb: Verb, now: datetime, release: Release, previous: Release | None, forced: str
    ) -> dict[str, Any]:
        """Written when the lock is held and before anything changes. ``forced``: the reason given."""
        return self.body(verb, INTENT, now, release) | {
            "previous": previous.as_json() if previous else None,
            "forced": forced,
        }

    def outcome(
        self, outcome: Outcome, now: datetime, release: Release | None, **more: str | bool
    ) -> dict[str, Any]:
        """How it ended. ``more``: ``ref`` (id of the intent), ``bad``, ``late``, ``forced``, ``skipped``."""
        return self.body(outcome.verb, OUTCOME, now, release) | {
            "status": str(outcome.status),
            "reason_code": str(outcome.reason),
            "version": outcome.version,
            "failure": outcome.failure.as_json() if outcome.failure else None,
            "rollback": outcome.rollback.as_json() if outcome.rollback else None,
            "checks": _tally(outcome.checks),
            "seconds": round(outcome.seconds, 3),
            **more,
        }

    def verified(
        self, now: datetime, release: Release, checks: tuple[CheckResult, ...], *, passed: bool
    ) -> dict[str, Any]:
        """The proof that production asks for: these images passed, or failed, their checks here."""
        return self.body(VERIFIED, OUTCOME, now, release) | {
            "result": "PASSED" if passed else "FAILED",
            "checks": [check.as_json() for check in checks],
        }

    def adopted(self, now: datetime, release: Release) -> dict[str, Any]:
        """What ran here before we came."""
        return self.body(ADOPTED, OUTCOME, now, release)


def closing(failure: Failure) -> str:
    """One line for the notes of a text view."""
    return f"{failure.step}: {failure.cause}"


def _tally(checks: tuple[CheckResult, ...]) -> Mapping[str, int]:
    marks = [str(check.mark) for check in checks]
    return {mark: marks.count(mark) for mark in sorted(set(marks))}
