"""``deploy-actions status``: what runs now, container by container."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.wiring import Built, built
from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Exit
from ci_lib.domain.running import Running
from ci_lib.engine.recover import unfinished
from ci_lib.engine.survey import Serving, surveyed
from ci_lib.plan.ground import strangers
from ci_lib.report.status import StatusRow, status


def run(values: Values) -> Exit:
    """Print the release, every instance, the lock, and the command that keeps the pin."""

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        with built(session, settings) as made:
            now = surveyed(made.tools)
            lines = list(_lines(made, settings, now))
        rows = list(_rows(now, settings))
        data: dict[str, Any] = {
            "release": now.release.as_json() if now.release else None,
            **_by_host(now),
            "instances": [row.as_json() for row in rows],
            "notes": lines,
        }
        return Found(data=data, text=status(rows) + "".join(f"{line}\n" for line in lines))

    return look(values, find)


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
    held = made.tools.state.peek()
    at_work = held is not None and not made.tools.ended(held.owner)
    yield f"lock: held by {held.owner}" if held else "lock: free"
    if at_work:
        yield "a run is at work, or was killed; then its lock ends by itself"
    elif unfinished(made.tools.state.journal()):
        yield "the last run was interrupted: finalize or the next run clears up"
    yield from made.target.advice()


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
