"""What a run works with: the request, and the collaborators that the wiring built."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_lib.config.resolved import Resolved
from ci_lib.domain.approval import Approval, Demand
from ci_lib.domain.backups import Backups
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.forge import RunState
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.reporter import Reporter
from ci_lib.domain.state import State
from ci_lib.domain.store import Store
from ci_lib.domain.target import Fleet, Target
from ci_lib.ports.protocols import Clock, Ran
from ci_lib.records.bodies import Frame
from ci_lib.records.trust import Trust, Trusts

Variables = Mapping[str, str]

Seal = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes a signed body of the body of a verification."""


def _unsigned() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for.

    ``version`` is a tag, or for a rollback anything that ``--list`` shows; ``images`` maps names to
    references; ``only`` narrows to some images. ``force`` is the version or digest that may run although
    the rule says no. ``schema`` is what a rollback does about the schema: ``keep``, ``down``, or empty for
    what the policy says. ``backup`` is the one whose data are put back, or tried. ``lock_owner`` is the run
    whose lock is to be released. ``skip_checks``, ``schema`` ``down``, ``backup`` and taking production down
    need ``reason`` and ``approver``, ``force`` needs ``reason``. ``plan_hash`` is the hash of the plan that
    somebody approved, empty where none is demanded.
    """

    verb: Verb
    version: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    last_good: bool = False
    force: str = ""
    reason: str = ""
    approver: str = ""
    skip_checks: bool = False
    rollback_on_failure: bool = False
    schema: str = ""
    lock_wait: float = 0.0
    backup: str = ""
    plan_hash: str = ""
    lock_owner: str = ""

    @property
    def told_skipped(self) -> str:
        """What the records say of checks that were skipped; empty when they were run."""
        return f"{self.reason} (approved by {self.approver})" if self.skip_checks else ""

    @property
    def restores(self) -> bool:
        """Whether the data of a backup are put back."""
        return bool(self.backup) and self.verb is not Verb.RESTORE_TEST

    @property
    def justified(self) -> dict[str, str]:
        """What the records say of why data are put back, or a stack taken down, and who agreed to it."""
        if self.restores:
            return {"backup": self.backup, "reason": self.reason, "approver": self.approver}
        told = {"reason": self.reason, "approver": self.approver} if self.verb is Verb.TAKE_DOWN else {}
        return {key: text for key, text in told.items() if text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The collaborators of one run.

    ``digest`` asks a registry (name of the image, reference) → digest. ``check`` runs groups of checks with
    the release's facts. ``listed`` looks at what the stack's ``release:`` demands, for a release with these
    facts. ``hook`` runs a script of the team on the runner. ``run_state`` tells whether the owner of a lock
    still goes on. ``redact`` masks secrets in a text.
    ``backups`` is None for a target that makes none. ``trust`` says whose verifications count; it raises
    ``Refusal`` (CANNOT_DECIDE) where that cannot be known. ``seal`` signs the verifications of this
    environment, None where they are not signed; it raises ``ConfigFault`` when the key is not there.
    ``demand`` is what the policy wants proved of those who open gates here; ``agreed`` are the approvals that
    stand outside of the ledger: files of the checkout, reviews of this run.

    ``fleet`` is ``target`` host by host where the environment has several, else None. Then ``check_on`` takes
    the place of ``check``: it runs what looks from the host of that name, and for an empty name what looks
    from the runner.
    """

    settings: Resolved
    ci: CiFacts
    target: Target
    state: State
    store: Store
    clock: Clock
    reporter: Reporter
    digest: Callable[[str, Reference], str]
    check: Callable[[tuple[str, ...], Variables], tuple[CheckResult, ...]]
    listed: Callable[[Variables], tuple[CheckResult, ...]]
    hook: Callable[[tuple[str, ...], Variables, float], Ran]
    run_state: Callable[[str], RunState]
    redact: Callable[[str], str]
    backups: Backups | None = None
    trust: Callable[[], Trust | Trusts] = Trusts
    seal: Callable[[], Seal | None] = _unsigned
    demand: Demand = field(default_factory=Demand)
    agreed: Callable[[], Iterable[Approval]] = tuple
    fleet: Fleet | None = None
    check_on: Callable[[str, tuple[str, ...], Variables], tuple[CheckResult, ...]] | None = None

    def ended(self, owner: str) -> bool:
        """Whether the owner of a lock is known to be dead; False when that cannot be known."""
        return self.run_state(owner) is RunState.ENDED

    @property
    def frame(self) -> Frame:
        """What every record of this run has in common."""
        settings = self.settings
        return Frame(
            stack=settings.stack,
            environment=settings.environment,
            hosts=settings.place.hosts,
            config_hash=settings.config_hash,
            facts=self.ci,
            redact=self.redact,
        )
