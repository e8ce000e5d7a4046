"""Whether somebody else has agreed: the gates that a run opens, and the approvals that fit them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ci_lib.domain.approval import LONGEST, MIN_REASON, Approval, Gate, same_person
from ci_lib.domain.errors import Refusal
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.engine.schema import DOWN
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.ground import Ground
from ci_lib.records import approvals as recorded
from ci_lib.records.chain import Chain

_SKEW = timedelta(minutes=5)


def opened(request: Request, tools: Tools) -> tuple[Gate, ...]:
    """The gates that a request opens."""
    gates = {
        Gate.FORCE: bool(request.force),
        Gate.SKIP_CHECKS: request.skip_checks,
        Gate.SCHEMA: request.schema == DOWN,
        Gate.BACKUP: bool(request.backup),
        Gate.TAKE_DOWN: takes_agreement(request, tools),
    }
    return tuple(gate for gate, given in gates.items() if given)


def takes_agreement(request: Request, tools: Tools) -> bool:
    """Whether a stack is taken down where that takes somebody else: in production, or as a policy says.

    The tier stands in deploy.yml, which a policy does not trust.
    """
    held = tools.settings.place.tier == "production" or Gate.TAKE_DOWN in tools.demand.gates
    return held and request.verb is Verb.TAKE_DOWN


def proved(
    request: Request, tools: Tools, chain: Chain | None, ground: Ground
) -> Mapping[Gate, Approval]:
    """The approval of each gate that this run opens and that the policy wants proved.

    Raises ``Refusal`` (POLICY) with a row for each approval that was found and does not fit, CANNOT_DECIDE
    where there is no ledger to say whether one was used before.
    """
    wanted = [gate for gate in opened(request, tools) if gate in tools.demand.gates]
    if not wanted:
        return {}
    if chain is None:
        raise Refusal(
            f"without the ledger nobody can tell whether the approval of {wanted[0].called} was used before",
            hint=f"run it without {wanted[0].called}",
            reason=Reason.CANNOT_DECIDE,
        )
    known = tuple(_found(tools, chain))
    return {gate: _fitting(gate, request, tools, chain, ground, known) for gate in wanted}


def agreed(request: Request, approvals: Iterable[Approval]) -> Request:
    """The request with those who really approved, whatever name was typed."""
    names = dict.fromkeys(approval.approver for approval in approvals)
    return replace(request, approver=", ".join(names)) if names else request


def signed_off(tools: Tools, environment: str) -> Iterator[Approval]:
    """Who agreed, by a file or by a review of this run, that what an environment verified may go on."""
    for approval in tools.agreed():
        if approval.flaw or approval.source not in tools.demand.by:
            continue
        ended = approval.until is not None and tools.clock.now() >= approval.until
        own = any(same_person(approval.approver, person) for person in tools.ci.people)
        told = approval.gate is Gate.SIGN_OFF and approval.environment == environment and not ended
        if told or (approval.gate is None and not own):
            yield approval


def _found(tools: Tools, chain: Chain) -> Iterable[Approval]:
    yield from recorded.approvals(chain, tools.settings.environment)
    yield from tools.agreed()


def _fitting(
    gate: Gate, request: Request, tools: Tools, chain: Chain, ground: Ground, known: tuple[Approval, ...]
) -> Approval:
    digests = (image.digest for image in ground.changed)
    subjects = frozenset({request.backup} if gate is Gate.BACKUP else digests)
    rows = []
    for approval in known:
        objections = [*_objections(approval, gate, subjects, tools), *_spent(approval, chain)]
        if not objections:
            return approval
        name = f"{gate.called}: {approval.source} of {approval.approver}, {approval.where}"
        bound = "for this, by somebody else, in time, not used yet"
        rows.append(CheckResult(name=name, mark=Mark.FAILED, value="; ".join(objections), bound=bound))
    said = f": {rows[0].value}" if rows else ""
    ways = ", or ".join(sorted(str(source) for source in tools.demand.by))
    raise Refusal(
        f"{gate.called} needs an approval that is proved, and there is none that fits{said}",
        hint=f"somebody else approves it with `approve --gate {gate}`; the policy believes: {ways}",
        reason=Reason.POLICY,
        rows=tuple(rows),
    )


def _objections(
    approval: Approval, gate: Gate, subjects: frozenset[str], tools: Tools
) -> Iterator[str]:
    """Everything that speaks against an approval."""
    if approval.source not in tools.demand.by:
        yield f"the policy does not take a {approval.source}"
    if approval.flaw:
        yield approval.flaw
    if any(same_person(approval.approver, person) for person in tools.ci.people):
        yield f"{approval.approver} is the one who runs this"
    if approval.gate is None:  # bound to this very run, which its giver has seen
        return
    if approval.gate is not gate:
        yield f"it is for {approval.gate}"
    elif not subjects <= approval.subjects:
        yield "it is for another release, or not for all of this one"
    if len(approval.reason.strip()) < MIN_REASON:
        yield f"its reason has fewer than {MIN_REASON} characters"
    yield from _untimely(approval, tools.clock.now())


def _untimely(approval: Approval, now: datetime) -> Iterator[str]:
    if approval.at is None or approval.until is None:
        yield "it does not say when it ends"
    elif now >= approval.until:
        yield f"it ended at {approval.until:%Y-%m-%d %H:%M} UTC"
    elif approval.at > now + _SKEW:
        yield "it is dated in the future"
    elif approval.until - approval.at > LONGEST:
        yield "it is good for longer than a day"


def _spent(approval: Approval, chain: Chain) -> Iterator[str]:
    used = recorded.used_by(chain, approval.id)
    if used is not None and approval.gate is not None:
        yield f"it was used at {used.text('time')} by {used.text('actor')}"
