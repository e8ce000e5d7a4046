"""recreate: the new release takes the old one's place; there is a short interruption.

What a migration needs and does not run yet (the database of a first deploy) is switched in first.
"""


from ci_lib.domain.images import Release
from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.domain.running import Running
from ci_lib.plan.ground import Ground, instances, strangers
from ci_lib.plan.parts import migrate, schema_back, take_down


def recreate(ground: Ground, *, leaving: bool = False, first: tuple[str, ...] = ()) -> Plan:
    """Switch and wait until it serves; going back means the same with what ran before.

    ``leaving``: somebody asked to get away from what serves, and the target remembers that. ``first`` are
    services that have to be there before the schema can be migrated, and with it everything else.
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
            "services": list(first or ground.services),
            "leaving": leaving,
        },
        time_limit=limits.switch,
        undo=going_back(ground, failed=ground.release.id),
    )
    awaiting = _await(ground, ground.release, ground.services)
    if not first:
        return (switch, awaiting)
    return (
        switch,
        _await(ground, ground.release, first),
        *migrate(ground, staged=False),
        _start(ground, ground.release),
        awaiting,
    )


def interrupted(ground: Ground) -> tuple[str, ...]:
    """The managed services that do not answer from the end of their old instance to the start of the new one.

    None where nothing is switched, or nothing ran.
    """
    if ground.unchanged or ground.previous is None:
        return ()
    ran = {item.workload for item in ground.running}
    return tuple(sorted(ran & set(ground.services or ground.settings.managed)))


def _await(ground: Ground, release: Release, services: tuple[str, ...]) -> Step:
    return Step(
        kind=StepKind.AWAIT_SERVING,
        host=ground.settings.host,
        release=release,
        args={"services": list(services)},
        time_limit=ground.settings.settings.limits.serving,
    )


def _start(ground: Ground, release: Release) -> Step:
    return Step(
        kind=StepKind.START,
        host=ground.settings.host,
        release=release,
        args={"services": list(ground.services)},
        time_limit=ground.settings.settings.limits.switch,
    )


def going_back(ground: Ground, *, failed: str) -> Plan:
    """Back to what ran before, which is proved; ``failed`` is the id of a release whose files go too."""
    limits = ground.settings.settings.limits
    host = ground.settings.host
    old = ground.previous
    if old is None:
        known = tuple(sorted(item.instance for item in ground.running))
        return (take_down(ground, known=known, failed=failed),)
    before = instances(tuple(item for item in ground.running if _ran(ground, old, item)))
    return (
        Step(
            kind=StepKind.RESTORE,
            host=host,
            release=old,
            args={
                "failed": failed,
                "services": list(ground.services),
                "known": sorted({item.workload for item in ground.running}),
                # Nothing is started on a schema that is not its own.
                **({} if ground.schema_to is None else {"up": False}),
            },
            time_limit=limits.switch,
        ),
        *_schema_forth(ground, old),
        _await(ground, old, ground.services),
        Step(kind=StepKind.PROVE, host=host, release=old, args={"workloads": dict(before)}),
    )


def _schema_forth(ground: Ground, old: Release) -> Plan:
    """Where a rollback took the schema back: up again, and only then the release that needs it."""
    if ground.schema_to is None:
        return ()
    up = (undo for down in schema_back(ground) for undo in down.undo)
    return (*up, _start(ground, old))


def _ran(ground: Ground, old: Release, item: Running) -> bool:
    """Whether an instance was managed, and as recorded, before: only that can be proved again."""
    managed = item.workload in ground.settings.managed
    return managed and not strangers(old, ground.settings, (item,))
