"""What the sentences of a verdict speak of."""

from collections.abc import Callable
from dataclasses import dataclass

from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import REASONS, Reason

Show = Callable[[str], str]
"""Makes foreign text fit for the place where the sentence will stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the sentences speak of: ``how`` the new release failed, ``step`` at which it did."""

    where: str
    new: str
    old: str
    how: str
    step: str


def words_of(outcome: Outcome, show: Show) -> Words:
    """The words of an outcome, foreign text made fit by ``show``."""
    old = outcome.rollback.version if outcome.rollback else outcome.previous_version
    step = outcome.failure.step if outcome.failure else ""
    step = "" if step == outcome.verb else step  # it failed as a whole, before its first step
    return Words(
        where=f"{show(outcome.stack)} {show(outcome.environment)}".strip() or "deploy-actions",
        new=show(outcome.version) or "the release",
        old=show(old),
        how=_how(step, show),
        step=f"at {show(step)}" if step else "before it began",
    )


def _how(step: str, show: Show) -> str:
    match step.split(" ", 1)[0]:
        case "":
            return "failed"
        case "check":
            return "failed its checks"
        case "await_serving":
            return "did not come up"
        case "prove":
            return "was not proved to run"
        case "restore_backup":
            return "could not put the backup's data back"
        case _:
            return f"failed at {show(step)}"


def sentence(reason: Reason) -> str:
    """What a reason means, to go on a sentence with."""
    text = REASONS[reason][1].rstrip(".")
    return text[0].lower() + text[1:]
