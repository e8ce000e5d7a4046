"""A release goes over the hosts of an environment in batches; the next one waits for the checks of the last.

Each switch carries the way back of its own hosts, so undoing what has begun brings all batches back, the
last one first (``on_host_failure: all``). With ``batch`` and ``none`` a batch that has passed is settled:
nothing that was begun before is undone any more. With ``none`` a host that fails goes back alone, and the
others of its batch go on.
"""

from collections.abc import Iterator
from dataclasses import replace

from ci_lib.domain.plan import Plan, StepKind
from ci_lib.plan.ground import Ground, HostGround
from ci_lib.plan.hosts import Make, everywhere, together
from ci_lib.plan.parts import proof, retain


def rolled_out(ground: Ground, make: Make) -> Plan:
    """Do what ``make`` plans for one host on all that do not serve the release yet, and keep what has passed.

    ``make`` begins with what may be undone, and ends with a proof.
    """
    if not ground.hosts:
        return (*make(ground), *retain(ground))
    steps = tuple(step for batch in _batches(ground) for step in _batch(ground, batch, make))
    if ground.settings.place.rollout.on_host_failure != "all":
        return steps
    # What was proved at the beginning may be gone by now.
    last = () if len(steps[-1].hosts) == len(ground.hosts) else everywhere(ground, proof)
    return (*steps, *last, *everywhere(ground, retain))


def _batches(ground: Ground) -> Iterator[tuple[HostGround, ...]]:
    todo = [host for host in ground.hosts if not ground.on(host).unchanged]
    size = ground.settings.place.rollout.size(len(ground.hosts))
    return (tuple(todo[at : at + size]) for at in range(0, len(todo), size))


def _batch(ground: Ground, batch: tuple[HostGround, ...], make: Make) -> Plan:
    mode = ground.settings.place.rollout.on_host_failure
    if mode == "all":
        return together({host.name: make(ground.on(host)) for host in batch}, ground)
    plans = {host.name: (*make(ground.on(host)), *retain(ground.on(host))) for host in batch}
    steps = together(plans, ground)
    alone = {"alone": True} if mode == "none" else {}
    settles = {StepKind.RETAIN: {"settles": True}}
    return tuple(
        replace(step, args={**step.args, **alone, **settles.get(step.kind, {})}) for step in steps
    )
