"""What a performed plan means: pure."""

from dataclasses import replace

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Change, Failure, Outcome
from ci_lib.domain.plan import Plan
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.engine.perform import Performed
from ci_lib.engine.tools import Request
from ci_lib.plan.ground import Ground


def described(base: Outcome, request: Request, ground: Ground, plan: Plan) -> Outcome:
    """The outcome as far as it is known before the first step."""
    previous = ground.previous
    changes = tuple(
        Change(image=image, previous_digest=_digest(previous, image.name)) for image in ground.release.images
    )
    overrides: list[str] = []
    if request.force:
        overrides.append(f"forced past the verified-image rule: {request.reason}")
    if request.skip_checks:
        overrides.append(f"checks skipped: {request.reason} (approved by {request.approver})")
    return replace(
        base,
        version=ground.release.version,
        release_id=ground.release.id,
        previous_version=previous.version if previous else "",
        changes=changes,
        overrides=tuple(overrides),
        plan=tuple(step.as_json() for step in plan),
    )


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
    )
    if done.fault is None:
        if not done.changed and base.verb in (Verb.POST_VERIFY, Verb.BACKUP, Verb.PROVISION):
            return replace(found, status=Status.PASSED, reason=Reason.PASSED)
        if not done.changed:
            return replace(found, status=Status.UNCHANGED, reason=Reason.UNCHANGED)
        return replace(found, status=Status.DEPLOYED, reason=Reason.DEPLOYED)
    step = done.failed.name if done.failed else ""
    failure = Failure(step=step, cause=done.fault.message, hint=done.fault.hint)
    status, reason = _verdict(done, ground)
    return replace(found, status=status, reason=reason, failure=failure)


def _verdict(done: Performed, ground: Ground) -> tuple[Status, Reason]:
    assert done.fault is not None
    if not done.changed:
        return Status.FAILED, Reason.CHECKS if done.to_blame else done.fault.reason
    if done.back is None or not done.back.proved:
        return Status.PARTIAL, Reason.ROLLBACK_FAILED
    return Status.ROLLED_BACK, Reason.ROLLED_BACK if ground.previous else Reason.TAKEN_DOWN


def _digest(release: Release | None, name: str) -> str:
    image = release.image(name) if release else None
    return image.digest if image else ""
