"""The verbs that change something, each from top to bottom; those that only look are in ``looking.py``.

config → digests → lock → recover → observe → plan → intent → steps → outcome → unlock. Every verb returns an
``Outcome``; only a defect of this library raises.
"""

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial

from ci_lib.domain.errors import ConfigFault, Refusal, StepFault
from ci_lib.domain.outcome import Outcome, Return
from ci_lib.domain.reasons import HALF_WAY, Reason, Status, Verb
from ci_lib.domain.state import Lease
from ci_lib.engine.admit import check_backup, check_request
from ci_lib.engine.down import survey_down
from ci_lib.engine.lock import holding
from ci_lib.engine.naming import named_images
from ci_lib.engine.proposal import demand_approved
from ci_lib.engine.recover import recover, unfinished
from ci_lib.engine.restoring import (
    planned,
    survey_restore,
    survey_rollback_with_data,
)
from ci_lib.engine.run import Run
from ci_lib.engine.schema import KEEP
from ci_lib.engine.survey import read_chain, survey_deploy, survey_rollback, survey_serving
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.deploy import deploy as deploy_plan
from ci_lib.plan.deploy import migration as migration_plan
from ci_lib.plan.hosts import everywhere
from ci_lib.plan.parts import approved, backup_step, examined
from ci_lib.plan.provision import provision as provision_plan
from ci_lib.plan.restore import restore as restore_plan
from ci_lib.plan.restore import rollback_with_data
from ci_lib.plan.rollback import rollback as rollback_plan
from ci_lib.plan.take_down import taken_down
from ci_lib.records.chain import Chain


def deploy(request: Request, tools: Tools) -> Outcome:
    """Deploy and promote: bring a release in, or come back."""

    def body(run: Run) -> Outcome:
        check_request(request, tools)
        images = named_images(request, tools)
        with holding(tools, wait=request.lock_wait) as lease:
            chain = run.ledger_of(lease)
            ground = survey_deploy(request, tools, chain, images)
            demand_approved(request, tools, chain, ground)
            return run.carry_out(lease, *planned(ground, tools, deploy_plan))

    return Run(request=request, tools=tools).guarded(body)


def migrate(request: Request, tools: Tools) -> Outcome:
    """Bring the schema to where a release wants it, and leave alone what serves."""

    def body(run: Run) -> Outcome:
        if tools.settings.settings.migration is None:
            hint = "say there which tool migrates, in which service"
            raise ConfigFault(f"{tools.settings.stack} has no `migration:`", hint=hint)
        check_request(request, tools)
        images = named_images(request, tools)
        with holding(tools, wait=request.lock_wait) as lease:
            ground = survey_deploy(request, tools, run.ledger_of(lease), images)
            if ground.supporting:
                raise StepFault(
                    f"not all of what the migration needs is running: {', '.join(ground.supporting)}",
                    hint="deploy the stack: a deploy starts them, then migrates, then switches",
                )
            return run.carry_out(lease, *planned(ground, tools, migration_plan))

    return Run(request=request, tools=tools).guarded(body)


def rollback(request: Request, tools: Tools, *, inner: Lease | None = None) -> Outcome:
    """Go back to a release that served here before; ``inner``: as a part of another run, under its lock.

    ``--last-good`` does not need the ledger: when that cannot be read, the target's own memory decides,
    and the record is written later.
    """

    def body(run: Run) -> Outcome:
        (check_backup if request.backup else check_request)(request, tools)
        with holding(tools, wait=request.lock_wait) if inner is None else nullcontext(inner) as lease:
            chain = run.cleared_up(lease)
            if request.backup:
                ground = survey_rollback_with_data(request, tools, chain)
                with_data = partial(rollback_with_data, backup=request.backup)
                return run.carry_out(lease, *planned(ground, tools, with_data))
            ground = survey_rollback(request, tools, chain)
            ground, plan = planned(ground, tools, rollback_plan)
            return run.carry_out(lease, ground, plan, recorded=chain is not None)

    return Run(request=request, tools=tools, inner=inner is not None).guarded(body)


def post_verify(request: Request, tools: Tools) -> Outcome:
    """Run every check on what serves and record the verdict, PASSED or FAILED.

    Refuses when something else serves than the ledger, or ``--version``, says. Nothing is changed back
    unless ``--rollback-on-failure`` is given.
    """

    def body(run: Run) -> Outcome:
        with ExitStack() as held:
            lease = held.enter_context(holding(tools, wait=request.lock_wait))
            ground = survey_serving(request, tools, run.ledger_of(lease))
            both = partial(everywhere, ground)
            plan = (*both(lambda part: examined(part, "checks", "verify")), *both(approved))
            outcome = run.carry_out(lease, ground, plan)
            if outcome.reason is not Reason.CHECKS or not request.rollback_on_failure:
                return outcome
            # Under the same lock: taken anew, it might be that of another release by now.
            ended = after_failed_checks(run, outcome, lease)
            if ended.reason is Reason.CANCELLED:
                held.pop_all()  # the lock is kept, for whoever clears up
            return ended

    return Run(request=request, tools=tools).guarded(body)


def after_failed_checks(run: Run, failed: Outcome, lease: Lease) -> Outcome:
    """Go back to the last good release, and tell both stories in one outcome."""
    request = replace(run.request, verb=Verb.ROLLBACK, version="", last_good=True, schema=KEEP)
    back = rollback(request, run.tools, inner=lease)
    way = Return(
        version=back.version,
        release_id=back.release_id,
        proved=back.green,
        steps=back.steps,
        cause=back.failure.cause if back.failure else "",
    )
    status, reason = Status.PARTIAL, Reason.ROLLBACK_FAILED
    if back.status is Status.ROLLED_BACK and failed.failure is not None:
        hint = f"{failed.version} serves again, and its checks fail; {failed.failure.hint}"
        failed = replace(failed, failure=replace(failed.failure, hint=hint))
    if back.green:
        status, reason = Status.ROLLED_BACK, Reason.ROLLED_BACK
    elif back.reason in (Reason.CANCELLED, Reason.LOST_LOCK):
        status, reason = Status.UNKNOWN, back.reason
    return replace(
        failed,
        status=status,
        reason=reason,
        rollback=way,
        hosts=back.hosts or failed.hosts,
        records=(*failed.records, *back.records),
        record_lines=(*failed.record_lines, *back.record_lines),
        ledger_head=back.ledger_head or failed.ledger_head,
    )


def backup(request: Request, tools: Tools) -> Outcome:
    """Make one backup now."""

    def body(run: Run) -> Outcome:
        with holding(tools, wait=request.lock_wait) as lease:
            run.ledger_of(lease)
            ground = survey_serving(request, tools, None)
            return run.carry_out(lease, *planned(ground, tools, lambda now: (backup_step(now),)))

    return Run(request=request, tools=tools).guarded(body)


def restore(request: Request, tools: Tools) -> Outcome:
    """Put the data of a backup back under the release that serves, or bring those of before back."""

    def body(run: Run) -> Outcome:
        check_backup(request, tools)
        with holding(tools, wait=request.lock_wait) as lease:
            run.ledger_of(lease)
            ground = survey_restore(request, tools)
            with_data = partial(restore_plan, backup=request.backup)
            return run.carry_out(lease, *planned(ground, tools, with_data))

    return Run(request=request, tools=tools).guarded(body)


def take_down(request: Request, tools: Tools) -> Outcome:
    """Take down what serves, and nothing else than the version that was named; or bring it back."""

    def body(run: Run) -> Outcome:
        check_request(request, tools)
        with holding(tools, wait=request.lock_wait) as lease:
            chain = run.ledger_of(lease)
            ground = survey_down(request, tools, chain)
            if ground is None:
                return run.nothing_to_do("nothing was running")
            return run.carry_out(lease, ground, taken_down(ground))

    return Run(request=request, tools=tools).guarded(body)


def provision(request: Request, tools: Tools) -> Outcome:
    """Bring databases and their users to where deploy.yml wants them, on every server of the stack."""

    def body(run: Run) -> Outcome:
        plan = provision_plan(tools.settings)
        with holding(tools, wait=request.lock_wait) as lease:
            run.ledger_of(lease)
            return run.carry_out(lease, survey_serving(request, tools, None), plan)

    return Run(request=request, tools=tools).guarded(body)


def finalize(request: Request, tools: Tools) -> Outcome:
    """Clear up after an interrupted run of this job, or of one whose lock has run out; safe at any time."""

    def body(run: Run) -> Outcome:
        # A run that was stopped before its first step leaves no more than its lock.
        if tools.state.peek() is None and not unfinished(tools.state.journal()):
            return run.nothing_to_do("nothing was left to clear up")
        try:
            with holding(tools, wait=request.lock_wait) as lease:
                recovered = recover(tools, lease, chain_if_any(tools))
        except Refusal as refusal:
            if refusal.reason is not Reason.LOCKED:
                raise
            return run.nothing_to_do(f"another run is at work, and is left alone: {refusal.message}")
        if recovered is None and unfinished(tools.state.journal()):
            return run.nothing_to_do("the ledger cannot be had; the next run records what is owed")
        if recovered is None:
            return run.nothing_to_do("nothing was left to clear up")
        if recovered.status is Status.FAILED:
            stays = recovered.verb in HALF_WAY
            how = "ended half-way; run it again" if stays else "had changed nothing that serves"
            what = f"an interrupted {recovered.verb} of {recovered.version} {how}"
            if recovered.schema is not None and recovered.failure is not None:
                what = f"{what}: {recovered.failure.cause}"
            found = run.nothing_to_do(what)
            return replace(found, records=recovered.records, schema=recovered.schema)
        return replace(recovered, verb=Verb.FINALIZE, actor=run.base.actor, run_url=run.base.run_url)

    return Run(request=request, tools=tools).guarded(body)


def chain_if_any(tools: Tools) -> Chain | None:
    """The ledger; None when it cannot be had, which must not keep anybody from clearing up."""
    try:
        return read_chain(tools)
    except Refusal as refusal:
        tools.reporter.warn(refusal.message)
        return None
