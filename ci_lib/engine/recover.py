"""Clearing up after a run that was killed, and recording how it ended."""

from dataclasses import replace
from functools import partial

from ci_lib.domain.errors import Refusal, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.state import Entry, Lease
from ci_lib.domain.store import Record
from ci_lib.engine.close import Notes, close, end_journal, record_late
from ci_lib.engine.conclude import concluded, known
from ci_lib.engine.perform import LEASE_SLACK
from ci_lib.engine.tools import Tools
from ci_lib.records import ledger
from ci_lib.records.chain import Chain

_SETTLE = 60.0


def unfinished(entries: tuple[Entry, ...]) -> bool:
    """Whether the newest run in the journal did not come to its end."""
    return bool(entries) and entries[-1]["event"] != "end"


def owed(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The records that the newest run in the journal, or one before it, could not write."""
    if not unfinished(entries):
        return ()
    newest: tuple[Entry, ...] = tuple(entries[-1].get("bodies", ()))
    return newest or tuple(entries[0].get("owed", ()))


def recover(tools: Tools, lease: Lease, chain: Chain | None) -> Outcome | None:
    """Bring an interrupted run to a known end and record it; None when there was none.

    Before the switch nothing has to be done. A release that had passed its checks is proved again and
    stays; one that was started on the data of a backup is brought to its end. Anything else goes back to what
    ran before. ``chain`` is the ledger, None when it cannot be had. Raises ``StepFault`` (STATE) when a
    command of that run is still at work.
    """
    entries = tools.state.journal()
    if not unfinished(entries):
        return _abandoned(tools, chain)
    tools.reporter.warn("an earlier run was interrupted; clearing up after it first")
    _settle(tools)
    begin = entries[0]
    if entries[-1]["event"] == "unrecorded":
        if chain is None:
            return None
        return record_late(tools, lease, known(tools, begin), entries[-1], chain)
    if chain is not None and ledger.is_closed(chain, begin["intent"]):
        end_journal(tools, lease, {"event": "end", "status": "recorded"})
        return None
    return _closed(tools, lease, chain, begin, concluded(tools, lease, entries))


def _settle(tools: Tools) -> None:
    """Wait for the last command of the interrupted run; raise ``StepFault`` (STATE) while it goes on."""
    if not tools.state.settle(seconds=_SETTLE):
        raise StepFault(
            f"a command of the interrupted run is still at work after {_SETTLE:.0f} s",
            hint="wait for it, or end it on the host; then run again",
            reason=Reason.STATE,
        )


def _closed(tools: Tools, lease: Lease, chain: Chain | None, begin: Entry, outcome: Outcome) -> Outcome:
    closing = partial(
        close,
        tools,
        lease,
        outcome,
        release=Release.from_json(begin["release"]) if begin["release"] else None,
        intent=begin["intent"],
        notes=_notes(ledger.intent_of(chain, begin["intent"]) if chain else None),
        late=outcome.green,
        owed=begin.get("owed", ()),
        withhold=chain is None,
    )
    try:
        return closing(unless=ledger.is_closed)
    except Refusal:
        # Either another run took over from this one, or the interrupted one woke and told its own end, which
        # is not how it ended any more.
        tools.state.note(lease, {"event": "closing"}, seconds=LEASE_SLACK)
        return closing()


def _abandoned(tools: Tools, chain: Chain | None) -> Outcome | None:
    """Close an intent whose run was killed before it could begin its journal."""
    intent = ledger.open_intent(chain, tools.settings.environment) if chain is not None else None
    if intent is None or chain is None:
        return None
    begin = {"release": intent.body["release"], "verb": intent.body["type"], "time": intent.text("time")}
    cause = Failure(step="interrupted", cause="the run was killed before its first step")
    outcome = replace(known(tools, begin), status=Status.FAILED, failure=cause)
    notes = _notes(intent)
    release = Release.from_json(begin["release"])
    end = partial(close, tools, None, outcome, release=release, intent=intent.id, notes=notes)
    try:
        return end(unless=ledger.has_end)
    except Refusal:  # it woke, found that it had lost the lock, and told that itself
        return None


def _notes(intent: Record | None) -> Notes:
    """The gates that an interrupted run had opened: whatever became of it, they were open."""
    if intent is None:
        return Notes()
    told = {key: intent.text(key) for key in ("backup", "reason", "approver")}
    justified = {key: text for key, text in told.items() if text or told["backup"]}
    return Notes(forced=intent.text("forced"), skipped=intent.text("skipped"), justified=justified)
