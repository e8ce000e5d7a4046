"""The reports of a gate's jobs: which files count, what they say, and what there is to object to."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from posixpath import join, normpath

from ci_lib.config.gate import GateJob
from ci_lib.domain.gate import Reading, Severity, Spot, Unreadable
from ci_lib.domain.outcome import Mark
from ci_lib.readers.table import READERS

STDOUT = "-"
"""In place of a file: the command's standard output."""

State = Mapping[str, tuple[int, int]]
"""Path → time of its last change (ns) and size, of every report that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Reads reports from the checkout, which is ``folder`` (absolute).

    ``find`` lists the files that a glob names in a job's folder, with their state; ``load`` returns the bytes
    of one. A report counts only if the job has written it: an old one must not pass for this run's.
    """

    folder: str
    find: Callable[[str, str], State]
    load: Callable[[str], bytes]

    def state(self, job: GateJob) -> State:
        """What lies there before the job runs."""
        return {path: seen for _, glob in _named(job) for path, seen in self.find(job.folder, glob).items()}

    def read(self, job: GateJob, output: bytes, before: State) -> tuple[Reading, Mapping[str, str]]:
        """What the job's reports say, and by their kind what is wrong with those that cannot be read.

        One that is missing, old or damaged keeps nobody from reading the others: many a tool writes no
        coverage where a test failed.
        """
        total = Reading()
        wrong: dict[str, str] = {}
        for kind, glob in _named(job):
            try:
                total += self._one(job, kind, glob, output, before)
            except Unreadable as fault:
                wrong[kind] = f"{wrong[kind]}; {fault}" if kind in wrong else str(fault)
        return self._placed(job, total), wrong

    def _one(self, job: GateJob, kind: str, glob: str, output: bytes, before: State) -> Reading:
        """The files that a glob names, or the output, as one."""
        if glob == STDOUT:
            return READERS[kind](output)
        total = Reading()
        for path in self._fresh(job, kind, glob, before):
            try:
                total += READERS[kind](self.load(path))
            except Unreadable as fault:
                raise Unreadable(f"{path.removeprefix(f'{self.folder}/')}: {fault}") from fault
        return total

    def _placed(self, job: GateJob, reading: Reading) -> Reading:
        """The reading with places told from the checkout's top, for annotations; others are left out."""

        def place(spot: Spot | None) -> Spot | None:
            if spot is None:
                return None
            path = normpath(join(job.folder, spot.path)).removeprefix(f"{self.folder}/")
            return None if path.startswith(("/", "../")) else replace(spot, path=path)

        return replace(
            reading,
            cases=tuple(replace(case, spot=place(case.spot)) for case in reading.cases),
            findings=tuple(replace(finding, spot=place(finding.spot)) for finding in reading.findings),
        )

    def _fresh(self, job: GateJob, kind: str, glob: str, before: State) -> Iterable[str]:
        found = self.find(job.folder, glob)
        if not found:
            raise Unreadable(f"the {kind} report {glob} was not written")
        fresh = [path for path, seen in sorted(found.items()) if before.get(path) != seen]
        if not fresh:
            raise Unreadable(f"the {kind} report {glob} is an old one: this run did not write it")
        return fresh


def objections(job: GateJob, reading: Reading, unread: Container[str] = ()) -> Iterator[str]:
    """What is wrong with what the reports say, if anything; reports of the kinds ``unread`` say nothing."""
    if failed := reading.tally(Mark.FAILED):
        yield f"{failed} of {len(reading.cases)} tests failed"
    executed = len(reading.cases) - reading.tally(Mark.SKIPPED)
    if job.junit and "junit" not in unread and not executed and not job.allow_no_tests:
        yield "no test was executed; `allow_no_tests: true` if that is meant"
    if job.coverage and "coverage" not in unread:
        yield from _coverage(job, reading)
    # What a scanner could not rate counts as low: a gate that fails on anything must not let it pass.
    bad = [found for found in reading.findings if max(found.severity, Severity.LOW) >= job.fails_on]
    if bad:
        worst = max(finding.severity for finding in bad)
        yield f"{len(bad)} findings of severity {job.fails_on.word} or worse, the worst {worst.word}"


def _coverage(job: GateJob, reading: Reading) -> Iterator[str]:
    if reading.coverage is None:
        yield "the coverage report covers no lines"
    elif reading.coverage < job.coverage_min / 100:
        yield f"coverage {reading.coverage:.1%} is below {job.coverage_min:g} %"


def _named(job: GateJob) -> Iterator[tuple[str, str]]:
    """Kind and glob of every report that the job names."""
    yield from (("junit", glob) for glob in job.junit)
    for kind in ("coverage", "sarif", "trufflehog", "trivy", "detect_secrets"):
        if glob := getattr(job, kind):
            yield kind, glob
