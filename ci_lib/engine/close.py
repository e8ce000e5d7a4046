"""The end of a run: the outcome goes into the ledger, the text views and the journal, in that order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ci_lib.domain.errors import Refusal
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.plan import StepKind
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.state import Entry, Lease, lost_lock
from ci_lib.domain.store import Still
from ci_lib.engine.tools import Seal, Tools
from ci_lib.ports.protocols import PortFault
from ci_lib.records.chain import Chain, check
from ci_lib.records.ledger import holds
from ci_lib.records.statement import plain
from ci_lib.records.views import history_lines

_END = 60.0

Body = Mapping[str, Any]
Ended = Callable[[Chain, str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What an outcome record says beside the outcome.

    ``forced`` and ``skipped`` are the reasons given; ``bad`` marks the release in this environment;
    ``verified`` is the verdict to be written as a verification, None for no verification, and ``seal`` signs
    it; ``justified`` says why a backup's data were put back or the stack taken down, and who approved of it;
    ``unlocked`` the owner whose lock was released, what was known of its run, why, and who approved.
    """

    forced: str = ""
    skipped: str = ""
    bad: bool = False
    verified: bool | None = None
    seal: Seal | None = None
    justified: Mapping[str, str] = field(default_factory=dict)
    unlocked: Mapping[str, str] = field(default_factory=dict)


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
    owed: Sequence[Body] = (),
    withhold: bool = False,
    unless: Ended | None = None,
) -> Outcome:
    """Record the outcome and end the journal; returns it with record ids and the ledger's head.

    When the ledger cannot be written the journal stays open and keeps the records: the next run writes them
    then, marked late. A green outcome becomes one that needs a person, a red one keeps its reason. ``owed``
    are records that an earlier run could not write. ``withhold``: the ledger is known to be unusable and the
    run went on without it; it is not written to, and the outcome stays what it is. ``unless`` says of a
    ledger whether the intent has its end by now: then ``Refusal`` (LOST_LOCK) is raised and nothing recorded.
    Whoever took the lock over has recorded it, and a second one would come behind what runs by now.
    """
    notes = notes or Notes()
    more: dict[str, str | bool] = {"ref": intent}
    more |= {"forced": notes.forced} if notes.forced else {}
    more |= {"skipped": notes.skipped} if notes.skipped else {}
    more |= {"bad": True} if notes.bad else {}
    more |= {**notes.justified, **notes.unlocked}
    more |= {"late": True} if late else {}
    now = tools.clock.now()
    body = tools.frame.outcome(outcome, now, release, **more)
    body["previous"] = previous.as_json() if previous else None
    if saved := [note for step in outcome.steps if step.name == StepKind.BACKUP for note in step.notes]:
        body["saved"] = saved
    bodies: list[Body] = [*owed, body]
    if notes.verified is not None and release is not None:
        verdict: Body = tools.frame.verified(now, release, outcome.checks, passed=notes.verified)
        bodies.append(notes.seal(verdict) if notes.seal else verdict)
    if withhold:
        return _kept_in_journal(tools, lease, outcome, bodies)
    return record(tools, lease, outcome, bodies, still=_unless(unless, intent) if unless else None)


def _unless(ended: Ended, intent: str) -> Still:
    def still(data: bytes) -> None:
        if ended(check(data), intent):
            raise lost_lock()

    return still


def record(
    tools: Tools,
    lease: Lease | None,
    outcome: Outcome,
    bodies: Sequence[Body],
    *,
    still: Still | None = None,
) -> Outcome:
    """Write records, and the views of them, and end the journal: the second half of ``close``."""
    try:
        records = tools.store.append(tools.settings.stack, *bodies, still=still)
    except (Refusal, PortFault) as fault:
        if isinstance(fault, Refusal) and fault.reason is Reason.LOST_LOCK:
            raise
        return _unrecorded(tools, lease, outcome, fault, bodies)
    ended = end_journal(tools, lease, {"event": "end", "status": str(outcome.status)})
    viewed = _views(tools, bodies)
    return replace(
        outcome,
        records=(*outcome.records, *(written.id for written in records)),
        record_lines=(*outcome.record_lines, *(written.raw for written in records)),
        ledger_head=records[-1].line,
        notes=(*outcome.notes, *ended, *viewed),
    )


def end_journal(tools: Tools, lease: Lease | None, entry: Entry) -> tuple[str, ...]:
    """Write the last line; where that fails, the next run finds the journal open and clears up.

    Returns what there is to say about it. A lock lost as late as this changes nothing about the outcome.
    """
    if lease is None:
        return ()
    try:
        tools.state.note(lease, entry, seconds=_END)
    except (Refusal, PortFault) as fault:
        return (f"the journal could not be ended, the next run will: {fault}",)
    return ()


def _views(tools: Tools, bodies: Sequence[Body]) -> tuple[str, ...]:
    """Write the text views; they are for reading only, so a failure is a note."""
    settings, bodies = tools.settings, [plain(body) for body in bodies]
    names = {"stack": settings.history_name, "environment": settings.history_env}
    lines = tuple(line for body in bodies if "status" in body for line in history_lines(body, **names))
    passed = [body["release"]["version"] for body in bodies if body.get("result") == "PASSED"]
    try:
        tools.store.publish(settings.stack, history=lines, verified=passed[-1] if passed else "")
    except PortFault as fault:
        return (f"the text views could not be written: {fault}",)
    return ()


def _unrecorded(
    tools: Tools, lease: Lease | None, outcome: Outcome, fault: Refusal | PortFault, bodies: Sequence[Body]
) -> Outcome:
    """What becomes of an outcome whose record could not be written."""
    if lease is None:
        return replace(outcome, notes=(*outcome.notes, f"the outcome is not in the ledger: {fault}"))
    kept = _kept_in_journal(tools, lease, outcome, bodies)
    if not kept.green:
        return kept
    hint = fault.hint if isinstance(fault, Refusal) else ""
    failure = Failure(step="record", cause=str(fault), hint=hint)
    return replace(kept, reason=Reason.RECORD, failure=failure)


def _kept_in_journal(
    tools: Tools, lease: Lease | None, outcome: Outcome, bodies: Sequence[Body]
) -> Outcome:
    entry = {
        "event": "unrecorded",
        "status": str(outcome.status),
        "reason": str(outcome.reason),
        "bodies": [dict(body) | {"late": True} for body in bodies],
    }
    ended = end_journal(tools, lease, entry)
    return replace(
        outcome, notes=(*outcome.notes, "not in the ledger yet; the next run records it", *ended)
    )


def _while_missing(bodies: Sequence[Body]) -> Still:
    def still(data: bytes) -> None:
        chain = check(data)
        if any(holds(chain, body) for body in bodies):
            raise lost_lock()  # another run has recorded them meanwhile, and may have gone on

    return still


def record_late(tools: Tools, lease: Lease, outcome: Outcome, entry: Entry, chain: Chain) -> Outcome:
    """Write the records that an earlier run left in its journal; ``outcome`` says which run that was.

    Not those that ``chain``, the ledger, has: they were written, and the answer was lost on its way.
    """
    ended = replace(outcome, status=Status(entry["status"]), reason=Reason(entry["reason"]))
    missing = [body for body in entry["bodies"] if not holds(chain, body)]
    if missing:
        return record(tools, lease, ended, missing, still=_while_missing(missing))
    noted = end_journal(tools, lease, {"event": "end", "status": entry["status"]})
    return replace(ended, notes=(*ended.notes, *noted, *_views(tools, entry["bodies"])))
