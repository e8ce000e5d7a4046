"""``deploy-actions status``: what runs now, container by container."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.wiring import Built, built
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import HostsFault
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Exit
from ci_lib.domain.running import Running
from ci_lib.engine.recover import unfinished
from ci_lib.engine.survey import Serving, surveyed
from ci_lib.engine.tools import Tools
from ci_lib.plan.ground import strangers
from ci_lib.ports.protocols import PortFault
from ci_lib.report.status import StatusRow, status


def run(values: Values) -> Exit:
    """Print the release, every instance, the lock, and the command that keeps the pin."""

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        with built(session, settings) as made:
            now, gone = _seen(made.tools)
            lines = [*_lines(made, settings, now), *(f"{host}: {why}" for host, why in gone.items())]
        rows = list(_rows(now, settings))
        data: dict[str, Any] = {
            "release": now.release.as_json() if now.release else None,
            **_by_host(now),
            "instances": [row.as_json() for row in rows],
            "notes": lines,
        }
        text = status(rows) + "".join(f"{line}\n" for line in lines)
        return Found(data=data, text=text, exit=Exit.STOPPED if gone else Exit.OK)

    return look(values, find)


def _seen(tools: Tools) -> tuple[Serving, dict[str, str]]:
    """What serves, and which of several hosts do not tell: when one is gone, the others are asked about."""
    try:
        return surveyed(tools), {}
    except HostsFault as fault:
        gone = {host: one.message for host, one in fault.faults.items()}
        if gone.keys() == set(tools.settings.several):
            raise
        return surveyed(tools, without=gone), gone


def _rows(now: Serving, settings: Resolved) -> Iterator[StatusRow]:
    for name, one in (now.hosts or {"": now}).items():
        for item in one.running:
            yield replace(_row(item, settings, one.release), host=name)


def _by_host(now: Serving) -> dict[str, Any]:
    """The release of each of several hosts."""
    if not now.hosts:
        return {}
    releases = {name: one.release for name, one in now.hosts.items()}
    return {"hosts": {name: release.as_json() if release else None for name, release in releases.items()}}


def _lines(made: Built, settings: Resolved, now: Serving) -> Iterator[str]:
    if not now.alike:
        for name, one in now.hosts.items():
            what = f"{one.release.version} ({one.release.id})" if one.release else "nothing"
            yield f"release on {name}: {what}"
        yield "the hosts serve different releases: deploy or roll back to bring them together"
    elif now.release is None:
        yield f"{settings.stack} does not run in {settings.environment}"
    else:
        yield f"release: {now.release.version} ({now.release.id})"
        if now.adopted:
            yield "not deployed by deploy-actions: the next deploy adopts it as its rollback target"
    yield from _of_the_lock(made)
    with suppress(HostsFault):
        yield from made.target.advice()


def _of_the_lock(made: Built) -> Iterator[str]:
    try:
        held = made.tools.state.peek()
    except PortFault as fault:
        if not made.tools.settings.several:
            raise
        yield f"lock: not known: {fault}"
        return
    at_work = held is not None and not made.tools.ended(held.owner)
    yield f"lock: held by {held.owner}" if held else "lock: free"
    if at_work:
        yield "a run is at work, or was killed; then its lock ends by itself"
    elif unfinished(made.tools.state.journal()):
        yield "the last run was interrupted: finalize or the next run clears up"


def _row(item: Running, settings: Resolved, release: Release | None) -> StatusRow:
    managed = item.workload in settings.managed
    wrong = bool(strangers(release, settings, (item,))) if release else False
    return StatusRow(
        service=item.workload,
        instance=item.instance,
        health=str(item.health),
        restarts=item.restarts,
        image=item.image_ids[0] if item.image_ids else "unknown",
        proof="not managed" if not managed else "another image" if wrong else "as recorded",
    )
