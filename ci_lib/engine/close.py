"""The end of a run: the outcome goes into the ledger, the text views and the journal, in that order."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ci_lib.domain.errors import Refusal
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Lease
from ci_lib.domain.store import Record
from ci_lib.engine.tools import Tools
from ci_lib.ports.protocols import PortFault
from ci_lib.records.views import history_lines

_END = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What an outcome record says beside the outcome.

    ``forced`` and ``skipped`` are the reasons given; ``bad`` marks the release in this environment;
    ``verified`` is the verdict to be written as a verification, None for no verification.
    """

    forced: str = ""
    skipped: str = ""
    bad: bool = False
    verified: bool | None = None


def close(
    tools: Tools,
    lease: Lease | None,
    outcome: Outcome,
    *,
    release: Release | None,
    intent: str = "",
    previous: Release | None = None,
    notes: Notes | None = None,
    late: bool = False,
) -> Outcome:
    """Record the outcome and end the journal; returns it with record ids and the ledger's head.

    When the ledger cannot be written the journal stays open: the next run finds it and records the outcome
    then, marked late. A green outcome becomes one that needs a person, a red one keeps its reason.
    """
    notes = notes or Notes()
    more: dict[str, str | bool] = {"ref": intent}
    more |= {"forced": notes.forced} if notes.forced else {}
    more |= {"skipped": notes.skipped} if notes.skipped else {}
    more |= {"bad": True} if notes.bad else {}
    more |= {"late": True} if late else {}
    now = tools.clock.now()
    body = tools.frame.outcome(outcome, now, release, **more)
    body["previous"] = previous.as_json() if previous else None
    records: list[Record] = []
    try:
        records.append(tools.store.append(tools.settings.stack, body))
        if notes.verified is not None and release is not None:
            verification = tools.frame.verified(now, release, outcome.checks, passed=notes.verified)
            records.append(tools.store.append(tools.settings.stack, verification))
    except Refusal as refusal:
        return _unrecorded(tools, lease, outcome, refusal)
    if lease is not None:
        tools.state.note(lease, {"event": "end", "status": str(outcome.status)}, seconds=_END)
    viewed = _views(tools, body, release, verified=bool(notes.verified))
    return replace(
        outcome,
        records=(*outcome.records, *(record.id for record in records)),
        record_lines=(*outcome.record_lines, *(record.raw for record in records)),
        ledger_head=records[-1].line,
        notes=(*outcome.notes, *viewed),
    )


def _views(
    tools: Tools, body: Mapping[str, object], release: Release | None, *, verified: bool
) -> tuple[str, ...]:
    """Write the text views; they are for reading only, so a failure is a note."""
    settings = tools.settings
    try:
        lines = history_lines(body, stack=settings.history_name, environment=settings.history_env)
        tools.store.add_history(lines)
        if verified and release is not None:
            tools.store.set_verified(settings.stack, release.version + "\n")
    except PortFault as fault:
        return (f"the text views could not be written: {fault}",)
    return ()


def _unrecorded(tools: Tools, lease: Lease | None, outcome: Outcome, refusal: Refusal) -> Outcome:
    if lease is not None:
        tools.state.note(lease, {"event": "unrecorded"}, seconds=_END)
    note = f"the outcome is not in the ledger yet: {refusal.message}; the next run records it"
    if not outcome.green:
        return replace(outcome, notes=(*outcome.notes, note))
    failure = Failure(step="record", cause=refusal.message, hint=refusal.hint)
    return replace(outcome, reason=Reason.RECORD, failure=failure, notes=(*outcome.notes, note))
