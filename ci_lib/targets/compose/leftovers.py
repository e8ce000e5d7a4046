"""Throw-away services whose owner was killed: found by their project's name, and removed.

The name says who started them. Only what a process left that is proved to be dead is touched: one of the same
machine, boot, process table and user, which runs no more.
"""

import re
from collections.abc import Callable, Iterator

from ci_lib.ports.protocols import Host, PortFault, Process
from ci_lib.targets.compose.commands import PROJECT
from ci_lib.targets.compose.throwaway import Told, remove

_NAME = re.compile(r"gate-(?P<table>[0-9a-f]{12})-(?P<pid>\d+)-(?P<started>\d+)-[0-9a-f]{12}")
_LOOK = 10.0  # seconds that a question may take
_KINDS = (("ps", "-a"), ("network", "ls"), ("volume", "ls"))

Alive = Callable[[Process], bool]


def project_name(table: str, owner: Process, unique: str) -> str:
    """The name of a project of ``owner``; ``table`` is where its id means something, ``unique`` is random.

    ``table`` and ``unique`` are 12 hexadecimal digits each.
    """
    return f"gate-{table}-{owner.pid}-{owner.started}-{unique}"


def sweep(host: Host, *, table: str, alive: Alive, told: Told) -> None:
    """Remove the projects of the dead of this process table.

    What cannot be found or removed is told, and no fault: whoever needs the engine next says what is wrong
    with it. Two sweeps at the same time do no harm, one of them finds less.
    """
    try:
        for project in sorted(set(_projects(host))):
            owner = _owner(project, table)
            if owner is not None and not alive(owner):
                ran = remove(host, project)
                told(f"the services of {project}, whose gate was killed, {_removed(ran.ok, ran.said)}")
    except PortFault as fault:
        told(f"services of gates that were killed may be left: {fault}")


def _removed(ok: bool, said: str) -> str:
    return "were removed" if ok else f"cannot be removed: {said}"


def _projects(host: Host) -> Iterator[str]:
    """The names of all Compose projects that have anything on the engine; none where it does not answer."""
    shown = ("--filter", f"label={PROJECT}", "--format", f'{{{{.Label "{PROJECT}"}}}}')
    for kind in _KINDS:
        yield from host.run(("docker", *kind, *shown), timeout=_LOOK).stdout.split()


def _owner(project: str, table: str) -> Process | None:
    """Who started a project; None where it is not ours, or its owner's id means nothing here."""
    found = _NAME.fullmatch(project)
    if found is None or found["table"] != table:
        return None
    return Process(pid=int(found["pid"]), started=found["started"])
