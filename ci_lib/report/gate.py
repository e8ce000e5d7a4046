"""The jobs of a gate as Markdown: one row each, and the slowest tests folded."""

from typing import Final

from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import Mark
from ci_lib.domain.text import code, duration, markdown
from ci_lib.report.markdown import details, table

SLOWEST: Final = 10
"""Tests shown, the slowest first."""

_MARKS: Final = {Mark.PASSED: "✅", Mark.FAILED: "❌", Mark.WARNED: "⚠️", Mark.SKIPPED: "⏭️ skipped"}


def gate(jobs: tuple[JobResult, ...]) -> str:
    """The table of jobs; empty without any."""
    rows = [
        (
            _MARKS[job.mark],
            code(job.name),
            markdown(job.remark, 1000),
            _tests(job),
            _coverage(job),
            _findings(job),
            duration(job.seconds) + (f", {job.tries} tries" if job.tries > 1 else ""),
        )
        for job in jobs
    ]
    header = ("", "Job", "Why", "Tests", "Coverage", "Findings", "Time")
    return "\n".join(part for part in (table(header, rows), _failed(jobs), _slowest(jobs)) if part)


def _tests(job: JobResult) -> str:
    if not job.reading.cases:
        return ""
    words = (("passed", Mark.PASSED), ("failed", Mark.FAILED), ("skipped", Mark.SKIPPED))
    counts = [(job.reading.tally(mark), word) for word, mark in words]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _coverage(job: JobResult) -> str:
    if job.reading.coverage is None:
        return ""
    wanted = f" of {job.threshold:.0%}" if job.threshold is not None else ""
    return f"{job.reading.coverage:.1%}{wanted}"


def _findings(job: JobResult) -> str:
    counts = job.as_json()["findings"]
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _failed(jobs: tuple[JobResult, ...]) -> str:
    rows = [
        (code(job.name), markdown(case.name), markdown(case.message.partition("\n")[0]))
        for job in jobs
        for case in job.reading.cases
        if case.mark is Mark.FAILED
    ]
    return details(f"Failed tests ({len(rows)})", table(("Job", "Test", "Why"), rows, limit=50))


def _slowest(jobs: tuple[JobResult, ...]) -> str:
    cases = [(case, job) for job in jobs for case in job.reading.cases if case.seconds]
    cases.sort(key=lambda pair: pair[0].seconds, reverse=True)
    rows = [
        (duration(case.seconds), markdown(case.name), code(job.name)) for case, job in cases[:SLOWEST]
    ]
    return details("Slowest tests", table(("Time", "Test", "Job"), rows))
