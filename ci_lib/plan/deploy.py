"""The steps of a deploy; promote runs the same ones on images that the rule let through."""

from ci_lib.domain.plan import Plan
from ci_lib.plan.ground import Ground
from ci_lib.plan.hosts import everywhere
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
)
from ci_lib.plan.rollout import rolled_out
from ci_lib.plan.strategies.recreate import recreate


def deploy(ground: Ground) -> Plan:
    """Everything before ``switch`` leaves alone what runs; the schema is ready before anything needs it."""
    if ground.unchanged:
        return (
            *backup_before_migration(ground),
            *migrate(ground),
            *everywhere(ground, checked),
            *everywhere(ground, approved),
        )
    return (
        *everywhere(ground, preflight),
        *everywhere(ground, prepare),
        *everywhere(ground, pulls),
        *backup(ground),
        *hooks(ground, "before_switch"),
        *(() if ground.supporting else migrate(ground)),
        *rolled_out(ground, lambda part: (*recreate(part, first=part.supporting), *checked(part))),
        *hooks(ground, "after_verify"),
    )


def migration(ground: Ground) -> Plan:
    """The schema alone: what a deploy does before its switch, so that nothing changes that serves."""
    return (
        *everywhere(ground, preflight),
        *everywhere(ground, prepare),
        *everywhere(ground, pulls),
        *backup(ground),
        *migrate(ground, staged=True),
    )
