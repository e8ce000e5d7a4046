"""``deploy-actions history``: what was deployed, newest first."""

from collections.abc import Iterator
from itertools import islice

from ci_lib.cli.console import Session, Values
from ci_lib.cli.look import Found, ledger_of, look
from ci_lib.domain.reasons import Exit
from ci_lib.domain.store import Record
from ci_lib.records.bodies import ADOPTED
from ci_lib.records.chain import Chain
from ci_lib.report.history import HistoryRow, history


def run(values: Values) -> Exit:
    """Print the newest outcomes of a stack."""

    def find(session: Session) -> Found:
        with ledger_of(values, session) as (_, _, chain):
            records = list(islice(_outcomes(chain, values["environment"]), int(values["limit"])))
        rows = [_row(record) for record in records]
        return Found(data=[dict(record.body) for record in records], text=history(rows))

    return look(values, find)


def _outcomes(chain: Chain, environment: str) -> Iterator[Record]:
    here = (f'"environment":"{environment}"',) if environment else ()
    for record in chain.newest_first('"phase":"outcome"', *here):
        shown = "status" in record.body or record.body["type"] == ADOPTED
        if shown and environment in ("", record.text("environment")):
            yield record


def _row(record: Record) -> HistoryRow:
    body = record.body
    failure, release = body.get("failure") or {}, body.get("release") or {}
    notes = (
        failure.get("cause", ""),
        f"forced: {body['forced']}" if body.get("forced") else "",
        f"data of backup {body['backup']}" if body.get("backup") else "",
        f"lock of {body['lock_owner']}: {body.get('reason', '')}" if body.get("lock_owner") else "",
    )
    return HistoryRow(
        time=record.text("time"),
        environment=record.text("environment"),
        verb=record.text("type"),
        version=str(body.get("version") or release.get("version", "")),
        status=record.text("status") or ADOPTED,
        actor=record.text("actor"),
        note="; ".join(note for note in notes if note),
    )
