"""The steps of a rollback: a deploy of a release that is kept here.

No preflight, no backup and no hooks before the switch: whoever rolls back is in a hurry, and what is about
to run has run here before.
"""

from ci_lib.domain.plan import Plan
from ci_lib.plan.ground import Ground
from ci_lib.plan.hosts import everywhere
from ci_lib.plan.parts import approved, checked, hooks, prepare, pulls, schema_back
from ci_lib.plan.rollout import rolled_out
from ci_lib.plan.strategies.recreate import recreate


def rollback(ground: Ground) -> Plan:
    """Files and images of the kept release, proved and checked like any other."""
    if ground.unchanged:
        return (*everywhere(ground, checked), *everywhere(ground, approved))
    return (
        *everywhere(ground, prepare),
        *everywhere(ground, pulls),
        *schema_back(ground),
        *rolled_out(ground, lambda part: (*recreate(part, leaving=True), *checked(part))),
        *hooks(ground, "after_verify"),
    )
