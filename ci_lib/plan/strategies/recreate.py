"""recreate: the new release takes the old one's place; there is a short interruption."""

from ci_lib.domain.images import Release
from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.domain.running import Running
from ci_lib.plan.ground import Ground, instances, strangers


def recreate(ground: Ground, *, leaving: bool = False) -> Plan:
    """Switch and wait until it serves; going back means the same with what ran before.

    ``leaving``: somebody asked to get away from what serves, and the target remembers that.
    """
    limits = ground.settings.settings.limits
    host = ground.settings.host
    switch = Step(
        kind=StepKind.SWITCH,
        host=host,
        release=ground.release,
        args={
            "previous": ground.previous.id if ground.previous else "",
            "adopted": ground.adopted.as_json() if ground.adopted else None,
            "services": list(ground.services),
            "leaving": leaving,
        },
        time_limit=limits.switch,
        undo=_back(ground),
    )
    return (
        switch,
        Step(
            kind=StepKind.AWAIT_SERVING,
            host=host,
            release=ground.release,
            args={"services": list(ground.services)},
            time_limit=limits.serving,
        ),
    )


def _back(ground: Ground) -> Plan:
    limits = ground.settings.settings.limits
    host = ground.settings.host
    if ground.previous is None:
        known = {"known": sorted(item.instance for item in ground.running)}
        down = StepKind.TAKE_DOWN
        return (Step(kind=down, host=host, release=ground.release, args=known, time_limit=limits.switch),)
    old = ground.previous
    before = instances(tuple(item for item in ground.running if _ran(ground, old, item)))
    return (
        Step(
            kind=StepKind.RESTORE,
            host=host,
            release=old,
            args={
                "failed": ground.release.id,
                "services": list(ground.services),
                "known": sorted({item.workload for item in ground.running}),
            },
            time_limit=limits.switch,
        ),
        Step(
            kind=StepKind.AWAIT_SERVING,
            host=host,
            release=old,
            args={"services": list(ground.services)},
            time_limit=limits.serving,
        ),
        Step(kind=StepKind.PROVE, host=host, release=old, args={"workloads": dict(before)}),
    )


def _ran(ground: Ground, old: Release, item: Running) -> bool:
    """Whether an instance was managed, and as recorded, before: only that can be proved again."""
    managed = item.workload in ground.settings.managed
    return managed and not strangers(old, ground.settings, (item,))
