"""How an interrupted run ends: it changed nothing, what it brought stays, or what ran before comes back.

The journal on the target is the only truth about its progress.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from ci_lib.domain.errors import DeployError, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Change, Failure, HostResult, Outcome
from ci_lib.domain.plan import BLAMING, CHANGING, Plan, Step, StepKind, some
from ci_lib.domain.reasons import HALF_WAY, Reason, Status, Verb
from ci_lib.domain.state import Entry, Lease
from ci_lib.engine.facts import variables
from ci_lib.engine.hosts import HostsDone, before_of, host_results, what_to_do
from ci_lib.engine.interrupted import with_schema
from ci_lib.engine.perform import Performer, comes_back, way_back
from ci_lib.engine.tools import Tools

_UNTOUCHED = "the run was killed before the switch; nothing was changed"
_STAYS = "the run was killed; what it had done stays, and another one goes on"
_WRITTEN = "look at the application and its data: go on with them, or"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """A run as its journal tells it: what was planned, what of it had begun, and what had gone back again.

    ``old`` is the release that ran before, None where nothing did, or nothing had been changed yet.
    """

    release: Release
    plan: Plan
    begun: Plan
    gone_back: frozenset[str]
    base: Outcome
    old: Release | None

    @classmethod
    def read(cls, tools: Tools, entries: tuple[Entry, ...]) -> Self:
        """Read the journal; raises ``StepFault`` (STATE) when it cannot be."""
        begin = entries[0]
        plan = _plan(begin)
        started = max((entry["step"] for entry in entries if entry["event"] == "start"), default=-1)
        begun = plan[: started + 1]
        old = comes_back(way_back(begun))
        return cls(
            release=Release.from_json(begin["release"]),
            plan=plan,
            begun=begun,
            gone_back=frozenset(entry["step"] for entry in entries if entry["event"] == "undo"),
            base=known(tools, begin, old),
            old=old,
        )

    @property
    def cause(self) -> str:
        """Why it ended, in words."""
        return f"the run was killed after {self.begun[-1].name} had begun"

    @property
    def switched(self) -> HostsDone:
        """The hosts that it had begun to switch."""
        hosts = {host for step in self.begun if step.kind in CHANGING for host in step.hosts}
        return HostsDone(switched=hosts)

    def hosts(self, tools: Tools, done: HostsDone, status: Status) -> tuple[HostResult, ...]:
        """A row for each of several hosts."""
        hosts = dict.fromkeys(host for step in self.plan for host in step.hosts)
        every = hosts if self.base.verb is Verb.TAKE_DOWN else tools.settings.several
        before = before_of(self.plan, every, self.release)
        return host_results(before, self.release, done, status)


def known(tools: Tools, begin: Entry, old: Release | None = None) -> Outcome:
    """What the first line of a journal, or an intent, says of its run; ``old`` is what had run before."""
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
        previous_version=old.version if old else "",
        changes=tuple(
            Change(image=image, previous_digest=before.digest if before else "")
            for image in images
            for before in (old.image(image.name) if old else None,)
        ),
        started_at=begin.get("time", ""),
    )


def concluded(tools: Tools, lease: Lease, entries: tuple[Entry, ...]) -> Outcome:
    """Bring the run of a journal to its end, and say how it ended.

    Raises ``StepFault`` (STATE) when the journal cannot be read, or deploy.yml does not name its hosts.
    """
    cut = _Cut.read(tools, entries)
    _demand_hosts(tools, cut.plan)
    return with_schema(tools, lease, _ended(tools, lease, cut), entries, cut.begun)


def _ended(tools: Tools, lease: Lease, cut: _Cut) -> Outcome:
    if not any(step.undo for step in cut.begun):
        cause = _STAYS if cut.base.verb in HALF_WAY else _UNTOUCHED
        failure = Failure(step="interrupted", cause=cause)
        return replace(cut.base, status=Status.FAILED, reason=Reason.CANCELLED, failure=failure)
    if not cut.gone_back and (rest := _rest(cut.begun, cut.plan)):
        facts = variables(cut.base, cut.release)
        fault = Performer(tools, lease, variables=facts).perform(rest).fault
        if fault is None:
            return _stays(tools, cut)
        if serving := _serving_from(cut.begun):
            return _unproved(cut, serving, fault)
    return _back(tools, lease, cut)


def _stays(tools: Tools, cut: _Cut) -> Outcome:
    """What it had brought was proved again."""
    if cut.base.verb is Verb.RESTORE:
        return replace(cut.base, status=Status.PASSED, reason=Reason.PASSED)
    rows = cut.hosts(tools, cut.switched, Status.DEPLOYED)
    return replace(cut.base, status=Status.DEPLOYED, reason=Reason.DEPLOYED, hosts=rows)


def _unproved(cut: _Cut, serving: int, fault: DeployError) -> Outcome:
    """People may have written into the data of a backup since, and what serves them is not proved."""
    (before,) = cut.begun[serving - 1].undo
    hint = f"{_WRITTEN} `restore --backup {before.args['backup']}`, which has the data from before"
    failure = Failure(step=cut.begun[-1].name, cause=f"{cut.cause}; {fault.message}", hint=hint)
    return replace(cut.base, status=Status.PARTIAL, reason=Reason.DATA_UNVERIFIED, failure=failure)


def _back(tools: Tools, lease: Lease, cut: _Cut) -> Outcome:
    """What ran before comes back."""
    performer = Performer(tools, lease)
    back = performer.go_back(_still_to_undo(cut))
    done = performer.done.hosts
    done.switched |= cut.switched.switched
    what = what_to_do(done, cut.base.version, cut.old.version if cut.old else "")
    status, reason = Status.PARTIAL, Reason.ROLLBACK_FAILED
    if back is not None and back.proved:
        ends = (Status.PARTIAL, Reason.MIXED) if done.stays else (Status.ROLLED_BACK, Reason.RECOVERED)
        status, reason = ends
    return replace(
        cut.base,
        status=status,
        reason=reason,
        failure=Failure(step=cut.begun[-1].name, cause=cut.cause, hint=what or "run it again"),
        rollback=back,
        schema=performer.done.schema,
        hosts=cut.hosts(tools, done, Status.PARTIAL),
    )


def _plan(begin: Entry) -> Plan:
    try:
        return tuple(Step.from_json(step) for step in begin["plan"])
    except (KeyError, TypeError, ValueError) as error:
        raise StepFault(
            f"the journal of the interrupted run cannot be read: {error}",
            hint="another version of deploy-actions wrote it: run that one's finalize, then this one",
            reason=Reason.STATE,
        ) from error


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


def _still_to_undo(cut: _Cut) -> Plan:
    """The way back, without what must not be done twice.

    Once the application was let in to the data from before, these are not brought back again.
    """
    undo = way_back(cut.begun)
    for number, step in enumerate(undo):
        if step.kind is StepKind.START and step.name in cut.gone_back:
            return undo[number:]
    return undo
