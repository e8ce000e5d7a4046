"""The gate: asking the verified-image rule, and what an override needs."""

from collections.abc import Collection

from ci_lib.domain.approval import MIN_REASON, same_person
from ci_lib.domain.backups import is_backup_name
from ci_lib.domain.errors import Refusal, StepFault, UsageFault
from ci_lib.domain.images import Release
from ci_lib.domain.plan_hash import is_plan_hash
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.engine.approvals import signed_off, takes_agreement
from ci_lib.engine.schema import DOWN, KEEP
from ci_lib.engine.tools import Request, Tools
from ci_lib.images.requirement import Requirement, Subject
from ci_lib.images.rule import Basis, VerifiedImage, exempt, permit, verified
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import saves
from ci_lib.records import ledger, proofs
from ci_lib.records.chain import Chain


def check_request(request: Request, tools: Tools) -> None:
    """Refuse what contradicts itself or opens a gate without saying why; raises ``UsageFault``."""
    requires = tools.settings.place.requires
    environment = tools.settings.environment
    if request.verb is Verb.PROMOTE and requires is None:
        raise UsageFault(
            f"{environment} has no `requires:`, so there is nothing to promote from",
            hint="use deploy, or add `requires: {environment: …}` to it in deploy.yml",
        )
    named = request.version or request.images
    brings_in = requires is not None and request.verb in (Verb.DEPLOY, Verb.PROMOTE, Verb.MIGRATE)
    if brings_in and tools.ci.provider != "local" and not named:
        raise UsageFault(
            f"in CI {request.verb} to {environment} needs the version: what the approver saw must run",
            hint="pass the version that staging gave as its output",
        )
    if request.verb is Verb.TAKE_DOWN and not request.version.strip():
        raise UsageFault("no --version: it says what is to go", hint="`status` names what serves")
    if request.force and requires is None:
        raise UsageFault(f"--force, but {environment} has no `requires:` that it could override")
    if request.plan_hash and not is_plan_hash(request.plan_hash):
        raise UsageFault(
            f"--plan-hash {request.plan_hash[:40]!r} is not the hash of a plan",
            hint="paste the whole last line of `plan`, or `plan_hash` of `plan --json`",
        )
    _check_schema(request, tools)
    gates = {
        "--force": bool(request.force),
        "--skip-checks": request.skip_checks,
        "--schema down": request.schema == DOWN,
        "--backup": bool(request.backup),
        f"take-down of {environment}": takes_agreement(request, tools),
    }
    opened = [gate for gate, given in gates.items() if given]
    if opened and len(request.reason.strip()) < MIN_REASON:
        raise UsageFault(
            f"{' and '.join(opened)} need{'' if len(opened) > 1 else 's'} a reason",
            hint=f'add --reason "…" with at least {MIN_REASON} characters; it is recorded and shown',
        )
    # Where the policy wants a proof, a name that was typed is of no use.
    proved = {gate.called for gate in tools.demand.gates}
    agreed = [gate for gate in opened if gate != "--force" and gate.partition(" ")[0] not in proved]
    if agreed and not request.approver.strip():
        raise UsageFault(f"{agreed[0]} needs --approver NAME", hint="somebody else has to agree to it")
    if agreed and any(same_person(request.approver, person) for person in tools.ci.people):
        raise UsageFault(f"--approver {request.approver} is the one who runs this", hint="name somebody else")


def check_backup(request: Request, tools: Tools) -> None:
    """Refuse what contradicts a backup whose data are to be put back; raises ``UsageFault``."""
    if not is_backup_name(request.backup):
        what = f"{request.backup[:60]!r} is not the name of a backup" if request.backup else "no --backup"
        raise UsageFault(what, hint="take one of `backup --list`, such as 20260130T100000Z")
    if request.only or request.last_good:
        raise UsageFault(
            "--only and --last-good do not go with --backup",
            hint="data belong to a whole release: that of the backup, or the one --version names",
        )
    check_request(request, tools)


def _check_schema(request: Request, tools: Tools) -> None:
    """Refuse to take the schema where there is no way to, or where the data bring their own along."""
    migration = tools.settings.settings.migration
    if request.schema not in ("", KEEP, DOWN):
        raise UsageFault(f"--schema {request.schema[:40]!r}", hint=f"it is {KEEP} or {DOWN}")
    if request.schema and request.backup:
        raise UsageFault("--schema and --backup contradict each other", hint="a backup has its own schema")
    if request.schema == DOWN and (migration is None or migration.policy != "reversible"):
        raise UsageFault(
            "--schema down, but no migration here is reversible",
            hint="`migration.policy: reversible` says that there is a way back",
        )


def admit(
    request: Request, tools: Tools, chain: Chain, release: Release, named: Collection[str]
) -> tuple[VerifiedImage, ...]:
    """Let the release's images through, or raise ``Refusal`` (NOT_VERIFIED) with every reason.

    Images that are not ``named`` run here already and are carried forward: the rule is not asked about them
    again, unless the whole set has to be verified.
    """
    requires = tools.settings.place.requires
    if requires is None:
        return exempt(release.images, Basis.NOT_REQUIRED)
    subjects = tuple(Subject(stack=tools.settings.stack, image=image) for image in release.images)
    if request.force:
        return permit(subjects, force=request.force, reason=request.reason)
    requirement = Requirement(
        environment=requires.environment,
        match=requires.match,
        max_age=requires.max_age,
        soak=requires.soak,
        sign_off=requires.sign_off,
        release_id=release.set_id,
    )
    agreed = signed_off(tools, requires.environment) if requires.sign_off else ()
    evidence = proofs.verifications(chain, requires.environment, release, agreed)
    whole = requires.match == "set"
    asked = tuple(subject for subject in subjects if whole or subject.image.name in named)
    passed = verified(asked, requirement, evidence, now=tools.clock.now())
    _refuse_bad(tools, chain, release, passed)
    others = (image for image in release.images if not whole and image.name not in named)
    return (*passed, *exempt(others, Basis.ROLLBACK))


def _refuse_bad(tools: Tools, chain: Chain, release: Release, passed: tuple[VerifiedImage, ...]) -> None:
    """Refuse what failed its checks here, unless it was verified once more since."""
    bad = ledger.bad_mark(chain, tools.settings.environment, release)
    if bad is None or any(image.proof and image.proof.seq > bad.seq for image in passed):
        return
    raise Refusal(
        f"{release.version} failed its checks in {tools.settings.environment} at {bad.text('time')}",
        hint="mend what made it fail, deploy it once more to the environment that verifies it, then promote; "
        "or --force VERSION --reason TEXT",
        reason=Reason.POLICY,
    )


def demand_saved(ground: Ground, chain: Chain) -> None:
    """Raise ``StepFault`` (BACKUP) where data have to be saved first, and nothing runs to have them from.

    A stack that was taken down has left its data, and no first release finds any.
    """
    down = ledger.taken_down(chain, ground.settings.environment)
    if ground.previous is not None or down is None or down.id == ground.release.id or not saves(ground):
        return
    raise StepFault(
        f"the data that {down.version} left when it was taken down have to be saved before "
        f"{ground.release.version} gets them, and nothing runs that they could be had from",
        hint=f"bring it back (`rollback --version {down.version}`), then deploy {ground.release.version}",
        reason=Reason.BACKUP,
    )
