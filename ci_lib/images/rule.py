"""The verified-image rule, and the only place where a ``VerifiedImage`` can be made.

Pure: evidence and time are handed in. Whether a verification is genuine was decided before
(``records/trust.py``), and stands in its ``flaw``.
"""

from collections.abc import Iterable
from dataclasses import InitVar, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from ci_lib.domain.approval import MIN_REASON
from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.images import Image, version_of
from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.reasons import Reason
from ci_lib.domain.verification import Verification
from ci_lib.images.objections import called, judge
from ci_lib.images.requirement import Requirement, Subject

_SEAL = object()


class Basis(StrEnum):
    """Why an image may run in an environment."""

    VERIFIED = "verified"
    FORCED = "forced"
    NOT_REQUIRED = "not_required"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image that may run. The type carries the rule, since plans take nothing else.

    Only this module makes it: anybody else, ``dataclasses.replace`` included, gets a ``TypeError``.
    ``proof`` is the verification that decided, None unless the basis is VERIFIED; ``rows`` tell what was
    looked at. ``note`` is the reason given for forcing it.
    """

    image: Image
    basis: Basis
    proof: Verification | None = None
    note: str = ""
    rows: tuple[CheckResult, ...] = ()
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        """Turn away everybody who does not hold this module's seal."""
        if seal is not _SEAL:
            raise TypeError("only ci_lib.images.rule makes a VerifiedImage")

    @property
    def forced(self) -> bool:
        """Whether a person opened the gate for it."""
        return self.basis is Basis.FORCED


def verified(
    subjects: Iterable[Subject],
    requirement: Requirement,
    evidence: tuple[Verification, ...],
    *,
    now: datetime,
) -> tuple[VerifiedImage, ...]:
    """Let every subject through, or none: the newest verification in the required environment decides.

    A verification speaks of exactly one image name, repository and digest, and with ``match: set`` of
    exactly this release. ``evidence`` is newest last; more of it than is about these images makes the message
    more helpful and decides nothing. Raises ``Refusal`` with NOT_VERIFIED and a line for each refused image.
    """
    found = [(subject, judge(subject, requirement, evidence, now)) for subject in subjects]
    if refused := [f"{called(subject)}: {judged.why_not}" for subject, judged in found if judged.why_not]:
        rows = tuple(row for _, judged in found for row in judged.rows)
        raise _refusal(refused, requirement.environment, rows)
    return tuple(
        VerifiedImage(
            image=subject.image, basis=Basis.VERIFIED, proof=judged.proof, rows=judged.rows, seal=_SEAL
        )
        for subject, judged in found
    )


def permit(subjects: Iterable[Subject], *, force: str, reason: str) -> tuple[VerifiedImage, ...]:
    """Let images through that a person forces.

    ``force`` must be the version, or the one digest, of just what is about to run: a gate that was opened
    for one release stays shut for any other. Raises ``UsageFault`` when it is not, or when ``reason`` says
    too little.
    """
    images = tuple(subject.image for subject in subjects)
    version = version_of(images)
    if force != version and {force} != {image.digest for image in images}:
        raise UsageFault(
            f"--force {force!r} does not permit what is about to run: {version}",
            hint=f"--force {version} would; make sure first that this is what you mean to run",
        )
    note = " ".join(reason.split())
    if len(note) < MIN_REASON:
        raise UsageFault(
            f"--force needs a --reason of at least {MIN_REASON} characters; {note!r} has {len(note)}",
            hint="say why it cannot wait and who was asked: it goes into the ledger",
        )
    return tuple(VerifiedImage(image=image, basis=Basis.FORCED, note=note, seal=_SEAL) for image in images)


def exempt(
    images: Iterable[Image], basis: Literal[Basis.NOT_REQUIRED, Basis.ROLLBACK]
) -> tuple[VerifiedImage, ...]:
    """Let images through to which the rule does not apply.

    Either the environment requires nothing, or they go back to what was already deployed in it.
    """
    return tuple(VerifiedImage(image=image, basis=basis, seal=_SEAL) for image in images)


def _refusal(lines: list[str], environment: str, rows: tuple[CheckResult, ...]) -> Refusal:
    return Refusal(
        "\n".join([f"not verified in {environment}:", *(f"  {line}" for line in lines)]),
        hint=f"deploy and verify it in {environment} first; in an emergency, --force VERSION --reason TEXT "
        "lets it through and is recorded",
        reason=Reason.NOT_VERIFIED,
        rows=rows,
    )
