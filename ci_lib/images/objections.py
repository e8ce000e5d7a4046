"""Why evidence does not do, in words: pure, one line a reason."""

from datetime import datetime

from ci_lib.domain.images import Image
from ci_lib.domain.text import ago
from ci_lib.domain.verification import Verification
from ci_lib.images.requirement import Requirement, Subject, same_image

CLOCK_SKEW = 300.0
"""Seconds that the clocks of two runners may differ. A later date would evade ``max_age`` for ever."""


def objection(row: tuple[Verification, ...], requirement: Requirement, now: datetime) -> str | None:
    """Say why these verifications of one image, newest last, do not do; None when they do.

    ``max_age`` is counted from the newest one, ``soak`` from the first of the unbroken row of passes that it
    ends: verifying again must not start the wait again.
    """
    if not row:
        return f"never verified in {requirement.environment}"
    newest = row[-1]
    age = (now - newest.at).total_seconds()
    if not newest.passed:
        return f"failed in {requirement.environment} {ago(age)} ago, and has not passed since"
    if age < -CLOCK_SKEW:
        return f"its verification is dated {ago(-age)} in the future: look at the runners' clocks"
    if age > requirement.max_age:
        return f"verified {ago(age)} ago, older than max_age {ago(requirement.max_age)}"
    soaked = max(0.0, (now - _first_pass(row).at).total_seconds())
    if soaked < requirement.soak:
        wait = ago(requirement.soak - soaked)
        return f"verified {ago(soaked)} ago, soak is {ago(requirement.soak)}: wait {wait} more"
    return None


def near(image: Image, requirement: Requirement, evidence: tuple[Verification, ...], now: datetime) -> str:
    """Say what comes close, so that a slip is seen at once: a wrong tag, repository or companion."""
    newest = {
        (v.repository, v.digest): v
        for v in evidence
        if v.environment == requirement.environment and v.image == image.name
    }
    passing = sorted((v for v in newest.values() if v.passed), key=lambda v: v.at)
    if any(same_image(v, image) for v in passing):
        return "verified there alone, but not together with these images and files"
    elsewhere = [v for v in passing if v.digest == image.digest]
    if elsewhere:
        return f"verified there from another repository, {elsewhere[-1].repository}"
    others = [v for v in passing if v.repository == image.repository]
    if not others:
        return ""
    age = (now - others[-1].at).total_seconds()
    return f"verified there: {others[-1].tag or _short(others[-1].digest)} {ago(age)} ago"


def called(subject: Subject) -> str:
    """How a person tells the image from others: name, tag and the start of the digest."""
    image = subject.image
    return " ".join(part for part in (image.name, image.tag, _short(image.digest)) if part)


def _first_pass(row: tuple[Verification, ...]) -> Verification:
    """The oldest of the passes since the last failure; the row ends with a pass."""
    first = row[-1]
    for verification in reversed(row):
        if not verification.passed:
            break
        first = verification
    return first


def _short(digest: str) -> str:
    return f"{digest[:19]}…"
