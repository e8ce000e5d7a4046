"""Doing a plan: one step after the other, journalled, and back again when one fails."""

import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ci_lib.domain.errors import ELSEWHERE, DeployError, Refusal, StepFault
from ci_lib.domain.faults import as_fault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark, Packet, Return, StepResult
from ci_lib.domain.plan import BLAMING, CHANGING, JOURNALLED, Plan, Step, StepKind, StepReport
from ci_lib.domain.reasons import Reason
from ci_lib.domain.schema import SchemaChange
from ci_lib.domain.state import Entry, Lease
from ci_lib.domain.target import Candidate
from ci_lib.engine.examine import Examiner
from ci_lib.engine.hosts import HostsDone, among, blamed, both
from ci_lib.engine.migrate import Migrator
from ci_lib.engine.tools import Tools
from ci_lib.ports.protocols import PortFault

LEASE = 360.0
"""Seconds that the lock is taken for, before the first step asks for more."""

LEASE_SLACK = 120.0
"""Seconds by which the lease outlives the time limit of the step that it was taken for.

Half of it must be left for another step: a command on the host may wait that long for the one before it.
"""


@dataclass(slots=True, kw_only=True)
class Performed:
    """How far a plan got; ``fault`` is why it stopped, ``back`` how the way back went."""

    steps: list[StepResult] = field(default_factory=list)
    preflight: list[CheckResult] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changed: bool = False
    failed: Step | None = None
    fault: DeployError | None = None
    back: Return | None = None
    packet: Packet | None = None
    schema: SchemaChange | None = None
    hosts: HostsDone = field(default_factory=HostsDone)

    @property
    def to_blame(self) -> bool:
        """Whether the release itself failed, and not something around it."""
        if self.failed is None or self.fault is None:
            return False
        return self.failed.kind in BLAMING and self.fault.reason not in ELSEWHERE


class Performer:
    """Performs plans under one lease.

    ``held`` is the moment, by our clock, until which the lease is known to be ours. ``candidate`` is what
    preflight looks at; ``variables`` are the facts for hooks and checks. ``done`` is how far it got, also
    when a cancellation or a lost lock ended it.
    """

    def __init__(
        self,
        tools: Tools,
        lease: Lease,
        *,
        held: float = 0.0,
        candidate: Candidate | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._tools = tools
        self._lease = lease
        self._held = held
        self._mute = False
        self._examiner = Examiner(tools, candidate, variables)
        self._migrator = Migrator(tools, self._note)
        self._steps = {**self._examiner.steps, **self._migrator.steps}
        self.done = Performed(preflight=self._examiner.preflight, checks=self._examiner.checks)

    def perform(self, plan: Plan) -> Performed:
        """Do the steps; on a failure undo the begun ones in reverse. Never raises for a failed step.

        Raises ``Refusal`` (LOST_LOCK) when another run took over: then nothing is undone either, since
        what runs is not ours any more.
        """
        begun: list[Step] = []
        proofs = [number for number, step in enumerate(plan) if step.kind in BLAMING]
        for number, step in enumerate(plan):
            # The first step after the last proof tells whoever clears up that the release has passed.
            passed = bool(proofs) and number == proofs[-1] + 1
            fault = self._attempt(step, {"event": "start", "step": number}, begun, told=passed)
            if fault is not None:
                self.done.failed, self.done.fault = step, fault
                self.done.packet = self._diagnosed() if self.done.changed else None
                failed = blamed(fault, step)
                self.done.hosts.failed |= failed
                if step.args.get("alone") and failed.keys() < set(step.hosts):
                    self._go_on_without(failed.keys(), plan, number, begun)
                else:
                    self.done.back = self.go_back(way_back(begun))
                break
        return self.done

    def _go_on_without(
        self, failed: Collection[str], plan: Plan, number: int, begun: Sequence[Step]
    ) -> None:
        """Hosts that failed go back, the others of their batch go on to its end; no other batch is begun."""
        undo, gone = way_back(begun), set(failed)
        self.done.back = self.go_back(among(undo, gone))
        for later, step in enumerate(plan[number + 1 :], start=number + 1):
            part = step.among(set(step.hosts) - gone)
            if part is None:
                return
            fault = self._attempt(part, {"event": "start", "step": later}, [], told=False)
            if fault is not None:
                failed = blamed(fault, part)
                self.done.hosts.failed |= failed
                gone |= failed.keys()
                self.done.back = both(self.done.back, self.go_back(among(undo, failed.keys())))
            if step.args.get("settles"):
                return

    def go_back(self, undo: Plan) -> Return | None:
        """Go a way back, until a step of it fails; None when there is none.

        Of several hosts, those on which a step fails are left where they are, and the others go on.
        """
        if not undo:
            return None
        self._tools.reporter.warn("going back to what ran before")
        hosts = {host: None for step in undo for host in step.hosts}
        self._examiner.begin_anew(tuple(hosts))
        before = len(self.done.steps)
        lost = self.done.hosts.lost
        causes: list[str] = []
        for whole in undo:
            step = whole.among(set(whole.hosts) - lost.keys())
            if step is None:
                continue
            fault = self._attempt(step, {"event": "undo", "step": step.name}, [], told=True)
            if fault is None:
                continue
            causes.append(f"{step.name}: {fault.message}")
            if not step.hosts:
                break
            lost |= blamed(fault, step)
        self.done.hosts.returned |= hosts.keys() - lost.keys()
        cause = "; ".join(causes)
        old = comes_back(undo)
        steps = tuple(self.done.steps[before:])
        del self.done.steps[before:]
        return Return(
            version=old.version if old else "",
            release_id=old.id if old else "",
            proved=not cause,
            steps=steps,
            cause=cause,
        )

    def _announce(self, step: Step, entry: Entry, begun: list[Step], *, told: bool) -> None:
        """Write the journal before a step; a step that cannot be announced is not done, nor undone.

        A line costs a round trip, so a step that recovery need not know of (neither changing nor ``told``)
        gets one only when the lease would end before it. Our clock proves nothing about the lease, since it
        stands still with a suspended machine: what a target changes on its host is fenced there. A hook's
        doings are not, so it is announced always.
        """
        now = self._tools.clock.monotonic()
        told = told or step.kind in JOURNALLED or step.kind is StepKind.HOOK
        if told or self._held < now + step.time_limit + LEASE_SLACK / 2:
            self._tell(step, entry)
        begun.append(step)
        self.done.changed = self.done.changed or step.kind in CHANGING
        if step.kind in CHANGING and entry["event"] == "start":
            self.done.hosts.switched.update(step.hosts)

    def _tell(self, step: Step, entry: Entry) -> None:
        """Write a line into the journal; other hosts' way back does not end with the host that keeps it.

        As long as the lease is known to hold nobody else can have taken over, and whoever clears up finds
        that these hosts are to go back, which they can do twice.
        """
        goes_on = entry["event"] == "undo" and step.hosts
        if goes_on and self._mute and self._held > self._tools.clock.monotonic() + step.time_limit:
            return
        try:
            self._note(step, entry)
        except PortFault as fault:
            if not goes_on or self._held < self._tools.clock.monotonic() + step.time_limit:
                raise
            self._mute = True
            self._tools.reporter.warn(f"going back without the journal: {fault}")

    def _note(self, step: Step, entry: Entry) -> None:
        """Write a line into the journal, and hold the lease for as long as the step may take."""
        seconds = step.time_limit + LEASE_SLACK
        self._tools.state.note(self._lease, entry, seconds=seconds)
        self._held = self._tools.clock.monotonic() + seconds

    def _attempt(
        self, step: Step, entry: Entry, begun: list[Step], *, told: bool
    ) -> DeployError | None:
        """Do one step and note how long it took; a failure that must not stop the run becomes a note."""
        reporter, clock = self._tools.reporter, self._tools.clock
        reporter.step(step.name)
        started = clock.monotonic()
        fault: DeployError | None = None
        report = StepReport()
        try:
            self._announce(step, entry, begun, told=told)
            report = self._steps.get(step.kind, self._tools.target.apply)(step)
        except Refusal:
            raise
        except DeployError as error:
            fault = error
        except PortFault as error:
            fault = as_fault(error)
        except Exception as error:
            # Even a defect of ours must not keep a half-made change from being undone.
            reporter.text(traceback.format_exc())
            fault = StepFault(
                f"a defect of deploy-actions: {type(error).__name__}: {error}",
                hint="please report it with the traceback in the log",
                reason=Reason.BUG,
            )
        finally:
            self.done.schema = self._migrator.change
        mark = Mark.FAILED if fault else Mark.SKIPPED if report.skipped else Mark.PASSED
        if fault is not None and not _must(step):
            self.done.notes.append(f"{step.name} failed: {fault.message}")
            mark, fault = Mark.WARNED, None
        result = StepResult(
            name=step.name, mark=mark, seconds=clock.monotonic() - started, notes=report.notes
        )
        self.done.steps.append(result)
        self.done.notes.extend(report.notes)
        reporter.step_done(result)
        return fault

    def _diagnosed(self) -> Packet | None:
        """The failure packet; whatever goes wrong with it, the way back matters more."""
        try:
            return self._tools.target.diagnose()
        except Exception as error:
            self.done.notes.append(f"the failure packet could not be had: {type(error).__name__}: {error}")
            return None


def way_back(begun: Sequence[Step]) -> Plan:
    """What undoes the steps that have begun, the last one first, as far back as the last one that settles."""
    settled = [number for number, step in enumerate(begun[:-1]) if step.args.get("settles")]
    open_ones = begun[settled[-1] + 1 :] if settled else begun
    return tuple(step for forward in reversed(open_ones) for step in forward.undo)


def comes_back(undo: Plan) -> Release | None:
    """The release that a way back leads to; None when it leads to nothing."""
    return next((step.release for step in undo if step.kind in (StepKind.RESTORE, StepKind.START)), None)


def _must(step: Step) -> bool:
    """Whether the step's failure is the run's failure; a release that was proved stays."""
    if step.kind is StepKind.HOOK:
        return bool(step.args["must"])
    return step.kind is not StepKind.RETAIN
