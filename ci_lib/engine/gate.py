"""The gate: the project's own jobs, run on the runner, read by their reports, and judged.

Every job runs, whatever became of those before it: a person mends all that is wrong at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import groupby

from ci_lib.config.gate import GateJob
from ci_lib.domain.errors import Cancelled, DeployError
from ci_lib.domain.gate import JobResult, Reading
from ci_lib.domain.outcome import Failure, Mark, Outcome
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.reporter import Reporter
from ci_lib.engine.gate_command import Told, ended, tried
from ci_lib.engine.gate_reports import Reports, objections
from ci_lib.ports.protocols import Clock, Live, PortFault

Services = Callable[[GateJob, Told], AbstractContextManager[Mapping[str, str]]]
"""Starts what a job needs beside it, and ends it with the block; yields more environment for the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTools:
    """The collaborators of a gate; ``folder`` is deploy.yml's folder, absolute."""

    folder: str
    live: Live
    reports: Reports
    services: Services
    clock: Clock
    reporter: Reporter


def run_gate(jobs: Sequence[GateJob], base: Outcome, tools: GateTools) -> Outcome:
    """Run the jobs in their order, those of one group at the same time; ``base`` says which run this is."""
    started = tools.clock.monotonic()
    results: list[JobResult] = []
    cancelled = False
    for together in _groups(jobs):
        try:
            results.extend(_at_once(together, tools) if len(together) > 1 else [_alone(together[0], tools)])
        except Cancelled:  # what was found before is told
            cancelled = True
            break
    outcome = replace(base, jobs=tuple(results), seconds=tools.clock.monotonic() - started)
    failed = [result for result in results if result.mark is Mark.FAILED]
    if cancelled:
        failure = Failure(step="cancelled", cause="the run was cancelled", hint="run it again")
        return replace(outcome, status=Status.FAILED, reason=Reason.CANCELLED, failure=failure)
    if not failed:
        return replace(outcome, status=Status.PASSED, reason=Reason.PASSED)
    causes = "\n".join(f"{result.name}: {result.why}" for result in failed)
    failure = Failure(step=failed[0].name, cause=causes, hint="see the jobs' output above, and the reports")
    return replace(outcome, status=Status.FAILED, reason=Reason.GATE, failure=failure)


def _groups(jobs: Sequence[GateJob]) -> Iterator[tuple[GateJob, ...]]:
    for group, members in groupby(enumerate(jobs), key=lambda pair: pair[1].group or pair[0]):
        del group
        yield tuple(job for _, job in members)


def _alone(job: GateJob, tools: GateTools) -> JobResult:
    tools.reporter.step(job.name)
    result = _run(job, tools, tools.reporter.output)
    tools.reporter.job(result)
    return result


def _at_once(jobs: Sequence[GateJob], tools: GateTools) -> Iterator[JobResult]:
    """Run jobs at the same time; their lines come as they are printed, each with the name of its job."""
    tools.reporter.step(", ".join(job.name for job in jobs))

    def named(job: GateJob) -> JobResult:
        return _run(job, tools, lambda line: tools.reporter.output(f"{job.name} | {line}"))

    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            results = list(pool.map(named, jobs))
        except BaseException:
            tools.live.stop()  # or leaving the block would wait for every job to end by itself
            raise
    for result in results:
        tools.reporter.job(result)
        yield result


def _run(job: GateJob, tools: GateTools, told: Told) -> JobResult:
    """Run one job and judge it; whatever keeps it from running is why it failed."""
    started = tools.clock.monotonic()
    result = JobResult(name=job.name, mark=Mark.FAILED, allowed=job.allow_failure)
    before = tools.reports.state(job)
    reading = Reading()
    wrong: list[str] = []
    try:
        with tools.services(job, told) as environment:
            done = tried(job, tools.live, tools.folder, environment, told)
        code = done.watched.code
        result = replace(result, exit_code=code, tries=done.tries, fell_back=done.fell_back)
        wrong.extend(ended(job, done))
        reading, unread = tools.reports.read(job, done.watched.output, before)
        wrong.extend(objections(job, reading, unread))
        wrong.extend(unread.values())
    except (DeployError, PortFault) as fault:
        wrong.append(str(fault))
    why = "; ".join(wrong)
    mark = Mark.PASSED if not why else Mark.WARNED if job.allow_failure else Mark.FAILED
    return replace(
        result,
        mark=mark,
        why=why,
        reading=reading,
        threshold=job.coverage_min / 100 if job.coverage else None,
        seconds=tools.clock.monotonic() - started,
    )
