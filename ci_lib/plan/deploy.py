"""The steps of a deploy; promote runs the same ones on images that the rule let through."""

from ci_lib.domain.plan import Plan
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import (
    approved,
    backup,
    backup_before_migration,
    checked,
    hooks,
    migrate,
    preflight,
    prepare,
    pulls,
    retain,
)
from ci_lib.plan.strategies.recreate import recreate


def deploy(ground: Ground) -> Plan:
    """Everything before ``switch`` leaves alone what runs; the schema is ready before anything needs it."""
    if ground.unchanged:
        return (
            *backup_before_migration(ground),
            *migrate(ground),
            *checked(ground),
            *approved(ground),
        )
    return (
        *preflight(ground),
        *prepare(ground),
        *pulls(ground),
        *backup(ground),
        *hooks(ground, "before_switch"),
        *(() if ground.supporting else migrate(ground)),
        *recreate(ground, first=ground.supporting),
        *checked(ground),
        *retain(ground),
        *hooks(ground, "after_verify"),
    )


def migration(ground: Ground) -> Plan:
    """The schema alone: what a deploy does before its switch, so that nothing changes that serves."""
    return (
        *preflight(ground),
        *prepare(ground),
        *pulls(ground),
        *backup(ground),
        *migrate(ground, staged=True),
    )
