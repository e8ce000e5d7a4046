"""The steps of a restore, and of a rollback that takes the data of a backup along."""

from dataclasses import replace

from ci_lib.domain.plan import Plan, StepKind
from ci_lib.plan.data import exchanged, judged, started, stop
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import checked, hooks, prepare, pulls, retain
from ci_lib.plan.strategies.recreate import recreate


def restore(ground: Ground, backup: str) -> Plan:
    """The data of ``backup`` under the release that serves; it stays."""
    start, awaited = started(ground)
    return (
        *judged(ground, backup),
        *exchanged(ground, backup),
        replace(start, undo=(stop(ground),)),
        awaited,
        *checked(ground),
        *retain(ground, tidy=False),
    )


def rollback_with_data(ground: Ground, backup: str) -> Plan:
    """The data of ``backup``, and a kept release that goes with them."""
    if ground.unchanged:
        return restore(ground, backup)
    switch, *rest = recreate(ground, leaving=True)
    # The old files come back, and nothing is started before the old data are there too.
    back = tuple(
        replace(step, args={**step.args, "up": False})
        for step in switch.undo
        if step.kind is StepKind.RESTORE
    )
    return (
        *judged(ground, backup),
        *prepare(ground),
        *pulls(ground),
        *exchanged(ground, backup),
        replace(switch, undo=(stop(ground), *back)),
        *rest,
        *checked(ground),
        *retain(ground),
        *hooks(ground, "after_verify"),
    )
