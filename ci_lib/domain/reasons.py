"""Exit codes and reason codes: two closed lists, and which code goes with which reason."""

from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """What the process returns. 1 is never used: it is what a crashing interpreter returns."""

    OK = 0
    USAGE = 2
    STOPPED = 3
    CHECK_FAILED = 4
    NOT_VERIFIED = 10
    CANNOT_DECIDE = 11
    POLICY = 12
    LOCKED = 13
    ROLLED_BACK = 20
    NEEDS_PERSON = 24
    BUG = 70
    CANCELLED = 130


class Reason(StrEnum):
    """Why a verb ended as it did; ``REASONS`` gives each one its exit code and its sentence."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    MIGRATED = "migrated"
    PASSED = "passed"
    DOWN = "down"
    USAGE = "usage"
    CONFIG = "config"
    HOST_KEY = "host_key"
    STATE = "state"
    REGISTRY = "registry"
    IMAGE_MISSING = "image_missing"
    UNREACHABLE = "unreachable"
    PREFLIGHT = "preflight"
    PULL = "pull"
    BACKUP = "backup"
    BUILD = "build"
    MIGRATION = "migration"
    RESTORE = "restore"
    PROVISION = "provision"
    HOOK = "hook"
    STOPPED = "stopped"
    CHECKS = "checks"
    GATE = "gate"
    RESTORE_TEST = "restore_test"
    CHANGED = "changed"
    DRIFT = "drift"
    NOT_VERIFIED = "not_verified"
    NOT_REHEARSED = "not_rehearsed"
    CANNOT_DECIDE = "cannot_decide"
    FORGE = "forge"
    POLICY = "policy"
    LOCKED = "locked"
    LOST_LOCK = "lost_lock"
    ROLLED_BACK = "rolled_back"
    TAKEN_DOWN = "taken_down"
    RECOVERED = "recovered"
    ROLLBACK_FAILED = "rollback_failed"
    MIXED = "mixed"
    HALF_MIGRATED = "half_migrated"
    DATA_UNVERIFIED = "data_unverified"
    RECORD = "record"
    BUG = "bug"
    CANCELLED = "cancelled"


REASONS: dict[Reason, tuple[Exit, str]] = {
    Reason.DEPLOYED: (Exit.OK, "The release asked for is serving; every container's digest was proved."),
    Reason.UNCHANGED: (Exit.OK, "What was asked for was there already; nothing was touched."),
    Reason.MIGRATED: (Exit.OK, "The schema is where the release wants it; what serves was not touched."),
    Reason.PASSED: (Exit.OK, "Every check passed, or there was nothing to do."),
    Reason.DOWN: (Exit.OK, "The stack was taken down, as asked; its data stay."),
    Reason.USAGE: (Exit.USAGE, "An option is missing, unknown or contradicts another one."),
    Reason.CONFIG: (Exit.USAGE, "deploy.yml is missing, broken, or asks for something impossible."),
    Reason.HOST_KEY: (Exit.USAGE, "The SSH host's key is not the one in `known_hosts`."),
    Reason.STATE: (Exit.STOPPED, "What an earlier run left on the target must be cleared up first."),
    Reason.REGISTRY: (Exit.STOPPED, "The registry could not be reached, or refused the credentials."),
    Reason.IMAGE_MISSING: (Exit.STOPPED, "The registry has no such image."),
    Reason.UNREACHABLE: (Exit.STOPPED, "A host could not be reached, or answered too late."),
    Reason.PREFLIGHT: (Exit.STOPPED, "A check before the switch failed; nothing was changed."),
    Reason.PULL: (Exit.STOPPED, "An image could not be pulled in time; nothing was changed."),
    Reason.BACKUP: (Exit.STOPPED, "The backup failed, so nothing was changed."),
    Reason.BUILD: (Exit.STOPPED, "An image could not be built, pushed or read back."),
    Reason.MIGRATION: (Exit.STOPPED, "The migration failed; schema and release are as they were."),
    Reason.RESTORE: (Exit.STOPPED, "The backup cannot be restored; nothing was changed."),
    Reason.PROVISION: (
        Exit.STOPPED,
        "A database or user is not as it should be; what was done stays, and another run goes on.",
    ),
    Reason.HOOK: (Exit.STOPPED, "A hook before the switch failed; nothing was changed."),
    Reason.STOPPED: (Exit.STOPPED, "A step before the switch failed; nothing was changed."),
    Reason.CHECKS: (Exit.CHECK_FAILED, "A check failed; nothing was changed back."),
    Reason.GATE: (Exit.CHECK_FAILED, "A job of the gate failed."),
    Reason.RESTORE_TEST: (Exit.CHECK_FAILED, "The backup could not be restored in the test."),
    Reason.CHANGED: (Exit.CHECK_FAILED, "What serves is not what the records, or `--version`, say."),
    Reason.DRIFT: (Exit.CHECK_FAILED, "What runs is not what was deployed last; nothing was changed."),
    Reason.NOT_VERIFIED: (Exit.NOT_VERIFIED, "The verified-image rule refused the release."),
    Reason.NOT_REHEARSED: (Exit.NOT_VERIFIED, "The migration was never rehearsed where it has to be."),
    Reason.CANNOT_DECIDE: (Exit.CANNOT_DECIDE, "The ledger is unreachable or damaged: no decision."),
    Reason.FORGE: (Exit.CANNOT_DECIDE, "The forge does not say whether the commit's checks have passed."),
    Reason.POLICY: (Exit.POLICY, "Refused by policy."),
    Reason.LOCKED: (Exit.LOCKED, "Another run holds the lock of this stack and environment."),
    Reason.LOST_LOCK: (Exit.LOCKED, "Another run took the lock over while this one was away."),
    Reason.ROLLED_BACK: (Exit.ROLLED_BACK, "The new release failed; the old one is back and was proved."),
    Reason.TAKEN_DOWN: (Exit.ROLLED_BACK, "The first release of this stack failed and was taken down."),
    Reason.RECOVERED: (Exit.ROLLED_BACK, "An interrupted run was brought back to the release before it."),
    Reason.ROLLBACK_FAILED: (Exit.NEEDS_PERSON, "Going back failed as well: a person is needed."),
    Reason.MIXED: (
        Exit.NEEDS_PERSON,
        "The release failed on a host and stays on others, as `on_host_failure` says: a person is needed.",
    ),
    Reason.HALF_MIGRATED: (Exit.NEEDS_PERSON, "The migration stopped half-way: a person is needed."),
    Reason.DATA_UNVERIFIED: (
        Exit.NEEDS_PERSON,
        "The data of a backup are in place, and what serves them could not be proved: a person is needed.",
    ),
    Reason.RECORD: (
        Exit.NEEDS_PERSON,
        "It is done, but the ledger could not be written: a person is needed.",
    ),
    Reason.BUG: (Exit.BUG, "A defect of this library."),
    Reason.CANCELLED: (Exit.CANCELLED, "The run was cancelled; the next run or `finalize` clears up."),
}


class Status(StrEnum):
    """How a verb ended, for people and machines."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    PASSED = "passed"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    REFUSED = "refused"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


GREEN = frozenset({Status.DEPLOYED, Status.UNCHANGED, Status.PASSED})
"""The statuses that count as success."""


class Verb(StrEnum):
    """What a user can ask for and the ledger can hold."""

    LINT_TEST = "lint-test"
    BUILD = "build"
    MIGRATE = "migrate"
    DEPLOY = "deploy"
    POST_VERIFY = "post-verify"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    TAKE_DOWN = "take-down"
    PREFLIGHT = "preflight"
    BACKUP = "backup"
    RESTORE = "restore"
    RESTORE_TEST = "restore-test"
    PROVISION = "provision"
    DRIFT = "drift"
    LOCK = "lock"
    FINALIZE = "finalize"


HALF_WAY = frozenset({Verb.PROVISION})
"""Verbs whose steps stay done when a later one fails or the run is cut short: running them again goes on."""
