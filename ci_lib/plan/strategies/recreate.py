"""recreate: the new release takes the old one's place; there is a short interruption."""

from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.plan.ground import Ground, instances


def recreate(ground: Ground) -> Plan:
    """Switch and wait until it serves; going back means the same with what ran before."""
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
        return (Step(kind=StepKind.TAKE_DOWN, host=host, release=ground.release, time_limit=limits.switch),)
    old = ground.previous
    managed = ground.settings.managed
    before = {name: count for name, count in instances(ground.running).items() if name in managed}
    return (
        Step(
            kind=StepKind.RESTORE,
            host=host,
            release=old,
            args={"failed": ground.release.id},
            time_limit=limits.switch,
        ),
        Step(kind=StepKind.AWAIT_SERVING, host=host, release=old, time_limit=limits.serving),
        Step(kind=StepKind.PROVE, host=host, release=old, args={"workloads": before}),
    )
