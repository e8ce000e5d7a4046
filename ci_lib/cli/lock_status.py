"""``deploy-actions lock status``: who holds the lock, and whether that run still lives."""

from ci_lib.cli.console import Session, Values, settings_for
from ci_lib.cli.look import Found, look
from ci_lib.cli.wiring import built
from ci_lib.domain.reasons import Exit
from ci_lib.engine.progress import progress
from ci_lib.engine.recover import unfinished
from ci_lib.report.lock import LockRow, lock


def run(values: Values) -> Exit:
    """Print the lock of one stack and environment. A held lock is an answer and no failure."""

    def find(session: Session) -> Found:
        settings = settings_for(values, session)
        with built(session, settings) as made:
            state = made.tools.state
            held, entries = state.peek(), state.journal()
            run_state = made.tools.run_state(held.owner) if held else None
        row = LockRow(
            stack=settings.stack,
            environment=settings.environment,
            held=held,
            run=run_state,
            journal=progress(entries, held.owner) if held else "",
            interrupted=unfinished(entries),
        )
        return Found(data=row.as_json(), text=lock(row))

    return look(values, find)
