"""What a performed plan means: pure."""

from dataclasses import replace

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Change, Failure, Outcome
from ci_lib.domain.plan import Plan, StepKind
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.engine.hosts import host_results, what_to_do
from ci_lib.engine.perform import Performed
from ci_lib.engine.tools import Request
from ci_lib.plan.ground import Ground


def described(
    base: Outcome, request: Request, ground: Ground, plan: Plan, live: tuple[str, ...] = ()
) -> Outcome:
    """The outcome as far as it is known before the first step; ``live`` are overrides of earlier runs."""
    previous = ground.previous
    changes = tuple(
        Change(image=image, previous_digest=_digest(previous, image.name)) for image in ground.release.images
    )
    overrides = list(live)
    if request.force:
        by = f" (approved by {request.approver})" if request.approver else ""
        overrides.append(f"forced past the verified-image rule: {request.reason}{by}")
    if request.skip_checks:
        overrides.append(f"checks skipped: {request.reason} (approved by {request.approver})")
    if ground.schema_to is not None:
        overrides.append(f"schema taken back: {request.reason} (approved by {request.approver})")
    if request.verb is Verb.TAKE_DOWN and request.reason:
        by = f" (approved by {request.approver})" if request.approver else ""
        overrides.append(f"taken down: {request.reason}{by}")
    if request.restores:
        why = f"{request.reason} (approved by {request.approver})"
        overrides.append(f"the data are those of backup {request.backup}: {why}")
    return replace(
        base,
        version=ground.release.version,
        release_id=ground.release.id,
        previous_version=previous.version if previous else "",
        changes=changes,
        overrides=tuple(overrides),
        rule=tuple(row for image in ground.verified for row in image.rows),
        notes=(*base.notes, *ground.notes, *_bound(request)),
        plan=tuple(step.as_json() for step in plan),
    )


def _bound(request: Request) -> tuple[str, ...]:
    return (f"the plan is the approved one, {request.plan_hash}",) if request.plan_hash else ()


def judge(base: Outcome, ground: Ground, done: Performed) -> Outcome:
    """What a performed plan means."""
    found = replace(
        base,
        steps=tuple(done.steps),
        preflight=tuple(done.preflight),
        checks=tuple(done.checks),
        notes=(*base.notes, *done.notes),
        packet=done.packet,
        rollback=done.back,
        schema=done.schema,
    )
    if done.back is not None and done.schema is not None and done.schema.changed and ground.previous:
        stays = f"the schema stays at {done.schema.after.label if done.schema.after else 'an unknown place'}"
        note = f"{stays}: {ground.previous.version} served on it before the switch"
        found = replace(found, notes=(*found.notes, note))
    found = _ended(found, ground, done)
    before = {host.name: host.previous for host in ground.hosts}
    served = None if found.reason is Reason.DOWN else ground.release
    return replace(found, hosts=host_results(before, served, done.hosts, found.status))


def _ended(found: Outcome, ground: Ground, done: Performed) -> Outcome:
    base = found
    if done.fault is None and base.verb is Verb.TAKE_DOWN:
        return replace(found, status=Status.PASSED, reason=Reason.DOWN)
    if done.fault is None:
        looking = base.verb in (Verb.POST_VERIFY, Verb.BACKUP, Verb.PROVISION)
        if base.verb is Verb.RESTORE or (looking and not done.changed):
            return replace(found, status=Status.PASSED, reason=Reason.PASSED)
        if not done.changed and done.schema is not None and done.schema.changed:
            status = Status.PASSED if base.verb is Verb.MIGRATE else Status.UNCHANGED
            return replace(found, status=status, reason=Reason.MIGRATED)
        if not done.changed:
            return replace(found, status=Status.UNCHANGED, reason=Reason.UNCHANGED)
        return replace(found, status=Status.DEPLOYED, reason=Reason.DEPLOYED)
    step = done.failed.name if done.failed else ""
    status, reason = _verdict(done, ground)
    hint = ""
    if reason in (Reason.ROLLBACK_FAILED, Reason.MIXED):
        old = ground.previous.version if ground.previous else ""
        hint = what_to_do(done.hosts, ground.release.version, old) or _lost(base, ground)
    failure = Failure(step=step, cause=done.fault.message, hint=hint or done.fault.hint)
    return replace(found, status=status, reason=reason, failure=failure)


def _lost(base: Outcome, ground: Ground) -> str:
    """What to do when data were exchanged and could not be brought back; empty when none were."""
    if not any(step["kind"] == StepKind.RESTORE_BACKUP for step in base.plan):
        return ""
    return (
        f"the data from before are in backup {ground.backup}, and the application may be stopped: remove the "
        f"cause, then `restore --backup {ground.backup}`"
    )


def _verdict(done: Performed, ground: Ground) -> tuple[Status, Reason]:
    assert done.fault is not None
    if done.fault.reason is Reason.HALF_MIGRATED:  # whatever came back, a person must look at the data
        return Status.PARTIAL, Reason.HALF_MIGRATED
    if done.fault.reason in (Reason.POLICY, Reason.FORGE) and not done.changed:
        return Status.REFUSED, done.fault.reason
    if not done.changed:
        return Status.FAILED, Reason.CHECKS if done.to_blame else done.fault.reason
    if done.back is None or not done.back.proved:
        return Status.PARTIAL, Reason.ROLLBACK_FAILED
    if done.hosts.stays:
        return Status.PARTIAL, Reason.MIXED
    return Status.ROLLED_BACK, Reason.ROLLED_BACK if ground.previous else Reason.TAKEN_DOWN


def _digest(release: Release | None, name: str) -> str:
    image = release.image(name) if release else None
    return image.digest if image else ""
