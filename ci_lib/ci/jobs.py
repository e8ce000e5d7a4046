"""What is told at once about a finished job of the gate."""

from typing import Final

from ci_lib.domain.gate import JobResult, Spot
from ci_lib.domain.outcome import Mark
from ci_lib.domain.text import duration

_END: Final = "\n"
COMPLAINTS: Final = 10
"""Places shown of one job; GitHub shows no more of a step."""


def job_line(result: JobResult) -> str:
    """A finished job in a few words."""
    return f"{result.name:<24} {duration(result.seconds)}" + (f"  {result.remark}" if result.remark else "")


def complaints(result: JobResult) -> list[tuple[Spot, str]]:
    """Where something is wrong in the checkout, and what: failed tests first, then the worst findings."""
    failed = (case for case in result.reading.cases if case.mark is Mark.FAILED and case.spot)
    found = sorted(
        (finding for finding in result.reading.findings if finding.spot),
        key=lambda finding: finding.severity,
        reverse=True,
    )
    tests = [
        (case.spot, f"{case.name} failed: {case.message.partition(_END)[0]}") for case in failed if case.spot
    ]
    scans = [(one.spot, f"{one.rule}: {one.message}") for one in found if one.spot]
    return [*tests, *scans][:COMPLAINTS]
