"""The beginning of a run: the intent goes into the ledger, the plan into the journal, in that order."""

from collections.abc import Sequence

from ci_lib.domain.approval import Approval
from ci_lib.domain.errors import ConfigFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.plan import ENGINE_KINDS, OPTIONAL, Plan
from ci_lib.domain.state import Entry, Lease
from ci_lib.domain.store import Record
from ci_lib.engine.perform import LEASE
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.ground import Ground


def supported(tools: Tools, plan: Plan) -> Plan:
    """The plan without the optional steps that the target has no use for.

    Raises ``ConfigFault`` for any other step that it cannot do.
    """
    known = tools.target.supports | ENGINE_KINDS
    kept = tuple(step for step in plan if step.kind in known or step.kind not in OPTIONAL)
    every = [*kept, *(undo for step in kept for undo in step.undo)]
    lacking = sorted({str(step.kind) for step in every if step.kind not in known})
    if lacking:
        several = f" on {len(tools.settings.several)} hosts" if tools.settings.several else ""
        raise ConfigFault(
            f"target {tools.settings.target} cannot do{several}: {', '.join(lacking)}",
            hint="take that part out of the stack's settings, or use another target",
        )
    return kept


def announce(
    tools: Tools, request: Request, ground: Ground, approvals: tuple[Approval, ...] = ()
) -> tuple[Record, ...]:
    """Record the intent, and before it what was found running, if that is new to us; the intent is last.

    The intent uses ``approvals`` up: whoever comes next finds them in it.
    """
    now = tools.clock.now()
    bodies = [] if ground.adopted is None else [tools.frame.adopted(now, ground.adopted)]
    forced = request.reason if request.force else ""
    skipped = request.told_skipped
    intent = tools.frame.intent(request.verb, now, ground.release, ground.previous, forced, skipped)
    used = {"approvals": [approval.as_json() for approval in approvals]} if approvals else {}
    bodies.append(intent | {key: tools.redact(text) for key, text in request.justified.items()} | used)
    return tools.store.append(tools.settings.stack, *bodies)


def begin(
    tools: Tools,
    lease: Lease,
    outcome: Outcome,
    *,
    intent: str,
    release: Release,
    plan: Plan,
    owed: Sequence[Entry],
) -> float:
    """Begin the journal; returns the moment, by our clock, until which the lease is ours at least.

    ``outcome`` says which run this is, ``owed`` are records that an earlier one could not write.
    """
    entry = {
        "event": "begin",
        "owner": lease.owner,
        "intent": intent,
        "owed": list(owed),
        "verb": str(outcome.verb),
        "time": outcome.started_at,
        "release": release.as_json(),
        "plan": [step.as_json() for step in plan],
    }
    now = tools.clock.monotonic()
    tools.state.begin(lease, entry, seconds=LEASE)
    return now + LEASE
