"""The steps of a deploy; promote runs the same ones on images that the rule let through."""

from ci_lib.domain.plan import Plan
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import approved, backup, checked, hooks, preflight, prepare, pulls, retain
from ci_lib.plan.strategies.recreate import recreate


def deploy(ground: Ground) -> Plan:
    """Everything before ``switch`` leaves alone what runs."""
    if ground.unchanged:
        return (*checked(ground), *approved(ground))
    return (
        *preflight(ground),
        *prepare(ground),
        *pulls(ground),
        *backup(ground),
        *hooks(ground, "before_switch"),
        *recreate(ground),
        *checked(ground),
        *retain(ground),
        *hooks(ground, "after_verify"),
    )
