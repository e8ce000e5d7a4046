"""``deploy-actions backup``."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import run_verb
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine import flow
from ci_lib.engine.restoring import backups_of
from ci_lib.ports.system import SystemClock
from ci_lib.report.backups import BackupRow, listed, listed_page


def run(values: Values) -> Exit:
    """Run the verb; with ``--list`` only show what there is."""
    return look(values, lambda session: _list(values, session)) if values["list"] else _run(values)


def _run(values: Values) -> Exit:
    return run_verb(Verb.BACKUP, values, flow.backup)


def _list(values: Values, session: Session) -> Found:
    settings = settings_for(values, session)
    with built(session, settings) as made:
        found = backups_of(made.tools).listed()
    now = SystemClock().now()
    rows = [
        BackupRow(
            name=saved.name,
            version=saved.release.version if saved.release else "",
            release_id=saved.release.id if saved.release else "",
            databases=tuple(item.name for item in saved.databases),
            size=saved.size,
            age=(now - saved.made_at).total_seconds(),
        )
        for saved in found
    ]
    session.reporter.summary(listed_page(settings.stack, settings.environment, session.redact.deep(rows)))
    return Found(data=[row.as_json() for row in rows], text=listed(rows))
