"""One verb at work: whatever happens, it ends in a full outcome."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ci_lib.domain.errors import Cancelled, ConfigFault, DeployError, Refusal
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Failure, Mark, Outcome
from ci_lib.domain.plan import CHANGING, ENGINE_KINDS, Plan
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.domain.state import Lease
from ci_lib.engine.close import Notes, close
from ci_lib.engine.facts import variables
from ci_lib.engine.judge import described, judge
from ci_lib.engine.perform import LEASE_SLACK, Performer, as_fault
from ci_lib.engine.survey import read_chain
from ci_lib.engine.tools import Request, Tools
from ci_lib.plan.ground import Ground
from ci_lib.ports.protocols import PortFault
from ci_lib.records.bodies import stamp
from ci_lib.records.chain import Chain

_UNRECORDED = frozenset({Exit.USAGE, Exit.CANNOT_DECIDE, Exit.LOCKED, Exit.BUG})
"""Exits that leave no line in the ledger: nothing was decided, or the ledger is not to be had."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One verb at work: the outcome so far, so that an error anywhere ends in a full one."""

    request: Request
    tools: Tools
    outcome: Outcome | None = None
    release: Release | None = None
    changing: bool = False
    started: float = 0.0

    def guarded(self, body: Callable[["Run"], Outcome]) -> Outcome:
        """Run the verb; turn every fault and a cancellation into an outcome."""
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

    def note_recovery(self, recovered: Outcome | None) -> None:
        """Say in this run's outcome what was cleared up before it."""
        if recovered is not None:
            what = f"an interrupted {recovered.verb} of {recovered.version} ended as {recovered.status}"
            self.outcome = replace(self.base, notes=(*self.base.notes, what))

    def chain_or_none(self) -> Chain | None:
        """The ledger; None where ``--last-good`` may go on without it."""
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
        tools, request = self.tools, self.request
        self._demand_support(plan)
        self.release = ground.release
        self.outcome = described(self.base, request, ground, plan)
        intent = self._announce(ground) if recorded else ""
        self._begin(lease, ground, plan, intent)
        self.changing = any(step.kind in CHANGING for step in plan)
        facts = variables(self.base, ground)
        done = Performer(tools, lease, candidate=ground.candidate, variables=facts).perform(plan)
        outcome = self._on_failure(self.timed(judge(self.base, ground, done)), facts)
        notes = Notes(
            forced=request.reason if request.force else "",
            skipped=f"{request.reason} (approved by {request.approver})" if request.skip_checks else "",
            bad=done.to_blame and (outcome.status is Status.ROLLED_BACK or request.rollback_on_failure),
            verified=self._verdict(outcome),
        )
        return close(
            tools,
            lease,
            outcome,
            release=ground.release,
            intent=intent,
            previous=ground.previous,
            notes=notes,
        )

    def nothing_to_do(self, why: str) -> Outcome:
        """A green end without having touched anything."""
        return replace(
            self.base, status=Status.PASSED, reason=Reason.PASSED, notes=(*self.base.notes, why)
        )

    def judged(self, rows: tuple[CheckResult, ...], ground: Ground) -> Outcome:
        """The end of a run that only looked."""
        outcome = replace(described(self.base, self.request, ground, ()), checks=rows)
        failed = [row for row in rows if row.mark is Mark.FAILED]
        if not failed:
            return replace(outcome, status=Status.PASSED, reason=Reason.PASSED)
        cause = "; ".join(f"{row.name}: {row.value}, wanted {row.bound}" for row in failed)
        failure = Failure(step=str(self.request.verb), cause=cause, hint="nothing was changed")
        return replace(outcome, status=Status.FAILED, reason=Reason.PREFLIGHT, failure=failure)

    def _demand_support(self, plan: Plan) -> None:
        supported = self.tools.target.supports | ENGINE_KINDS
        lacking = sorted({str(step.kind) for step in plan if step.kind not in supported})
        if lacking:
            raise ConfigFault(
                f"target {self.tools.settings.target} cannot do: {', '.join(lacking)}",
                hint="take that part out of the stack's settings, or use another target",
            )

    def _announce(self, ground: Ground) -> str:
        """Record what was found running, if it is new to us, and the intent; returns the intent's id."""
        tools, request = self.tools, self.request
        bodies = []
        now = tools.clock.now()
        if ground.adopted is not None:
            bodies.append(tools.frame.adopted(now, ground.adopted))
        forced = request.reason if request.force else ""
        bodies.append(tools.frame.intent(request.verb, now, ground.release, ground.previous, forced))
        written = [tools.store.append(tools.settings.stack, body) for body in bodies]
        self.outcome = replace(
            self.base,
            records=tuple(record.id for record in written),
            record_lines=tuple(record.raw for record in written),
            ledger_head=written[-1].line,
        )
        return written[-1].id

    def _begin(self, lease: Lease, ground: Ground, plan: Plan, intent: str) -> None:
        entry = {
            "event": "begin",
            "intent": intent,
            "verb": str(self.request.verb),
            "time": self.base.started_at,
            "release": ground.release.as_json(),
            "plan": [step.as_json() for step in plan],
        }
        self.tools.state.begin(lease, entry, seconds=LEASE_SLACK)

    def _verdict(self, outcome: Outcome) -> bool | None:
        """Whether to write a verification, and which: only where somebody asks for it."""
        settings, verb = self.tools.settings, self.request.verb
        if not settings.required_by or self.request.skip_checks:
            return None
        if verb is Verb.POST_VERIFY:
            return outcome.green if outcome.green or outcome.reason is Reason.CHECKS else None
        if verb not in (Verb.DEPLOY, Verb.PROMOTE):
            return None
        if outcome.green:
            return None if settings.settings.verify else True
        return False if outcome.rollback is not None else None

    def _on_failure(self, outcome: Outcome, facts: dict[str, str]) -> Outcome:
        """Run the team's ``on_failure`` scripts; they cannot make it worse, nor better."""
        if outcome.green:
            return outcome
        hooks = self.tools.settings.settings.hooks
        told = facts | {
            "DEPLOY_STATUS": str(outcome.status),
            "DEPLOY_FAILURE": outcome.failure.cause if outcome.failure else "",
        }
        notes = []
        for command in hooks.on_failure:
            try:
                ran = self.tools.hook(command, told, self.tools.settings.settings.limits.hook)
                failed = "" if ran.ok else f"exited {ran.code}: {ran.said}"
            except PortFault as fault:
                failed = str(fault)
            if failed:
                notes.append(f"hook on_failure {command[0]!r} {failed}")
        return replace(outcome, notes=(*outcome.notes, *notes))

    def _cancelled(self) -> Outcome:
        """Nothing is undone now: there are seconds left, and the lease keeps others away."""
        failure = Failure(
            step="cancelled",
            cause="the run was cancelled",
            hint="`finalize` or the next run clears up from the journal on the target",
        )
        status = Status.UNKNOWN if self.changing else Status.FAILED
        return replace(self.base, status=status, reason=Reason.CANCELLED, failure=failure)

    def _failed(self, error: DeployError) -> Outcome:
        refused = isinstance(error, Refusal)
        outcome = replace(
            self.base,
            status=Status.REFUSED if refused else Status.FAILED,
            reason=error.reason,
            failure=Failure(step=str(self.request.verb), cause=error.message, hint=error.hint),
        )
        if error.exit in _UNRECORDED:
            return outcome
        return close(self.tools, None, outcome, release=self.release)
