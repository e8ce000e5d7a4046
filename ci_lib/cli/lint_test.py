"""``deploy-actions lint-test``: the project's own gate."""

import json
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ci_lib.cli.console import Session, Values, load_file, open_session
from ci_lib.cli.verb import finish, guarded
from ci_lib.config.gate import GateJob, jobs_of
from ci_lib.domain.errors import ConfigFault, UsageFault
from ci_lib.domain.gate import JobResult, Unreadable
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.gate import GateTools, run_gate
from ci_lib.engine.gate_command import Told
from ci_lib.engine.gate_reports import Reports, State
from ci_lib.ports.live import LiveRunner
from ci_lib.ports.processes import SystemProcesses, process_table, this_process
from ci_lib.ports.system import SystemClock, cancel_on_signals
from ci_lib.readers.merged import merge
from ci_lib.readers.raw import LIMIT
from ci_lib.records.bodies import stamp


def run(values: Values) -> Exit:
    """Run the verb with the options of the command line."""
    cancel_on_signals()
    quiet = bool(values.get("json"))
    session = open_session(quiet=quiet, lasting=True)
    outcome = guarded(Verb.LINT_TEST, values, session, lambda: _played(values, session))
    return finish(session, None, values, outcome, quiet=quiet, more=_reports(session, outcome.jobs))


def _played(values: Values, session: Session) -> Outcome:
    jobs = _chosen(values)
    folder = Path(values["config"]).resolve().parent
    clock = SystemClock()
    base = Outcome(
        verb=Verb.LINT_TEST,
        status=Status.UNKNOWN,
        reason=Reason.BUG,
        actor=session.facts.actor,
        run_url=session.facts.run_url,
        started_at=stamp(clock.now()),
    )
    live = LiveRunner()
    tools = GateTools(
        folder=str(folder),
        live=live,
        reports=_files(folder),
        services=lambda job, told: _services(session, folder, job, live, told),
        clock=clock,
        reporter=session.reporter,
    )
    if any(job.services for job in jobs):
        _sweep(session)
    return run_gate(jobs, base, tools)


def _chosen(values: Values) -> tuple[GateJob, ...]:
    """The jobs that ``--job`` names, or all of them."""
    gate = load_file(values["config"]).config.gate
    if gate is None:
        raise ConfigFault(
            f"{values['config']} has no `gate:`",
            hint="list its jobs there, or a preset: `gate: {presets: [python-pip]}`",
        )
    jobs = jobs_of(gate)
    known = [job.name for job in jobs]
    for name in values["job"]:
        if name not in known:
            raise UsageFault(f"the gate has no job {name[:60]!r}", hint=f"it has: {', '.join(known)}")
    return tuple(job for job in jobs if not values["job"] or job.name in values["job"])


def _files(folder: Path) -> Reports:
    def find(below: str, glob: str) -> State:
        found: dict[str, tuple[int, int]] = {}
        for path in sorted((folder / below).glob(glob)):
            with suppress(FileNotFoundError):  # a job beside this one may tidy up
                seen = path.stat()
                if stat.S_ISREG(seen.st_mode):
                    found[str(path)] = (seen.st_mtime_ns, seen.st_size)
        return found

    return Reports(folder=str(folder), find=find, load=_load)


def _load(path: str) -> bytes:
    """A report, or one byte more than any reader takes; raises ``Unreadable``."""
    try:
        with Path(path).open("rb") as file:
            return file.read(LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


def _sweep(session: Session) -> None:
    """Remove the services of earlier gates that were killed and so could not do it themselves."""
    from ci_lib.targets.compose.leftovers import sweep

    sweep(session.runner, table=process_table(), alive=SystemProcesses().alive, told=session.reporter.output)


@contextmanager
def _services(
    session: Session, folder: Path, job: GateJob, live: LiveRunner, told: Told
) -> Iterator[Mapping[str, str]]:
    if not job.services:
        yield {}
        return
    from ci_lib.targets.compose.leftovers import project_name
    from ci_lib.targets.compose.throwaway import services

    with services(
        session.runner,
        str(folder / job.services),
        project=project_name(process_table(), this_process(), secrets.token_hex(6)),
        limit=job.time_limit,
        clock=SystemClock(),
        live=live,
        told=told,
    ) as environment:
        yield environment


def _reports(session: Session, jobs: tuple[JobResult, ...]) -> Mapping[str, bytes]:
    """What the jobs found, for the evidence: all of it as JSON, and the tests as one JUnit file."""
    if not jobs:
        return {}
    jobs = session.redact.deep(jobs)
    found = [{"job": job.name, **one.as_json()} for job in jobs for one in job.reading.findings]
    return {
        "findings.json": (json.dumps(found, indent=2) + "\n").encode(),
        "junit.xml": merge((job.name, job.reading) for job in jobs),
    }
