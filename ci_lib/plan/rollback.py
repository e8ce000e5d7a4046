"""The steps of a rollback: a deploy of a release that is kept here.

No preflight, no backup and no hooks before the switch: whoever rolls back is in a hurry, and what is about
to run has run here before.
"""

from ci_lib.domain.plan import Plan
from ci_lib.plan.ground import Ground
from ci_lib.plan.parts import approved, checked, hooks, prepare, pulls, retain, schema_back
from ci_lib.plan.strategies.recreate import recreate


def rollback(ground: Ground) -> Plan:
    """Files and images of the kept release, proved and checked like any other."""
    if ground.unchanged:
        return (*checked(ground), *approved(ground))
    return (
        *prepare(ground),
        *pulls(ground),
        *schema_back(ground),
        *recreate(ground, leaving=True),
        *checked(ground),
        *retain(ground),
        *hooks(ground, "after_verify"),
    )
