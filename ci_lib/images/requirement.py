"""What the verified-image rule is asked: about which images, and what the environment demands."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ci_lib.domain.images import Image
from ci_lib.domain.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the rule decides about: an image of a stack."""

    stack: str
    image: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What an environment requires, as ``requires:`` in deploy.yml says it; times in seconds.

    ``release_id`` is the release that is about to run; ``match: set`` is decided by it. ``sign_off``:
    somebody else than who verified it has to agree.
    """

    environment: str
    match: Literal["image", "set"]
    max_age: float
    soak: float
    release_id: str
    sign_off: bool = False


def same_image(verification: Verification, image: Image) -> bool:
    """Whether a verification is about just this name, repository and digest."""
    theirs = (verification.image, verification.repository, verification.digest)
    return theirs == (image.name, image.repository, image.digest)


def speaking_of(
    image: Image, requirement: Requirement, evidence: Iterable[Verification]
) -> tuple[Verification, ...]:
    """The verifications that count for an image, in their order.

    They come from the required environment, and where the set counts, from exactly this release.
    """
    return tuple(
        verification
        for verification in evidence
        if verification.environment == requirement.environment
        and same_image(verification, image)
        and (requirement.match == "image" or verification.release_id == requirement.release_id)
    )
