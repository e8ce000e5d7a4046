"""Releasing the lock of a run that does not give it back itself."""

from dataclasses import replace

from ci_lib.domain.approval import MIN_REASON, same_person
from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.forge import RunState
from ci_lib.domain.outcome import Failure, Outcome
from ci_lib.domain.reasons import Reason, Status
from ci_lib.domain.state import Lease
from ci_lib.engine.close import Notes, close
from ci_lib.engine.lock import instead_of
from ci_lib.engine.recover import unfinished
from ci_lib.engine.run import Run
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Tools

_STATUS = "see `lock status`"


def unlock(request: Request, tools: Tools) -> Outcome:
    """Release the lock that the named owner holds, and record who did that, and why.

    The lock is taken over and given back, so that the fencing number moves: should that run be alive after
    all, it changes nothing any more. Its journal is left as it is: the next run, or `finalize`, clears up.
    """

    def body(run: Run) -> Outcome:
        check_unlock(request, tools)
        held = tools.state.peek()
        if held is None:
            return run.nothing_to_do("the lock was free already")
        state = admit_unlock(request, tools, held)
        read_chain(tools)  # where nothing can be recorded, nothing is released
        with instead_of(tools, held):
            return _recorded(run, held, state)

    return Run(request=request, tools=tools).guarded(body)


def check_unlock(request: Request, tools: Tools) -> None:
    """Refuse what names no owner, gives no reason, or approves of itself; raises ``UsageFault``."""
    if not request.lock_owner.strip():
        raise UsageFault("no --owner was named", hint=f"name the run whose lock you mean; {_STATUS}")
    if len(request.reason.strip()) < MIN_REASON:
        raise UsageFault(
            "lock release needs a reason",
            hint=f'add --reason "…" with at least {MIN_REASON} characters; it is recorded and shown',
        )
    if any(same_person(request.approver, person) for person in tools.ci.people):
        raise UsageFault(f"--approver {request.approver} is the one who runs this", hint="name somebody else")


def admit_unlock(request: Request, tools: Tools, held: Lease) -> RunState:
    """What is known of the holder, if its lock may be released; raises ``Refusal``.

    LOCKED for another holder than the one that was named, and for one that is alive. POLICY where nothing
    is known of it and nobody else approves: stopping a run half-way is worse than waiting for its lease.
    """
    if held.owner != request.lock_owner:
        raise Refusal(
            f"the lock is held by {held.owner}, and not by {request.lock_owner}",
            hint=f"{_STATUS}: it may have changed hands since you looked",
            reason=Reason.LOCKED,
        )
    state = tools.run_state(held.owner)
    if state is RunState.ALIVE:
        raise Refusal(
            f"{held.owner} holds the lock and is at work",
            hint="wait for it, or cancel it where it runs; `finalize` clears up then",
            reason=Reason.LOCKED,
        )
    if state is RunState.UNKNOWN and not request.approver.strip():
        raise Refusal(
            f"whether {held.owner} is still at work cannot be told from here",
            hint="look at that run; if it is dead, add --approver NAME, somebody who agrees. Or wait: "
            "its lock ends by itself, and `lock status` says when",
            reason=Reason.POLICY,
        )
    return state


def _recorded(run: Run, held: Lease, state: RunState) -> Outcome:
    request, tools = run.request, run.tools
    reason = tools.redact(request.reason)
    approved = f" (approved by {request.approver})" if request.approver else ""
    notes = [f"the lock of {held.owner} was released: its run is {state}"]
    if unfinished(tools.state.journal()):
        notes.append("the next run, or `finalize`, clears up what that run began")
    outcome = replace(
        run.base,
        status=Status.PASSED,
        reason=Reason.PASSED,
        overrides=(f"lock of {held.owner} released: {reason}{approved}",),
        notes=(*run.base.notes, *notes),
    )
    facts = {"lock_owner": held.owner, "lock_run": str(state), "reason": request.reason}
    facts |= {"approver": request.approver} if request.approver else {}
    ended = close(tools, None, run.timed(outcome), release=None, notes=Notes(unlocked=facts))
    if ended.records:
        return ended
    failure = Failure(
        step="record",
        cause="the lock was released, and the ledger could not be written",
        hint="note down who released it, and why; then see what keeps the ledger from being written",
    )
    return replace(ended, reason=Reason.RECORD, failure=failure)
