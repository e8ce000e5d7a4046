"""What a run works with: the request, and the collaborators that the wiring built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ci_lib.config.resolved import Resolved
from ci_lib.domain.backups import Backups
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.images import Reference
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.reporter import Reporter
from ci_lib.domain.state import State
from ci_lib.domain.store import Store
from ci_lib.domain.target import Fleet, Target
from ci_lib.ports.protocols import Clock, Ran
from ci_lib.records.bodies import Frame

Variables = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked for.

    ``version`` is a tag, or for a rollback anything that ``--list`` shows; ``images`` maps names to
    references; ``only`` narrows to some images. ``force`` is the version or digest that may run although
    the rule says no. ``schema`` is what a rollback does about the schema: ``keep``, ``down``, or empty for
    what the policy says. ``backup`` is the one whose data are put back, or tried. ``skip_checks``, ``schema``
    ``down`` and ``backup`` need ``reason`` and ``approver``, ``force`` needs ``reason``.
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

    @property
    def restored(self) -> dict[str, str]:
        """What the records say of a backup whose data are put back; empty for none."""
        if not self.backup or self.verb is Verb.RESTORE_TEST:
            return {}
        return {"backup": self.backup, "reason": self.reason, "approver": self.approver}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The collaborators of one run.

    ``digest`` asks a registry (name of the image, reference) → digest. ``check`` runs groups of checks with
    the release's facts. ``listed`` looks at what the stack's ``release:`` demands, for a release with these
    facts. ``hook`` runs a script of the team on the runner. ``ended`` tells whether the owner
    of a lock is known to be dead; False when that cannot be known. ``redact`` masks secrets in a text.
    ``backups`` is None for a target that makes none.

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
    ended: Callable[[str], bool]
    redact: Callable[[str], str]
    backups: Backups | None = None
    fleet: Fleet | None = None
    check_on: Callable[[str, tuple[str, ...], Variables], tuple[CheckResult, ...]] | None = None

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
