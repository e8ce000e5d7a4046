"""What the engine asks of a target: the driver that realises a stack in an environment."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ci_lib.domain.differences import Differences
from ci_lib.domain.images import Image, Release
from ci_lib.domain.outcome import CheckResult, Packet
from ci_lib.domain.plan import Step, StepKind, StepReport
from ci_lib.domain.running import Running
from ci_lib.ports.protocols import Ran

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is about to be deployed, before the target has looked at it.

    ``snapshot`` is the release id whose kept files are used; empty: the files of the checkout.
    ``only`` are the image names that change; empty: all of them.
    """

    images: tuple[Image, ...]
    snapshot: str = ""
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the target made of ``Wanted``: the release with its id, and what else must be fetched.

    ``workloads`` maps every workload that we manage to the number of instances it must have, ``unmanaged``
    names the stack's other ones; ``others`` are references of images that the release needs beside its own.
    ``settings`` maps the name of each setting of each workload to a hash of its value.
    """

    release: Release
    workloads: Mapping[str, int]
    unmanaged: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """The unmanaged workloads that the migration's service depends on, those of them as well."""
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    hosts: Mapping[str, "Candidate"] = field(default_factory=dict)
    """What each host made of it, where there are several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOff:
    """A command to be run once in a workload's image, with its network and environment, and gone afterwards.

    ``staged``: as ``release``, which is prepared and does not serve yet; else as what serves, which
    ``release`` then is. ``env`` is added to the workload's environment and must hold no secret.
    """

    command: tuple[str, ...]
    workload: str
    release: Release
    staged: bool
    env: Mapping[str, str] = field(default_factory=dict)
    time_limit: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A release that the target can go back to by itself.

    ``good``: it once passed everything here. ``left``: a person rolled back from it, and it has not been
    switched to since.
    """

    release: Release
    good: bool
    current: bool
    left: bool = False


class Target(Protocol):
    """A driver. It acts only in ``apply``; everything else merely looks.

    Methods raise ``StepFault`` (with a reason) or a ``PortFault`` when they fail.
    """

    @property
    def supports(self) -> frozenset[StepKind]:
        """The step kinds that ``apply`` knows."""

    def observe(self) -> tuple[Running, ...]:
        """What runs now, our own workloads and the stack's others."""

    def adopted(self) -> Release | None:
        """What runs without having been deployed by us, as a release; None when there is nothing."""

    def kept(self) -> tuple[Kept, ...]:
        """The releases it can go back to, newest first."""

    def resolve(self, wanted: Wanted) -> Candidate:
        """Turn images and files into a release with an id, leaving no trace on the target.

        Raises ``StepFault`` (PREFLIGHT) when a snapshot is not kept any more, or cannot be read.
        """

    def compare(self, candidate: Candidate) -> Differences:
        """How settings and files differ from what serves; asked after ``resolve``, and where anything serves.

        What cannot be told is said in ``Differences.unknown``.
        """

    def preflight(self, candidate: Candidate) -> tuple[CheckResult, ...]:
        """The target's own checks before a deploy, each with value and bound."""

    def removable(self) -> tuple[CheckResult, ...]:
        """What stands against removing everything that runs, and what would not come back if that failed."""

    def apply(self, step: Step) -> StepReport:
        """Perform one step. Every step may be performed again after having been interrupted."""

    def once(self, job: OneOff) -> Ran:
        """Run a command in an instance of its own; only asked of a target that supports MIGRATE."""

    def drift(self, release: Release) -> tuple[CheckResult, ...]:
        """What else is not as it was when ``release``, which the ledger says serves, was switched to.

        The engine itself compares release, images and instances.
        """

    def advice(self) -> tuple[str, ...]:
        """What a person who works on the target by hand has to know, a line each."""

    def diagnose(self) -> Packet:
        """The failure packet; never raises for a single part that cannot be had."""


class Fleet(Protocol):
    """The hosts of an environment that has several, each with a driver of its own."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Their names, in the order of deploy.yml."""

    def at(self, host: str) -> Target:
        """The driver of one host; raise ``StepFault`` (STATE) for one that deploy.yml does not name."""

    def each(self, hosts: Collection[str], work: Callable[[str], T]) -> Mapping[str, T]:
        """Do ``work`` for several hosts at the same time, and wait for all of them.

        Raises ``HostsFault``, when all have ended, with every host on which it failed.
        """


class Containers(Protocol):
    """Ways into a running workload, for checks that look from inside."""

    def address(self, service: str) -> str:
        """The network address of a running instance, as the host sees it; raise ``PortFault`` if none."""

    def exec(
        self, service: str, argv: tuple[str, ...], *, timeout: float, stdin: bytes = b""
    ) -> Ran:
        """Run ``argv`` in a running instance; ``stdin`` is the only way in for a secret."""
