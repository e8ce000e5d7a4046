"""Running a verb: options in, outcome out, and everything that is made of the outcome."""

import json
import secrets
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ci_lib.ci.gitlab_facts import job_folder
from ci_lib.cli.console import Session, Values, open_session, settings_for
from ci_lib.cli.proofs import with_proofs
from ci_lib.cli.release_record import Keeper
from ci_lib.cli.told import told
from ci_lib.cli.wiring import built
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import Cancelled, DeployError, Refusal, UsageFault
from ci_lib.domain.faults import as_fault
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.tools import Request, Tools
from ci_lib.evidence.bundle import bundle
from ci_lib.evidence.write import folder_name, write
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.system import SystemClock, cancel_on_signals
from ci_lib.report.outputs import outputs
from ci_lib.report.summary import afterwards, summary
from ci_lib.report.terminal import mark, terminal

Play = Callable[[Request, Tools], Outcome]


def run_verb(verb: Verb, values: Values, play: Play) -> Exit:
    """Run a verb of the engine and leave summary, evidence, outputs and an exit code."""
    cancel_on_signals()
    quiet = bool(values.get("json"))
    session = open_session(quiet=quiet, lasting=True)
    found: list[Resolved] = []

    def playing() -> Outcome:
        found.append(settings_for(values, session))
        with built(session, found[0]) as made:
            outcome = play(request_of(verb, values), made.tools)
        return with_proofs(session, found[0], outcome)

    outcome = guarded(verb, values, session, playing)
    return finish(session, found[0] if found else None, values, outcome, quiet=quiet)


def guarded(verb: Verb, values: Values, session: Session, play: Callable[[], Outcome]) -> Outcome:
    """Play a verb; turn whatever keeps it from ending by itself into an outcome."""
    try:
        session.reporter.begin(verb)
        return play()
    except Cancelled:
        return _early(verb, values, session, Reason.CANCELLED, "the run was cancelled", "")
    except DeployError as error:
        status = Status.REFUSED if isinstance(error, Refusal) else Status.FAILED
        return _early(verb, values, session, error.reason, error.message, error.hint, status)
    except PortFault as fault:
        met = as_fault(fault)
        return _early(verb, values, session, met.reason, met.message, met.hint)
    except Exception as error:
        # The boundary: a defect ends in an exit code of its own, with the traceback for its report.
        session.err.write(session.redact(traceback.format_exc()))
        hint = "this is a defect of deploy-actions; please report it with the lines above"
        return _early(verb, values, session, Reason.BUG, f"{type(error).__name__}: {error}", hint)


def request_of(verb: Verb, values: Values) -> Request:
    """The options as a request; raises ``UsageFault`` for an ``--image`` that cannot be read."""
    images: dict[str, str] = {}
    for text in values.get("image", ()):
        name, equals, reference = text.partition("=")
        if not equals:
            name, reference = "", text
        if name in images:
            raise UsageFault(f"--image names {name or 'the image'!r} twice")
        images[name] = reference
    return Request(
        verb=verb,
        version=values.get("version", ""),
        images=images,
        only=tuple(values.get("only", ())),
        last_good=values.get("last_good", False),
        force=values.get("force", ""),
        reason=values.get("reason", ""),
        approver=values.get("approver", ""),
        skip_checks=values.get("skip_checks", False),
        schema=values.get("schema", ""),
        rollback_on_failure=values.get("rollback_on_failure", False),
        lock_wait=values.get("lock_wait", 0.0),
        backup=values.get("backup", ""),
        plan_hash=values.get("plan_hash", "").strip(),
        lock_owner=values.get("owner", ""),
    )


def finish(
    session: Session,
    settings: Resolved | None,
    values: Values,
    outcome: Outcome,
    *,
    quiet: bool,
    more: Mapping[str, bytes] | None = None,
) -> Exit:
    """Write evidence (with ``more`` files), summary and outputs; tell the forge; return the exit code.

    The forge comes behind all that the steps after this one need, and that a kill would lose; the verdict is
    printed last, with a note on what was not told.
    """
    reporter = session.reporter
    # Masked before it is rendered: an escaped secret would not be recognised any more.
    outcome = replace(
        session.redact.deep(outcome),
        # Never a secret, and compared letter by letter by the steps that follow.
        stack=outcome.stack,
        environment=outcome.environment,
        version=outcome.version,
        previous_version=outcome.previous_version,
        release_id=outcome.release_id,
        changes=outcome.changes,
    )
    if outcome.packet is not None and settings is not None and not settings.settings.evidence.logs:
        outcome = replace(outcome, packet=outcome.packet.without_logs())
    # A finalize that had nothing to do stands at the end of every job: it leaves no page behind.
    lasting = outcome.verb is not Verb.FINALIZE or outcome.reason is not Reason.PASSED
    keeper = Keeper(session=session, settings=settings)
    if lasting:
        outcome = keeper.kept(_with_evidence(session, values, outcome, more or {}, keeper))
        reporter.summary(summary(outcome, now=SystemClock().now()))
    try:
        reporter.outputs(outputs(outcome))
    except PortFault as fault:  # a full disk of the runner does not change what is serving
        reporter.warn(f"the outputs for the next steps could not be written: {fault}")
    if lasting:
        outcome = _told(session, settings, values, outcome, keeper)
    if quiet:
        session.out.line(json.dumps(outcome.as_json(), indent=2))
    else:
        reporter.verdict(mark(outcome), terminal(outcome))
    return outcome.exit


def _told(
    session: Session, settings: Resolved | None, values: Values, outcome: Outcome, keeper: Keeper
) -> Outcome:
    """Tell the forge; the outcome with a note on what was not told, which the summary gets too."""
    found = told(session, settings, values, outcome, partial(keeper.section, outcome))
    if added := found.notes[len(outcome.notes) :]:
        session.reporter.summary(afterwards(added))
    return found


def _with_evidence(
    session: Session, values: Values, outcome: Outcome, more: Mapping[str, bytes], keeper: Keeper
) -> Outcome:
    """The outcome with the path of its evidence; a folder that cannot be written is a note, not a failure."""
    attempt = session.env.get("GITHUB_RUN_ATTEMPT", "1")
    name = folder_name(outcome, attempt=attempt, unique=secrets.token_hex(4))
    folder = f"{_evidence_root(session, values)}/{name}"
    outcome = replace(outcome, evidence_path=folder)
    text = summary(outcome, now=SystemClock().now())
    more = {**more, **keeper.page(outcome)}
    made = bundle(outcome, outcome.record_lines, session.redact, summary=text, more=more)
    try:
        write(session.runner, folder, made.files)
    except (DeployError, PortFault) as fault:
        note = f"the evidence could not be written: {fault}"
        return replace(outcome, evidence_path="", notes=(*outcome.notes, note))
    return replace(outcome, manifest_hash=made.manifest_hash)


def _evidence_root(session: Session, values: Values) -> str:
    """Never the checkout in CI: what lies there can be forged by a commit. Only GitLab takes nothing else."""
    named = values.get("evidence") or session.env.get("RUNNER_TEMP")
    if named:
        return str(Path(named).resolve())
    if folder := job_folder(session.env):
        return f"{folder}/evidence"
    beside = Path(values["config"]).resolve().parent
    return str((beside if beside.is_dir() else Path.cwd()) / ".deploy-actions" / "evidence")


def _early(
    verb: Verb,
    values: Values,
    session: Session,
    reason: Reason,
    message: str,
    hint: str,
    status: Status = Status.FAILED,
) -> Outcome:
    """The outcome of a verb that did not get as far as the engine."""
    return Outcome(
        verb=verb,
        status=status,
        reason=reason,
        stack=values.get("stack", ""),
        environment=values.get("environment", ""),
        version=values.get("version", ""),
        actor=session.facts.actor,
        run_url=session.facts.run_url,
        failure=Failure(step=str(verb), cause=message, hint=hint),
    )
