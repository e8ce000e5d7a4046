"""What the jobs of a gate found: tests, coverage, findings of scanners, and a verdict for each job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ci_lib.domain.outcome import Mark


class Unreadable(Exception):
    """A report that is missing, damaged or of another kind; the text says why. Never taken for a good one."""


class Severity(IntEnum):
    """How bad a finding is; the order is that of the numbers."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As deploy.yml and reports spell it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place in the checkout: ``path`` is relative to it, ``line`` counts from 1, 0 for the whole file."""

    path: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something a scanner found; ``rule`` is the scanner's own name for it. Texts are foreign."""

    severity: Severity
    rule: str
    message: str
    spot: Spot | None = None

    def as_json(self) -> dict[str, Any]:
        """The form used in evidence."""
        return {
            "severity": self.severity.word,
            "rule": self.rule,
            "message": self.message,
            "path": self.spot.path if self.spot else "",
            "line": self.spot.line if self.spot else 0,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One executed test; ``message`` is why it failed, empty when it did not."""

    __test__ = False  # for pytest, which collects classes of this name

    name: str
    mark: Mark
    seconds: float = 0.0
    message: str = ""
    spot: Spot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read from the reports of one job; ``coverage`` is a share between 0 and 1.

    ``covered`` and ``lines`` are what the share was made of, so that several reports can be added up.
    """

    cases: tuple[TestCase, ...] = ()
    findings: tuple[Finding, ...] = ()
    covered: int = 0
    lines: int = 0

    @property
    def coverage(self) -> float | None:
        """The covered share of lines; None when no report told."""
        return self.covered / self.lines if self.lines else None

    def __add__(self, other: "Reading") -> "Reading":
        return Reading(
            cases=self.cases + other.cases,
            findings=self.findings + other.findings,
            covered=self.covered + other.covered,
            lines=self.lines + other.lines,
        )

    def tally(self, mark: Mark) -> int:
        """How many tests ended so."""
        return sum(case.mark is mark for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """How one job of the gate ended.

    ``why`` says why it did not pass, ``allowed`` that it may fail (then ``mark`` is WARNED). ``tries`` counts
    how often it ran; ``fell_back`` says why its fallback ran instead, if so. ``threshold`` is the demanded
    coverage.
    """

    name: str
    mark: Mark
    seconds: float = 0.0
    exit_code: int | None = None
    why: str = ""
    allowed: bool = False
    tries: int = 1
    fell_back: str = ""
    reading: Reading = field(default_factory=Reading)
    threshold: float | None = None

    @property
    def remark(self) -> str:
        """All that there is to say in words: why its fallback ran, and why it did not pass."""
        fallback = f"fallback, because the command cannot run: {self.fell_back}" if self.fell_back else ""
        return "; ".join(part for part in (fallback, self.why) if part)

    def as_json(self) -> dict[str, Any]:
        """The form used in the result and in evidence."""
        reading = self.reading
        return {
            "name": self.name,
            "mark": str(self.mark),
            "seconds": round(self.seconds, 3),
            "exit_code": self.exit_code,
            "why": self.why,
            "allowed": self.allowed,
            "tries": self.tries,
            "fell_back": self.fell_back,
            "tests": {
                "passed": reading.tally(Mark.PASSED),
                "failed": reading.tally(Mark.FAILED),
                "skipped": reading.tally(Mark.SKIPPED),
            }
            if reading.cases
            else None,
            "coverage": None if reading.coverage is None else round(reading.coverage, 4),
            "threshold": self.threshold,
            "findings": _by_severity(reading.findings),
        }


def _by_severity(findings: tuple[Finding, ...]) -> Mapping[str, int]:
    worst_first = sorted({finding.severity for finding in findings}, reverse=True)
    return {level.word: sum(found.severity is level for found in findings) for level in worst_first}
