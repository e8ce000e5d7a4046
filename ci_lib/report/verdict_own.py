"""Verdicts of verbs that bring no release in: they speak of a gate, of data, or of what goes."""

from ci_lib.domain.outcome import Mark, Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.report.words import Show, Words, sentence, words_of


def own(outcome: Outcome, words: Words, show: Show) -> str:
    """The words of a verb that is not about a release; empty where it has none of its own."""
    match outcome.verb:
        case Verb.LINT_TEST:
            return _gate(outcome)
        case Verb.BUILD:
            return _build(outcome, show)
        case Verb.RESTORE:
            return _restore(outcome, words)
        case Verb.TAKE_DOWN:
            return _taken_down(outcome, words)
        case Verb.LOCK if outcome.status is Status.REFUSED:
            return f"{words.where}: the lock was left as it is"
        case Verb.DRIFT:
            return _drift(outcome, words)
    return ""


def _drift(outcome: Outcome, words: Words) -> str:
    """A comparison brings nothing in, so that nothing can be refused or begun."""
    if outcome.reason is Reason.DRIFT:
        return f"{words.where} has drifted: it is not as it was deployed; nothing was changed"
    if outcome.reason is Reason.PASSED and not outcome.version:
        return f"{words.where}: nothing is to run here, and nothing does"
    if outcome.reason is Reason.CANNOT_DECIDE:
        return f"{words.where} cannot be compared: the ledger is unreachable or damaged"
    return ""


def _taken_down(outcome: Outcome, words: Words) -> str:
    """What goes is not what comes; empty where it ended as anything might."""
    if outcome.reason is Reason.DOWN:
        return f"{words.where} is down: {words.new} was taken down, its data stay"
    if outcome.status is Status.ROLLED_BACK and outcome.reason is not Reason.RECOVERED:
        return f"{words.where} runs {words.new} again: taking it down {words.how}"
    if outcome.status is Status.PARTIAL and outcome.reason is Reason.RECORD:
        return f"{words.where} needs a person: {words.new} is down, but the ledger could not be written"
    if outcome.status is Status.PARTIAL:
        return f"{words.where} needs a person: taking {words.new} down {words.how}, and it did not come back"
    if outcome.status is Status.UNKNOWN and outcome.reason is Reason.CANCELLED:
        return f"{words.where}: cancelled while {words.new} went down; the next run or finalize clears up"
    if outcome.reason in (Reason.POLICY, Reason.CANNOT_DECIDE):
        return f"{words.where} was not taken down: {sentence(outcome.reason)}"
    return ""


def _restore(outcome: Outcome, words: Words) -> str:
    """A restore speaks of the data, since the release stays; empty where it ended as anything might."""
    if outcome.status is Status.ROLLED_BACK:
        return f"{words.where} runs on the data from before again: the restore {words.how}"
    if outcome.status is Status.PARTIAL and outcome.reason is not Reason.RECORD:
        back = "bringing the data from before back failed as well"
        return f"{words.where} needs a person: the restore {words.how}, and {back}"
    if outcome.status is Status.UNKNOWN and outcome.reason is Reason.CANCELLED:
        return f"{words.where}: cancelled while its data were exchanged; the next run or finalize clears up"
    return ""


def _gate(outcome: Outcome) -> str:
    """A gate speaks of the checkout, and of no place where anything runs."""
    if outcome.status is Status.PASSED:
        return f"The gate is open: {len(outcome.jobs)} jobs passed"
    if outcome.reason is Reason.GATE:
        failed = sum(job.mark is Mark.FAILED for job in outcome.jobs)
        return f"The gate is shut: {failed} of {len(outcome.jobs)} jobs failed"
    return f"The gate was not run to its end: {sentence(outcome.reason)}"


def _build(outcome: Outcome, show: Show) -> str:
    """A build speaks of the registry: what runs anywhere stays as it is."""
    words = words_of(outcome, show)
    if outcome.status is Status.PASSED:
        if outcome.builds and all(built.reused for built in outcome.builds):
            return f"{words.where}: {words.new} is in the registry already, built from this commit"
        return f"{words.where}: {words.new} is built and pushed"
    if outcome.reason is Reason.CANCELLED:
        return f"{words.where}: cancelled before {words.new} was built"
    if outcome.reason is Reason.BUG:
        return f"{words.where}: stopped by a defect of deploy-actions"
    if outcome.exit is Exit.USAGE:
        return f"{words.where}: nothing was built: the request cannot be carried out"
    return f"{words.where}: {words.new} was not built"
