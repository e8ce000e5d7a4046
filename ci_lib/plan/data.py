"""The pieces that put the data of a backup back, with their way back.

The way back needs an order of its own: first stop what was started on the new data, then the old data, then
the old release. Undo runs from the last step to the first, so each piece carries a part of it: what starts
something stops it again, RESTORE_BACKUP brings the data of before back, STOP starts what it stopped.
"""

from dataclasses import replace

from ci_lib.config.backup import ServiceDump
from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.plan.ground import Ground, instances
from ci_lib.plan.parts import backup_step


def judged(ground: Ground, backup: str) -> Plan:
    """Whether the backup could be put back, while that is still harmless."""
    limit = ground.settings.settings.limits.restore
    args = {"backup": backup}
    return (Step(kind=StepKind.PREFLIGHT, host=ground.settings.host, args=args, time_limit=limit),)


def exchanged(ground: Ground, backup: str) -> Plan:
    """Save what there is, in any case; stop the application; exchange the data."""
    settings, host = ground.settings.settings, ground.settings.host
    undone = Step(
        kind=StepKind.RESTORE_BACKUP,
        host=host,
        args={"backup": ground.backup, "back": True},
        time_limit=settings.limits.restore,
    )
    stopped = replace(stop(ground), undo=(*started(ground), _proof(ground)))
    exchange = replace(undone, args={"backup": backup, "back": False}, undo=(undone,))
    return (backup_step(ground, backup), stopped, exchange)


def stop(ground: Ground) -> Step:
    """Stop the services that we manage; not a database that is one of them."""
    return Step(
        kind=StepKind.STOP,
        host=ground.settings.host,
        args={"services": list(applications(ground))},
        time_limit=ground.settings.settings.limits.switch,
    )


def started(ground: Ground) -> Plan:
    """Bring what served before up again, and wait until it serves."""
    limits, host = ground.settings.settings.limits, ground.settings.host
    services = [name for name in applications(ground) if name in instances(ground.running)]
    args = {"services": services}
    kinds = ((StepKind.START, limits.switch), (StepKind.AWAIT_SERVING, limits.serving))
    return tuple(
        Step(kind=kind, host=host, release=ground.previous, args=args, time_limit=limit)
        for kind, limit in kinds
    )


def applications(ground: Ground) -> tuple[str, ...]:
    """The managed services that are no database of the backup."""
    databases: set[str] = set()
    for database in ground.settings.settings.backup.databases:
        databases.add(database.service)
        if isinstance(database, ServiceDump) and database.test:
            databases.add(database.test.service)
    return tuple(sorted(ground.settings.managed - databases))


def _proof(ground: Ground) -> Step:
    counts = instances(ground.running)
    before = {name: counts[name] for name in sorted(ground.settings.managed) if name in counts}
    args = {"workloads": before}
    return Step(kind=StepKind.PROVE, host=ground.settings.host, release=ground.previous, args=args)
