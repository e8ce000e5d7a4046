"""The steps that take a stack down: what runs goes, and comes back unless all of it went."""

from dataclasses import replace

from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.plan.ground import Ground
from ci_lib.plan.hosts import everywhere
from ci_lib.plan.parts import take_down
from ci_lib.plan.strategies.recreate import going_back


def taken_down(ground: Ground) -> Plan:
    """Every host at once, whatever the rollout: an environment that is half there is of no use."""
    return everywhere(ground, _host)


def _host(ground: Ground) -> Plan:
    limit = ground.settings.settings.limits.prepare
    look = Step(
        kind=StepKind.PREFLIGHT, host=ground.settings.host, args={"down": True}, time_limit=limit
    )
    down = replace(take_down(ground), undo=going_back(ground, failed=""))
    # Without a release it is proved that everything is gone, for which not every target waits by itself.
    gone = Step(kind=StepKind.PROVE, host=down.host, time_limit=down.time_limit)
    return (look, down, gone)
