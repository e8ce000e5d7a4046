"""Why evidence does not do, in words: pure, one line a reason."""

from dataclasses import dataclass
from datetime import datetime

from ci_lib.domain.approval import same_person
from ci_lib.domain.images import Image
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.text import ago
from ci_lib.domain.verification import Verification
from ci_lib.images.requirement import Requirement, Subject, same_image, speaking_of

CLOCK_SKEW = 300.0
"""Seconds that the clocks of two runners may differ. A later date would evade ``max_age`` for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one image: the verification that lets it in, or ``why_not``; ``rows`` tell it all."""

    proof: Verification | None
    rows: tuple[CheckResult, ...]
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """One condition: what was found and wanted; ``objection`` is empty when that is enough."""

    name: str
    value: str
    bound: str
    objection: str = ""


def judge(
    subject: Subject, requirement: Requirement, evidence: tuple[Verification, ...], now: datetime
) -> Judged:
    """Say whether evidence, newest last, lets an image in, and every reason why not.

    ``max_age`` is counted from the newest verification, ``soak`` from the first of the unbroken row of passes
    that it ends: verifying again must not start the wait again. Whatever does not count (unsigned, revoked)
    is as if it were not there, except that a failure always counts.
    """
    speaking = speaking_of(subject.image, requirement, evidence)
    row = tuple(item for item in speaking if not (item.passed and item.flaw))
    if not row:
        findings = [_nothing(subject.image, requirement, evidence, speaking, now)]
    elif (failed := _failure(row)) is not None:
        told = f"failed in {requirement.environment} {_ago(failed, now)} ago"
        objection = f"{told}, and has not passed since"
        findings = [_Finding(name="verified", value=told, bound=_passed(requirement), objection=objection)]
    else:
        findings = _conditions(row, requirement, now)
    objections = [finding.objection for finding in findings if finding.objection]
    return Judged(
        proof=None if objections else row[-1],
        rows=tuple(_row(subject.image, finding) for finding in findings),
        why_not="; ".join(objections),
    )


def _nothing(
    image: Image,
    requirement: Requirement,
    evidence: tuple[Verification, ...],
    flawed: tuple[Verification, ...],
    now: datetime,
) -> _Finding:
    told = f"never verified in {requirement.environment}"
    if flawed:
        told = f"verified {_ago(flawed[-1], now)} ago, which does not count: {flawed[-1].flaw}"
    # What comes close is of interest only where there is nothing at all.
    told = "; ".join(filter(None, (told, "" if flawed else near(image, requirement, evidence, now))))
    return _Finding(name="verified", value=told, bound=_passed(requirement), objection=told)


def _failure(row: tuple[Verification, ...]) -> Verification | None:
    """The failure that is newer than the newest pass, by its place in the ledger or by its own time.

    They agree unless clocks differ, or somebody wrote an old pass down late.
    """
    newest = row[-1]
    if not newest.passed:
        return newest
    return next((item for item in reversed(row) if not item.passed and item.at > newest.at), None)


def _conditions(
    row: tuple[Verification, ...], requirement: Requirement, now: datetime
) -> list[_Finding]:
    newest = row[-1]
    age = (now - newest.at).total_seconds()
    by = f" by {newest.run_url}" if newest.run_url else ""
    early = f"its verification is dated {ago(-age)} in the future: look at the runners' clocks"
    old = f"verified {ago(age)} ago, older than max_age {ago(requirement.max_age)}"
    soaked = max(0.0, (now - _first_pass(row).at).total_seconds())
    wait = ago(requirement.soak - soaked)
    soak = f"verified {ago(soaked)} ago, soak is {ago(requirement.soak)}: wait {wait} more"
    found = [
        _Finding(
            name="verified",
            value=f"{ago(age)} ago{by}" if age >= -CLOCK_SKEW else early,
            bound=_passed(requirement),
            objection=early if age < -CLOCK_SKEW else "",
        ),
        _Finding(
            name="age",
            value=ago(age),
            bound=f"at most {ago(requirement.max_age)}",
            objection=old if age > requirement.max_age else "",
        ),
    ]
    if requirement.soak:
        short = soak if soaked < requirement.soak else ""
        bound = f"at least {ago(requirement.soak)}"
        found.append(_Finding(name="soak", value=ago(soaked), bound=bound, objection=short))
    if requirement.sign_off:
        found.append(_signed_off(row))
    if newest.keyid:
        found.append(_Finding(name="signature", value=newest.keyid, bound="of a key that the policy names"))
    return found


def _signed_off(row: tuple[Verification, ...]) -> _Finding:
    """A second person, who has seen it pass: whoever verified it has agreed already."""
    newest, first = row[-1], _first_pass(row)
    since = [name for name, at in newest.signed_off if at >= first.at]
    others = [name for name in since if not any(same_person(name, person) for person in newest.people)]
    value = ", ".join(others) or ", ".join(since) or "nobody since it passes"
    bound = f"somebody else than {' and '.join(dict.fromkeys(newest.people))}"
    objection = "" if others else f"signed off by {value}, and it takes {bound}"
    return _Finding(name="sign-off", value=value, bound=bound, objection=objection)


def _row(image: Image, finding: _Finding) -> CheckResult:
    mark = Mark.FAILED if finding.objection else Mark.PASSED
    name = f"{image.name} {image.label}: {finding.name}"
    return CheckResult(name=name, mark=mark, value=finding.value, bound=finding.bound)


def _passed(requirement: Requirement) -> str:
    together = ", together with these images and files" if requirement.match == "set" else ""
    return f"passed in {requirement.environment}{together}"


def _ago(verification: Verification, now: datetime) -> str:
    return ago((now - verification.at).total_seconds())


def near(image: Image, requirement: Requirement, evidence: tuple[Verification, ...], now: datetime) -> str:
    """Say what comes close, so that a slip is seen at once: a wrong tag, repository or companion."""
    newest = {
        (v.repository, v.digest): v
        for v in evidence
        if v.environment == requirement.environment and v.image == image.name
    }
    passing = sorted((v for v in newest.values() if v.passed and not v.flaw), key=lambda v: v.at)
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
