"""The outcomes whose renderings are kept as whole texts, one for each way in which a verb can end."""

from dataclasses import replace
from datetime import UTC, datetime

from ci_lib.domain.build import BuiltImage, Variant
from ci_lib.domain.images import Image
from ci_lib.domain.outcome import (
    Change,
    CheckResult,
    Failure,
    HostResult,
    Logs,
    Mark,
    Outcome,
    Packet,
    Return,
    StepResult,
)
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.schema import Schema, SchemaChange

NOW = datetime(2026, 3, 1, 12, 0, 41, tzinfo=UTC)
OLD, NEW = "sha256:" + "01" * 32, "sha256:" + "ab" * 32
HOSTILE = (
    "fix | table `code` ``` </details><script>alert(1)</script> [x](javascript:1) @admin #1\n"
    "::error::forged\r\n##[add-mask]x\x1b[31mred\u202egnp.exe **bold** "
    "<!-- https://evil.example www.evil.example"
)

API = Image(name="api", repository="ghcr.io/acme/api", digest=NEW, tag="sha-2")
WEB = Image(name="web", repository="ghcr.io/acme/web", digest=OLD, tag="sha-1")
READY = CheckResult(name="ready", mark=Mark.PASSED, value="HTTP 200", bound="HTTP 200", seconds=0.12)
BROKEN = CheckResult(
    name="ready", mark=Mark.FAILED, value="HTTP 500", bound="HTTP 200", tries=3, seconds=6.3
)
DISK = CheckResult(name="disk web1", mark=Mark.WARNED, value="18 % free", bound="20 % free")


def steps(*names: str, failed: bool = False) -> tuple[StepResult, ...]:
    done = [StepResult(name=name, mark=Mark.PASSED, seconds=1.2) for name in names]
    if failed:
        done[-1] = replace(done[-1], mark=Mark.FAILED)
    return tuple(done)


def verified(condition: str, value: str, bound: str) -> CheckResult:
    return CheckResult(name=f"api sha-2: {condition}", mark=Mark.PASSED, value=value, bound=bound)


DEPLOYED = Outcome(
    verb=Verb.DEPLOY,
    status=Status.DEPLOYED,
    reason=Reason.DEPLOYED,
    stack="shop",
    environment="production",
    version="sha-2",
    release_id="cd" * 32,
    previous_version="sha-1",
    changes=(Change(image=API, previous_digest=OLD),),
    steps=steps("prepare", "pull api", "switch", "await_serving", "prove", "check ready", "retain"),
    checks=(READY,),
    records=("1a" * 32, "2b" * 32),
    ledger_head="2b" * 32,
    actor="alice",
    run_url="https://github.com/acme/shop/actions/runs/7/attempts/1",
    owner="operations",
    started_at="2026-03-01T12:00:00Z",
    seconds=41.0,
    evidence_path="/tmp/evidence-deploy-shop-production-1-deadbeef",
    manifest_hash="ef" * 32,
)

ROLLED_BACK = replace(
    DEPLOYED,
    status=Status.ROLLED_BACK,
    reason=Reason.ROLLED_BACK,
    steps=steps("prepare", "pull api", "switch", "await_serving", "check ready", failed=True),
    checks=(BROKEN,),
    failure=Failure(
        step="check ready",
        cause="http://127.0.0.1:8000/ready answered HTTP 500 three times",
        hint="read the log lines below, then deploy a corrected version",
    ),
    rollback=Return(
        version="sha-1", release_id="00" * 32, proved=True, steps=steps("restore", "await_serving", "prove")
    ),
    packet=Packet(
        services=(
            Logs(
                service="backend",
                lines="starting\nfatal: column `price` does not exist\n",
                health="exit 1: connection refused",
                state="running, unhealthy, restarts 4",
            ),
            Logs(service="worker", state="exited 137"),
        ),
        disk="/dev/vda1 40G 22G 18G 55% /\n",
    ),
)

REFUSED = replace(
    DEPLOYED,
    verb=Verb.PROMOTE,
    status=Status.REFUSED,
    reason=Reason.NOT_VERIFIED,
    steps=(),
    checks=(),
    failure=Failure(
        step="promote",
        cause="not verified in staging:\n  api sha-2 sha256:abababababab…: verified 3 h ago, soak is 4 h: "
        "wait 1 h more",
        hint="deploy and verify it in staging first",
    ),
    rule=(
        verified("verified", f"3 h ago by {DEPLOYED.run_url}", "passed in staging"),
        verified("age", "3 h", "at most 30 d"),
        replace(verified("soak", "3 h", "at least 4 h"), mark=Mark.FAILED),
        verified("signature", "SHA256:" + "k" * 43, "of a key that the policy names"),
    ),
    seconds=0.8,
)

HOSTILE_PARTIAL = replace(
    ROLLED_BACK,
    status=Status.PARTIAL,
    reason=Reason.ROLLBACK_FAILED,
    stack=HOSTILE,
    environment=HOSTILE,
    version=HOSTILE,
    previous_version=HOSTILE,
    actor=HOSTILE,
    owner=HOSTILE,
    run_url="https://evil.example/) ::error::x",
    changes=(
        Change(image=replace(API, name=HOSTILE, tag=HOSTILE), previous_digest=OLD),
        Change(image=WEB, previous_digest=OLD),
    ),
    steps=(StepResult(name=HOSTILE, mark=Mark.FAILED, seconds=3.0, notes=(HOSTILE, HOSTILE)),),
    checks=(replace(BROKEN, name=HOSTILE, value=HOSTILE, bound=HOSTILE), DISK),
    records=(HOSTILE,),
    evidence_path=HOSTILE,
    failure=Failure(step=HOSTILE, cause=HOSTILE, hint=HOSTILE),
    rollback=Return(version=HOSTILE, release_id=HOSTILE, proved=False, steps=(), cause=HOSTILE),
    notes=(HOSTILE,),
    schema=SchemaChange(
        tool=HOSTILE, before=Schema(current=(HOSTILE,), heads=()), after=None, backup=HOSTILE
    ),
    overrides=(HOSTILE,),
    packet=Packet(
        services=(Logs(service=HOSTILE, lines=HOSTILE + "\n`````\n", health=HOSTILE, state=HOSTILE),),
        disk=HOSTILE,
    ),
)

BUILT = Outcome(
    verb=Verb.BUILD,
    status=Status.PASSED,
    reason=Reason.PASSED,
    stack="shop",
    version="sha-2",
    changes=(Change(image=API), Change(image=replace(WEB, tag="sha-2"))),
    builds=(
        BuiltImage(
            image=API,
            tags=("sha-2", "main"),
            variants=(
                Variant(platform="linux/amd64", digest="sha256:" + "23" * 32, size=31_400_000),
                Variant(platform="linux/arm64", digest="sha256:" + "45" * 32, size=999),
            ),
            seconds=83.0,
        ),
        BuiltImage(
            image=replace(WEB, tag="sha-2"),
            tags=("sha-2",),
            variants=(Variant(platform="linux/amd64", digest=OLD, size=2_100_000_000),),
            reused=True,
            seconds=0.2,
        ),
    ),
    steps=steps("build api", "build web"),
    actor="alice",
    started_at="2026-03-01T12:00:00Z",
    seconds=83.2,
)

NOT_BUILT = replace(
    BUILT,
    status=Status.FAILED,
    reason=Reason.BUILD,
    changes=BUILT.changes[:1],
    builds=BUILT.builds[:1],
    steps=steps("build api", "build web", failed=True),
    failure=Failure(
        step="build web",
        cause=f"web could not be built: exit code: 1 {HOSTILE}",
        hint="see the builder's output above",
    ),
)

SEVERAL = tuple(
    HostResult(name=name, status=Status.DEPLOYED, version="sha-2", release_id="cd" * 32, digest=NEW)
    for name in ("web1", "web2", "web3")
)

OUTCOMES = {
    "several-hosts": replace(
        DEPLOYED,
        hosts=SEVERAL,
        steps=steps("prepare on web1, web2, web3", "switch on web1", "switch on web2", "switch on web3"),
    ),
    "mixed": replace(
        DEPLOYED,
        status=Status.PARTIAL,
        reason=Reason.MIXED,
        hosts=(
            SEVERAL[0],
            HostResult(
                name="web2",
                status=Status.ROLLED_BACK,
                version="sha-1",
                release_id="ef" * 32,
                digest=OLD,
                note="ready on web2: HTTP 500, wanted HTTP 200",
            ),
            replace(
                SEVERAL[2], status=Status.UNCHANGED, version="sha-1", release_id="ef" * 32, digest=OLD
            ),
        ),
        checks=(replace(READY, name="ready on web1"), replace(BROKEN, name="ready on web2")),
        failure=Failure(
            step="check on web2",
            cause="web2: ready on web2: HTTP 500, wanted HTTP 200",
            hint="web1 serves sha-2, the others sha-1: deploy or roll back to bring them together",
        ),
        rollback=Return(version="sha-1", release_id="ef" * 32, proved=True, steps=steps("restore on web2")),
    ),
    "partial-on-a-host": replace(
        DEPLOYED,
        status=Status.PARTIAL,
        reason=Reason.ROLLBACK_FAILED,
        hosts=(
            HostResult(
                name="web1", status=Status.ROLLED_BACK, version="sha-1", release_id="ef" * 32, digest=OLD
            ),
            HostResult(name="web2", status=Status.PARTIAL, note="host web2 cannot be reached: <b>`|`"),
        ),
        checks=(),
        failure=Failure(
            step="await_serving on web2",
            cause="web2: backend is unhealthy",
            hint="look at web2, whose release is not known; when it answers again, deploy or roll back: "
            "hosts that serve the release already are left alone",
        ),
        rollback=Return(
            version="sha-1",
            release_id="ef" * 32,
            proved=False,
            steps=steps("restore on web2", "restore on web1"),
            cause="restore on web2: web2: host web2 cannot be reached",
        ),
    ),
    "deployed": DEPLOYED,
    "built": BUILT,
    "not-built": NOT_BUILT,
    "deployed-with-overrides": replace(
        DEPLOYED,
        changes=(Change(image=API, previous_digest=OLD), Change(image=WEB, previous_digest=OLD)),
        version="api:sha-2,web:sha-1",
        checks=(replace(READY, mark=Mark.SKIPPED, value="not made"), DISK),
        overrides=(
            "checks skipped: the mail server is down (approved by bob)",
            "forced abababababab although it is not verified: hotfix for incident 42",
        ),
        notes=("an orphan container is left alone: shop-old-1",),
    ),
    "promoted": replace(DEPLOYED, verb=Verb.PROMOTE, rule=REFUSED.rule[:2]),
    "first-deployed": replace(
        DEPLOYED, previous_version="", changes=(Change(image=API),), checks=(), owner="", run_url=""
    ),
    "requested-rollback": replace(
        DEPLOYED, verb=Verb.ROLLBACK, version="sha-1", previous_version="sha-2", changes=(Change(image=WEB),)
    ),
    "unchanged": replace(
        DEPLOYED,
        status=Status.UNCHANGED,
        reason=Reason.UNCHANGED,
        previous_version="sha-2",
        changes=(Change(image=API, previous_digest=NEW),),
        steps=steps("prove", "check ready"),
        seconds=1.4,
    ),
    "passed": replace(
        DEPLOYED,
        verb=Verb.POST_VERIFY,
        status=Status.PASSED,
        reason=Reason.PASSED,
        environment="staging",
        previous_version="sha-2",
        changes=(Change(image=API, previous_digest=NEW),),
        steps=steps("prove", "check ready"),
    ),
    "drifted": replace(
        DEPLOYED,
        verb=Verb.DRIFT,
        status=Status.FAILED,
        reason=Reason.DRIFT,
        previous_version="",
        changes=(),
        steps=(),
        preflight=(),
        records=(),
        notes=(),
        checks=(
            CheckResult(name="release", mark=Mark.PASSED, value="sha-2 (6617c8)", bound="sha-2 (6617c8)"),
            CheckResult(name="file conf/a|b.conf", mark=Mark.FAILED, value="changed", bound="as deployed"),
        ),
        failure=Failure(
            step="drift", cause="file conf/a|b.conf: changed, wanted as deployed", hint="nothing was changed"
        ),
    ),
    "rolled-back": ROLLED_BACK,
    "taken-down": replace(
        ROLLED_BACK,
        reason=Reason.TAKEN_DOWN,
        previous_version="",
        changes=(Change(image=API),),
        rollback=Return(version="", release_id="", proved=True, steps=steps("take_down")),
        packet=None,
    ),
    "down": replace(
        DEPLOYED,
        verb=Verb.TAKE_DOWN,
        status=Status.PASSED,
        reason=Reason.DOWN,
        changes=(Change(image=API, previous_digest=NEW),),
        previous_version="sha-2",
        steps=steps("take_down", "prove"),
        preflight=(),
        checks=(),
        notes=(),
        overrides=("taken down: the shop moves to another city (approved by bob)",),
    ),
    "failed-before-switch": replace(
        DEPLOYED,
        status=Status.FAILED,
        reason=Reason.PULL,
        steps=steps("prepare", "pull api", failed=True),
        checks=(),
        failure=Failure(
            step="pull api",
            cause="ghcr.io/acme/api was not pulled in 300 s",
            hint="try again; raise `pull.timeout` if the image is large",
        ),
    ),
    "failed-configuration": Outcome(
        verb=Verb.DEPLOY,
        status=Status.FAILED,
        reason=Reason.CONFIG,
        failure=Failure(
            step="deploy",
            cause="deploy.yml has 2 mistakes:\n"
            "deploy.yml:4: stacks.shop.imges: unknown, did you mean images?\n"
            "deploy.yml:9: hosts.web1: needs known_hosts",
            hint="correct them, then run `deploy-actions check-config`",
        ),
        seconds=0.1,
    ),
    "failed-checks": replace(
        ROLLED_BACK,
        verb=Verb.POST_VERIFY,
        status=Status.FAILED,
        reason=Reason.CHECKS,
        rollback=None,
        packet=None,
    ),
    "refused": REFUSED,
    "locked": replace(
        REFUSED,
        verb=Verb.DEPLOY,
        rule=(),
        reason=Reason.LOCKED,
        failure=Failure(
            step="deploy",
            cause="github:acme/shop/6/1/deploy has held the lock for 3 min",
            hint="wait for it, or run `finalize` if it is dead",
        ),
    ),
    "partial": replace(
        ROLLED_BACK,
        status=Status.PARTIAL,
        reason=Reason.ROLLBACK_FAILED,
        rollback=Return(
            version="sha-1",
            release_id="00" * 32,
            proved=False,
            steps=steps("restore", failed=True),
            cause="web1 did not answer for 60 s",
        ),
    ),
    "half-migrated": replace(
        DEPLOYED,
        status=Status.PARTIAL,
        reason=Reason.HALF_MIGRATED,
        steps=steps("prepare", "pull api", "backup before the migration", "migrate", failed=True),
        checks=(),
        schema=SchemaChange(
            tool="alembic",
            before=Schema(current=("0007",), heads=("0009",), pending=("0009",)),
            after=Schema(current=("0008",), heads=("0009",), pending=("0009",)),
            backup="backup in /srv/backups/shop/20260301T120003Z",
        ),
        failure=Failure(
            step="migrate",
            cause="0009 drop the old price: OperationalError: gone away; the schema stands at 0008",
            hint="what served was not switched: mend the schema forward, or restore the data",
        ),
    ),
    "migrated": replace(
        DEPLOYED,
        verb=Verb.MIGRATE,
        status=Status.PASSED,
        reason=Reason.MIGRATED,
        steps=steps("prepare", "pull api", "migrate"),
        checks=(),
        schema=SchemaChange(
            tool="alembic",
            before=Schema(current=(), heads=("0009",), pending=("0009",)),
            after=Schema(current=("0009",), heads=("0009",)),
        ),
    ),
    "partial-hostile": HOSTILE_PARTIAL,
    "cancelled": replace(
        DEPLOYED,
        status=Status.UNKNOWN,
        reason=Reason.CANCELLED,
        steps=steps("prepare", "pull api", "switch", failed=True),
        checks=(),
        failure=Failure(
            step="switch",
            cause="the run was cancelled",
            hint="`finalize` or the next run clears up from the journal on the target",
        ),
    ),
}
