"""One verb at work: whatever happens, it ends in a full outcome."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ci_lib.domain.approval import Approval
from ci_lib.domain.errors import Cancelled, DeployError, Refusal
from ci_lib.domain.faults import as_fault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Failure, Mark, Outcome, objections
from ci_lib.domain.plan import Plan
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.domain.state import Lease
from ci_lib.engine.alarm import tell_of_failure
from ci_lib.engine.approvals import agreed, proved
from ci_lib.engine.begin import announce, begin, supported
from ci_lib.engine.close import Notes, close, end_journal
from ci_lib.engine.facts import variables
from ci_lib.engine.hosts import host_results
from ci_lib.engine.judge import described, judge
from ci_lib.engine.perform import Performed, Performer
from ci_lib.engine.recover import owed, recover
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Seal, Tools
from ci_lib.plan.ground import Ground
from ci_lib.ports.protocols import PortFault
from ci_lib.records import ledger, proofs
from ci_lib.records.bodies import stamp
from ci_lib.records.chain import Chain

_UNRECORDED = frozenset({Exit.USAGE, Exit.CANNOT_DECIDE, Exit.LOCKED, Exit.BUG})
"""Exits that leave no line in the ledger: nothing was decided, or the ledger is not to be had."""

_LOOKING = frozenset({Verb.PREFLIGHT, Verb.RESTORE_TEST, Verb.DRIFT})
"""Verbs that leave no line in the ledger, however they end."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One verb at work: the outcome so far, so that an error anywhere ends in a full one.

    ``inner``: a part of another run, which tells of a failure. ``before`` is what each of several hosts
    served, ``intent`` the id of the written intent; ``lease``, ``performer`` and ``facts`` are there once the
    journal is. ``chain`` is the ledger as it was when the lock had been taken, None where the run goes on
    without it.
    """

    request: Request
    tools: Tools
    inner: bool = False
    outcome: Outcome | None = None
    release: Release | None = None
    before: Mapping[str, Release | None] = field(default_factory=dict)
    started: float = 0.0
    intent: str = ""
    lease: Lease | None = None
    performer: Performer | None = None
    facts: Mapping[str, str] | None = None
    chain: Chain | None = None

    def guarded(self, body: Callable[["Run"], Outcome]) -> Outcome:
        """Run the verb; turn every fault and a cancellation into an outcome, and tell of a red one."""
        outcome = self._guarded(body)
        if outcome.green or outcome.reason is Reason.CANCELLED or self.facts is None or self.inner:
            return outcome
        with suppress(Cancelled):  # it has ended already, and its outcome stays what it is
            return tell_of_failure(self.tools, outcome, self.facts)
        return outcome

    def _guarded(self, body: Callable[["Run"], Outcome]) -> Outcome:
        tools = self.tools
        self.started = tools.clock.monotonic()
        self.outcome = Outcome(
            verb=self.request.verb,
            status=Status.UNKNOWN,
            reason=Reason.BUG,
            stack=tools.settings.stack,
            environment=tools.settings.environment,
            version=self.request.version,
            actor=tools.ci.actor,
            run_url=tools.ci.run_url,
            owner=tools.settings.place.owner,
            started_at=stamp(tools.clock.now()),
        )
        try:
            return self.timed(body(self))
        except Cancelled:
            return self.timed(self._cancelled())
        except DeployError as error:
            return self.timed(self._failed(error))
        except PortFault as fault:
            return self.timed(self._failed(as_fault(fault)))

    def timed(self, outcome: Outcome) -> Outcome:
        """The outcome with its duration."""
        return replace(outcome, seconds=self.tools.clock.monotonic() - self.started)

    @property
    def base(self) -> Outcome:
        """What is known about the run so far."""
        assert self.outcome is not None
        return self.outcome

    def cleared_up(self, lease: Lease) -> Chain | None:
        """Clear up after an interrupted run, and say so; returns the ledger as it is then.

        None where ``--last-good`` may go on without it; raises ``Refusal`` elsewhere.
        """
        self.chain = self._chain_or_none()
        recovered = recover(self.tools, lease, self.chain)
        if recovered is None:
            return self.chain
        what = f"an interrupted {recovered.verb} of {recovered.version} ended as {recovered.status}"
        self.outcome = replace(self.base, notes=(*self.base.notes, what))
        if self.chain is not None:
            self.chain = read_chain(self.tools)
        return self.chain

    def ledger_of(self, lease: Lease) -> Chain:
        """As ``cleared_up``, for a verb that needs the ledger."""
        chain = self.cleared_up(lease)
        assert chain is not None
        return chain

    def _chain_or_none(self) -> Chain | None:
        try:
            return read_chain(self.tools)
        except Refusal as refusal:
            if not self.request.last_good:
                raise
            note = f"the ledger cannot be used ({refusal.message}); going by the target's own memory"
            self.outcome = replace(self.base, notes=(*self.base.notes, note))
            self.tools.reporter.warn(note)
            return None

    def carry_out(self, lease: Lease, ground: Ground, plan: Plan, *, recorded: bool = True) -> Outcome:
        """Intent, steps, outcome."""
        tools = self.tools
        plan = supported(tools, plan)
        approvals = self._approved(ground, plan)
        seal = tools.seal() if self._verifies(ground) else None
        self.release = ground.release
        self.before = {host.name: host.previous for host in ground.hosts}
        if recorded:
            self._announce(ground, approvals)
        debts = owed(tools.state.journal())
        held = begin(
            tools, lease, self.base, intent=self.intent, release=ground.release, plan=plan, owed=debts
        )
        self.facts = variables(self.base, ground.release)
        self.lease = lease
        self.performer = Performer(
            tools, lease, held=held, candidate=ground.candidate, variables=self.facts
        )
        done = self.performer.perform(plan)
        outcome = self.timed(judge(self.base, ground, done))
        return close(
            tools,
            lease,
            outcome,
            release=ground.release,
            intent=self.intent,
            previous=ground.previous,
            notes=self._notes(outcome, done, ground, seal),
            owed=debts,
            withhold=not recorded,
            unless=ledger.has_end,
        )

    def _approved(self, ground: Ground, plan: Plan) -> tuple[Approval, ...]:
        """Describe the run, and find the approvals that it takes; raises ``Refusal`` where one is missing."""
        base, live = self.base, self._live_overrides(ground)
        # What a refusal shows: which digests somebody has to approve of.
        self.outcome = replace(described(base, self.request, ground, plan), overrides=live)
        found = tuple(proved(self.request, self.tools, self.chain, ground).values())
        self.request = agreed(self.request, found)
        self.outcome = described(base, self.request, ground, plan, live)
        return found

    def _notes(self, outcome: Outcome, done: Performed, ground: Ground, seal: Seal | None) -> Notes:
        request = self.request
        return Notes(
            forced=request.reason if request.force else "",
            skipped=request.told_skipped,
            bad=self._blamed(outcome, done),
            justified=request.justified,
            verified=self._verdict(outcome, done) if self._verifies(ground) else None,
            seal=seal,
        )

    def nothing_to_do(self, why: str) -> Outcome:
        """A green end without having touched anything."""
        return replace(
            self.base, status=Status.PASSED, reason=Reason.PASSED, notes=(*self.base.notes, why)
        )

    def judged(
        self, rows: tuple[CheckResult, ...], ground: Ground | None, reason: Reason = Reason.PREFLIGHT
    ) -> Outcome:
        """The end of a run that only looked; ``reason`` is why it is red when a row failed."""
        known = self.base if ground is None else described(self.base, self.request, ground, ())
        outcome = replace(known, checks=rows)
        failed = [row for row in rows if row.mark is Mark.FAILED]
        if not failed:
            return replace(outcome, status=Status.PASSED, reason=Reason.PASSED)
        failure = Failure(
            step=str(self.request.verb), cause=objections(failed), hint="nothing was changed"
        )
        return replace(outcome, status=Status.FAILED, reason=reason, failure=failure)

    def _announce(self, ground: Ground, approvals: tuple[Approval, ...]) -> None:
        """Record what is about to happen, and remember the intent's id."""
        written = announce(self.tools, self.request, ground, approvals)
        self.intent = written[-1].id
        self.outcome = replace(
            self.base,
            records=tuple(record.id for record in written),
            record_lines=tuple(record.raw for record in written),
            ledger_head=written[-1].line,
        )

    def _blamed(self, outcome: Outcome, done: Performed) -> bool:
        """Whether the release is to be remembered as bad; not for failing on other data, or to go away."""
        went = outcome.status is Status.ROLLED_BACK or self.request.rollback_on_failure
        own = not self.request.restores and self.request.verb is not Verb.TAKE_DOWN
        return done.to_blame and went and own

    def _live_overrides(self, ground: Ground) -> tuple[str, ...]:
        """What serves since somebody forced it in, for as long as nobody has verified it."""
        requires, here = self.tools.settings.place.requires, self.tools.settings.environment
        if self.chain is None or requires is None:
            return ()
        serving = filter(None, (ground.previous, *(host.previous for host in ground.hosts)))
        found = [proofs.overridden(self.chain, here, requires.environment, each) for each in serving]
        return tuple(
            f"{record.text('version')} was forced in at {record.text('time')} and is not verified yet:"
            f" {record.text('forced')}"
            for record in {record.id: record for record in found if record}.values()
        )

    def _verifies(self, ground: Ground) -> bool:
        """Whether the end of this run may be a verification: only where somebody asks for it."""
        settings, verb = self.tools.settings, self.request.verb
        if not settings.required_by or self.request.skip_checks or ground.revoked or not ground.whole:
            return False
        return verb in (Verb.DEPLOY, Verb.PROMOTE, Verb.POST_VERIFY)

    def _verdict(self, outcome: Outcome, done: Performed) -> bool | None:
        """The verdict to write; None when it is for another verb to say, or the release is not to blame."""
        settings, verb = self.tools.settings, self.request.verb
        if outcome.green:
            return True if verb is Verb.POST_VERIFY or not settings.settings.verify else None
        return False if done.to_blame else None

    def _cancelled(self) -> Outcome:
        """Nothing is undone now: there are seconds left, and the lease keeps others away."""
        failure = Failure(
            step="cancelled",
            cause="the run was cancelled",
            hint="`finalize` or the next run clears up from the journal on the target",
        )
        with suppress(Cancelled):  # a second signal: the journal is open and says enough
            end_journal(self.tools, self.lease, {"event": "cancelled"})
        return self._broken_off(Status.FAILED, Reason.CANCELLED, failure)

    def _broken_off(self, status: Status, reason: Reason, failure: Failure) -> Outcome:
        """The outcome of a run that stopped on its way; unknown once a step had changed something."""
        done = self.performer.done if self.performer else Performed()
        half_way = done.schema is not None and done.schema.after is None
        status = Status.UNKNOWN if done.changed or half_way else status
        steps, checks = tuple(done.steps), tuple(done.checks)
        return replace(
            self.base,
            status=status,
            reason=reason,
            failure=failure,
            steps=steps,
            checks=checks,
            schema=done.schema,
            hosts=host_results(self.before, self.release, done.hosts, status),
        )

    def _failed(self, error: DeployError) -> Outcome:
        gate = isinstance(error, Refusal) or error.reason is Reason.FORGE
        status = Status.REFUSED if gate else Status.FAILED
        failure = Failure(step=str(self.request.verb), cause=error.message, hint=error.hint)
        outcome = self._broken_off(status, error.reason, failure)
        if isinstance(error, Refusal):
            outcome = replace(outcome, rule=error.rows)
        # A journal that is open belongs to whoever clears up, and so does the record of this run.
        if self.performer is not None or self.request.verb in _LOOKING:
            return outcome
        if error.exit in _UNRECORDED and not self.intent:
            return outcome
        ended = ledger.has_end
        try:
            return close(self.tools, None, outcome, release=self.release, intent=self.intent, unless=ended)
        except Refusal:  # whoever took the lock over has recorded that it never began
            return outcome
