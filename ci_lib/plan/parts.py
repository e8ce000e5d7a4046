"""The pieces that deploy, rollback and post-verify are put together from."""

from dataclasses import replace
from typing import Any

from ci_lib.config.migration import Migration
from ci_lib.domain.images import Release
from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.plan.ground import Ground

_CHECK_SLACK = 5.0

MIGRATION_SLACK = 240.0
"""Seconds for asking where the schema stands, before and after."""


def prepare(ground: Ground) -> Plan:
    """Bring files and pins to the host, beside what runs."""
    return (
        Step(
            kind=StepKind.PREPARE,
            host=ground.settings.host,
            release=ground.release,
            args={"snapshot": ground.snapshot, "services": list(ground.services)},
            time_limit=ground.settings.settings.limits.prepare,
        ),
    )


def preflight(ground: Ground) -> Plan:
    """The checks that may stop the run while it is still harmless."""
    return (
        Step(
            kind=StepKind.PREFLIGHT,
            host=ground.settings.host,
            release=ground.release,
            time_limit=ground.settings.settings.limits.prepare,
        ),
    )


def pulls(ground: Ground) -> Plan:
    """Fetch every image of the release by digest, and what else it needs by the name it has."""
    host, limit = ground.settings.host, ground.settings.settings.limits.pull
    managed = tuple(
        Step(kind=StepKind.PULL, host=host, image=verified.image, time_limit=limit)
        for verified in ground.verified
    )
    others = tuple(
        Step(kind=StepKind.PULL, host=host, args={"name": other, "reference": other}, time_limit=limit)
        for other in ground.candidate.others
    )
    return (*managed, *others)


def backup(ground: Ground) -> Plan:
    """Save what could be lost, where the configuration asks for it and something runs already."""
    if ground.settings.settings.backup.enabled is not True or ground.previous is None:
        return backup_before_migration(ground)
    return (backup_step(ground),)


def backup_before_migration(ground: Ground) -> Plan:
    """A backup that is made only if the schema is about to change: the default in production."""
    if not _saves(ground) or not ground.migrates or ground.previous is None:
        return ()
    step = backup_step(ground)
    (migration,) = migrate(ground)
    pending = {"release": ground.release.as_json(), **migration.args}
    return (replace(step, args={**step.args, "name": "before the migration", "if_pending": pending}),)


def saves(ground: Ground) -> bool:
    """Whether databases are dumped before this release gets at them."""
    settings = ground.settings.settings.backup
    return bool(settings.databases) and (settings.enabled is True or (_saves(ground) and ground.migrates))


def _saves(ground: Ground) -> bool:
    """Whether the data are saved before their schema changes."""
    enabled = ground.settings.settings.backup.enabled
    return bool(enabled) or (enabled is None and ground.settings.place.tier == "production")


def migrate(ground: Ground, *, staged: bool | None = None) -> Plan:
    """Bring the schema to where the release wants it, in an instance of its own.

    ``staged``: from what is prepared; by default unless the release serves already.
    """
    migration = ground.settings.settings.migration
    if migration is None or not ground.migrates:
        return ()
    args = {
        "staged": not ground.unchanged if staged is None else staged,
        "serves": ground.unchanged,
        "expected": list(ground.rehearsed),
        "to": None,
    }
    return (_migrate_step(ground, ground.release, migration, args),)


def schema_back(ground: Ground) -> Plan:
    """Take the schema back by the release that serves, which alone knows the way; after a backup."""
    migration = ground.settings.settings.migration
    if migration is None or ground.schema_to is None or ground.previous is None:
        return ()
    args = {"staged": False, "serves": True, "expected": [], "to": list(ground.schema_to)}
    down = _migrate_step(ground, ground.previous, migration, args)
    saved = (backup_step(ground),) if _saves(ground) else ()
    return (*saved, replace(down, undo=(replace(down, args={**args, "to": None}),)))


def _migrate_step(ground: Ground, release: Release, migration: Migration, args: dict[str, Any]) -> Step:
    return Step(
        kind=StepKind.MIGRATE,
        host=ground.settings.host,
        release=release,
        args=args,
        time_limit=migration.time_limit + MIGRATION_SLACK,
    )


def backup_step(ground: Ground, *stay: str) -> Step:
    """The step that makes one backup, under a name that later steps, and whoever clears up, know.

    ``stay`` are backups that must not make room for it.
    """
    return Step(
        kind=StepKind.BACKUP,
        host=ground.settings.host,
        release=ground.previous,
        args={"backup": ground.backup, "stay": list(stay)},
        time_limit=ground.settings.settings.limits.backup,
    )


def take_down(ground: Ground, *, known: tuple[str, ...] = (), failed: str = "") -> Step:
    """The step that removes every instance but the ``known`` ones; data stay.

    ``failed`` is the id of a release whose files go as well, for those that it had replaced; without it the
    files stay where they are.
    """
    return Step(
        kind=StepKind.TAKE_DOWN,
        host=ground.settings.host,
        release=ground.release,
        args={"known": list(known), "failed": failed},
        time_limit=ground.settings.settings.limits.switch,
    )


def hooks(ground: Ground, point: str) -> Plan:
    """The team's scripts at one point: ``before_switch`` or ``after_verify``."""
    commands: tuple[tuple[str, ...], ...] = getattr(ground.settings.settings.hooks, point)
    return tuple(
        Step(
            kind=StepKind.HOOK,
            release=ground.release,
            args={"name": point, "command": list(command), "must": point == "before_switch"},
            time_limit=ground.settings.settings.limits.hook,
        )
        for command in commands
    )


def checked(ground: Ground) -> Plan:
    """Prove what serves, run the checks, prove that nothing restarted meanwhile."""
    return examined(ground, "checks")


def examined(ground: Ground, *groups: str) -> Plan:
    """As ``checked``, for the named groups of checks (``checks``, ``verify``)."""
    (prove,) = proof(ground)
    settings = ground.settings.settings
    checks = [check for group in groups for check in getattr(settings, group)]
    if ground.skip_checks or not checks:
        return (prove,)
    limit = sum(check.tries * (check.timeout + check.delay) + _CHECK_SLACK for check in checks)
    args = {"groups": list(groups)}
    check = Step(kind=StepKind.CHECK, release=ground.release, args=args, time_limit=limit)
    return (prove, check, prove)


def proof(ground: Ground) -> Plan:
    """Prove what serves, digest by digest."""
    return (
        Step(
            kind=StepKind.PROVE,
            host=ground.settings.host,
            release=ground.release,
            args={"workloads": dict(ground.candidate.workloads)},
        ),
    )


def approved(ground: Ground) -> Plan:
    """Mark what serves as good, where its checks were skipped when it came and have been run now."""
    return () if ground.good or ground.skip_checks else retain(ground, tidy=False)


def retain(ground: Ground, *, tidy: bool = True) -> Plan:
    """Keep what a later rollback needs, and (``tidy``) let go of what is too old."""
    return (
        Step(
            kind=StepKind.RETAIN,
            host=ground.settings.host,
            release=ground.release,
            args={
                "good": not ground.skip_checks,
                "previous": ground.previous.id if ground.previous else "",
                "tidy": tidy,
            },
        ),
    )
