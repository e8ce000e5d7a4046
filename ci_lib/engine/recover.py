"""Clearing up after a run that was killed: the journal on the target is the only truth about progress."""

from dataclasses import replace
from functools import partial
from typing import Any

from ci_lib.domain.errors import Refusal, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Change, Failure, Outcome
from ci_lib.domain.plan import BLAMING, CHANGING, Plan, Step, StepKind, some
from ci_lib.domain.reasons import HALF_WAY, Reason, Status, Verb
from ci_lib.domain.state import Entry, Lease
from ci_lib.domain.store import Record
from ci_lib.engine.close import Notes, close, end_journal, record_late
from ci_lib.engine.facts import variables
from ci_lib.engine.hosts import HostsDone, before_of, host_results, what_to_do
from ci_lib.engine.interrupted import with_schema
from ci_lib.engine.perform import LEASE_SLACK, Performer, comes_back, way_back
from ci_lib.engine.tools import Tools
from ci_lib.records import ledger
from ci_lib.records.chain import Chain

_SETTLE = 60.0

_UNTOUCHED = "the run was killed before the switch; nothing was changed"
_STAYS = "the run was killed; what it had done stays, and another one goes on"
_WRITTEN = "look at the application and its data: go on with them, or"


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
    ran before. ``chain`` is the ledger, None when it cannot be
    had. Raises ``StepFault`` (STATE) when a command of that run is still at work.
    """
    entries = tools.state.journal()
    if not unfinished(entries):
        return _abandoned(tools, chain)
    tools.reporter.warn("an earlier run was interrupted; clearing up after it first")
    if not tools.state.settle(seconds=_SETTLE):
        raise StepFault(
            f"a command of the interrupted run is still at work after {_SETTLE:.0f} s",
            hint="wait for it, or end it on the host; then run again",
            reason=Reason.STATE,
        )
    begin = entries[0]
    if entries[-1]["event"] == "unrecorded" and chain is None:
        return None
    if entries[-1]["event"] == "unrecorded" and chain is not None:
        return record_late(tools, lease, _base(begin, tools), entries[-1], chain)
    if chain is not None and ledger.is_closed(chain, begin["intent"]):
        end_journal(tools, lease, {"event": "end", "status": "recorded"})
        return None
    try:
        plan = tuple(Step.from_json(step) for step in begin["plan"])
    except (KeyError, TypeError, ValueError) as error:
        raise StepFault(
            f"the journal of the interrupted run cannot be read: {error}",
            hint="another version of deploy-actions wrote it: run that one's finalize, then this one",
            reason=Reason.STATE,
        ) from error
    _demand_hosts(tools, plan)
    started = max((entry["step"] for entry in entries if entry["event"] == "start"), default=-1)
    gone_back = frozenset(entry["step"] for entry in entries if entry["event"] == "undo")
    outcome = _outcome(tools, lease, begin, plan[: started + 1], plan, gone_back)
    outcome = with_schema(tools, lease, outcome, entries, plan[: started + 1])
    release = Release.from_json(begin["release"]) if begin["release"] else None
    closing = partial(
        close,
        tools,
        lease,
        outcome,
        release=release,
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
    outcome = replace(_base(begin, tools), status=Status.FAILED, failure=cause)
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
    justified = {key: text for key in ("backup", "reason", "approver") if (text := intent.text(key))}
    return Notes(forced=intent.text("forced"), skipped=intent.text("skipped"), justified=justified)


def _outcome(
    tools: Tools, lease: Lease, begin: Entry, begun: Plan, plan: Plan, gone_back: frozenset[str]
) -> Outcome:
    base = _base(begin, tools)
    release = Release.from_json(begin["release"])
    found = before_of(plan, tools.settings.several, release)
    if not any(step.undo for step in begun):
        cause = Failure(step="interrupted", cause=_STAYS if base.verb in HALF_WAY else _UNTOUCHED)
        return replace(base, status=Status.FAILED, reason=Reason.CANCELLED, failure=cause)
    killed = f"the run was killed after {begun[-1].name} had begun"
    if not gone_back and (rest := _rest(begun, plan)):
        old = comes_back(way_back(begun))
        facts = variables(replace(base, previous_version=old.version if old else ""), release)
        fault = Performer(tools, lease, variables=facts).perform(rest).fault
        if fault is None and base.verb is Verb.RESTORE:
            return replace(base, status=Status.PASSED, reason=Reason.PASSED)
        if fault is None:
            rows = host_results(found, release, _through(begun), Status.DEPLOYED)
            return replace(base, status=Status.DEPLOYED, reason=Reason.DEPLOYED, hosts=rows)
        if serving := _serving_from(begun):
            (before,) = begun[serving - 1].undo
            hint = f"{_WRITTEN} `restore --backup {before.args['backup']}`, which has the data from before"
            failure = Failure(step=begun[-1].name, cause=f"{killed}; {fault.message}", hint=hint)
            return replace(base, status=Status.PARTIAL, reason=Reason.DATA_UNVERIFIED, failure=failure)
    performer = Performer(tools, lease)
    back = performer.go_back(_still_to_undo(begun, gone_back))
    done = performer.done.hosts
    done.switched |= _through(begun).switched
    old = comes_back(way_back(begun))
    what = what_to_do(done, base.version, old.version if old else "")
    failure = Failure(step=begun[-1].name, cause=killed, hint=what or "run the release again")
    base = replace(
        base,
        schema=performer.done.schema,
        hosts=host_results(found, release, done, Status.PARTIAL),
    )
    if back is not None and back.proved and done.stays:
        return replace(
            base, status=Status.PARTIAL, reason=Reason.MIXED, failure=failure, rollback=back
        )
    if back is not None and back.proved:
        return replace(
            base, status=Status.ROLLED_BACK, reason=Reason.RECOVERED, failure=failure, rollback=back
        )
    return replace(
        base, status=Status.PARTIAL, reason=Reason.ROLLBACK_FAILED, failure=failure, rollback=back
    )


def _through(begun: Plan) -> HostsDone:
    """The hosts that an interrupted run had begun to switch."""
    return HostsDone(switched={host for step in begun if step.kind in CHANGING for host in step.hosts})


def _demand_hosts(tools: Tools, plan: Plan) -> None:
    """Raise ``StepFault`` (STATE) for a run on several hosts where deploy.yml names one by now."""
    hosts = {host: None for step in plan for host in step.hosts}
    if hosts and tools.fleet is None:
        raise StepFault(
            f"the interrupted run was at work on {some(hosts)}, and deploy.yml names one host now",
            hint="put the others back under `hosts:`, run finalize, and then take them out",
            reason=Reason.STATE,
        )


def _rest(begun: Plan, plan: Plan) -> Plan:
    """What is left to do for the release to stay; nothing when it has to go.

    A release that had passed its checks is proved again, and what may have been cut short is done too. One
    that was started on the data of a backup is brought to its end: people may have written since, and going
    back would lose that. There is no way back from here, so the steps come without one.
    """
    last_proof = max(number for number, step in enumerate(plan) if step.kind in BLAMING)
    if len(begun) - 1 > last_proof:
        first = last_proof
    elif serving := _serving_from(begun):
        first = serving
    else:
        return ()
    kept = (step for step in plan[last_proof + 1 :] if step.kind is StepKind.RETAIN)
    return tuple(replace(step, undo=()) for step in (*plan[first : last_proof + 1], *kept))


def _serving_from(begun: Plan) -> int:
    """The number of the step that let the application in to the data of a backup; 0 when none had begun."""
    kinds = [step.kind for step in begun]
    if StepKind.RESTORE_BACKUP not in kinds:
        return 0
    first = kinds.index(StepKind.RESTORE_BACKUP) + 1
    return first if first < len(begun) else 0


def _still_to_undo(begun: Plan, gone_back: frozenset[str]) -> Plan:
    """The way back, without what must not be done twice.

    Once the application was let in to the data from before, these are not brought back again.
    """
    undo = way_back(begun)
    for number, step in enumerate(undo):
        if step.kind is StepKind.START and step.name in gone_back:
            return undo[number:]
    return undo


def _base(begin: Entry, tools: Tools) -> Outcome:
    release: dict[str, Any] | None = begin["release"]
    images = Release.from_json(release).images if release else ()
    return Outcome(
        verb=Verb(begin["verb"]),
        status=Status.UNKNOWN,
        reason=Reason.CANCELLED,
        stack=tools.settings.stack,
        environment=tools.settings.environment,
        owner=tools.settings.place.owner,
        version=release["version"] if release else "",
        release_id=release["id"] if release else "",
        changes=tuple(Change(image=image) for image in images),
        started_at=begin.get("time", ""),
    )
