"""``deploy-actions rollback``."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.verb import run_verb
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit, Verb
from ci_lib.engine import flow
from ci_lib.engine.survey import read_chain
from ci_lib.records import ledger
from ci_lib.report.rollback import RollbackRow, candidates, candidates_page


def run(values: Values) -> Exit:
    """Run the verb; with ``--list`` only show what it could go back to."""
    return look(values, lambda session: _list(values, session)) if values["list"] else _run(values)


def _run(values: Values) -> Exit:
    return run_verb(Verb.ROLLBACK, values, flow.rollback)


def _list(values: Values, session: Session) -> Found:
    settings = settings_for(values, session)
    with built(session, settings) as made:
        kept = {item.release.id: item for item in made.target.kept()}
        served = list(ledger.deployed(read_chain(made.tools), settings.environment))
    rows = [
        RollbackRow(
            version=item.release.version,
            release_id=item.release.id,
            served=f"{item.at:%Y-%m-%dT%H:%M:%SZ}",
            state=_state(item, kept[item.release.id].current if item.release.id in kept else None),
        )
        for item in served
    ]
    page = candidates_page(settings.stack, settings.environment, session.redact.deep(rows))
    session.reporter.summary(page)
    return Found(data=[row.as_json() for row in rows], text=candidates(rows))


def _state(item: ledger.Deployed, current: bool | None) -> str:
    """``current`` is None when the target does not keep the release."""
    if current is None:
        return "files not kept"
    if current:
        return "serves now"
    return "bad: failed its checks" if item.bad else "ready"
