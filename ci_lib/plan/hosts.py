"""Steps that are done on several hosts at once.

A plan is made for each host by itself, since each may have something else to go back to. Plans that differ in
nothing but what a host needs to know become one plan, whose steps hold that for each of their hosts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ci_lib.domain.plan import Plan, Step
from ci_lib.plan.ground import Ground

Make = Callable[[Ground], Plan]


def everywhere(ground: Ground, make: Make) -> Plan:
    """What ``make`` plans, on every host at once; where there is one host, just that."""
    if not ground.hosts:
        return make(ground)
    return together({host.name: make(ground.on(host)) for host in ground.hosts}, ground)


def together(plans: Mapping[str, Plan], ground: Ground) -> Plan:
    """The plans of several hosts as one; those that go another way, or back to something else, follow."""
    alike: dict[Any, dict[str, Plan]] = {}
    for host, plan in plans.items():
        alike.setdefault(tuple(_shape(step) for step in plan), {})[host] = plan
    at_once = ground.settings.place.rollout.max_parallel
    return tuple(step for group in alike.values() for step in _merged(group, at_once))


def _shape(step: Step) -> object:
    """What has to be the same for two hosts to do a step together."""
    undo = tuple(_shape(back) for back in step.undo)
    return (step.kind, step.release, step.image, step.args.get("name"), step.time_limit, undo)


def _merged(plans: Mapping[str, Plan], at_once: int) -> Plan:
    waves = -(-len(plans) // at_once)
    steps = zip(*plans.values(), strict=True)
    return tuple(_on_all(dict(zip(plans, same, strict=True)), waves) for same in steps)


def _on_all(steps: Mapping[str, Step], waves: int) -> Step:
    """One step for all; it may take as long as all the hosts that are done one after the other."""
    first = next(iter(steps.values()))
    backs = zip(*(step.undo for step in steps.values()), strict=True)
    return replace(
        first,
        host="",
        args={"hosts": {host: dict(step.args) for host, step in steps.items()}, "each": first.time_limit},
        time_limit=waves * first.time_limit,
        undo=tuple(_on_all(dict(zip(steps, same, strict=True)), waves) for same in backs),
    )
