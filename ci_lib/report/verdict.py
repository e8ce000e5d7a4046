"""The outcome in one sentence that a person understands in five seconds."""

from collections.abc import Mapping
from typing import Final, assert_never

from ci_lib.domain.outcome import Outcome
from ci_lib.domain.plan import some
from ci_lib.domain.reasons import HALF_WAY, Exit, Reason, Status, Verb
from ci_lib.report.verdict_own import own
from ci_lib.report.words import Show, Words, sentence, words_of

VERSION_WIDTH: Final = 120
"""Characters of a name or version in the sentence; the tables show more."""

ICONS: Final = {
    Status.DEPLOYED: "✅",
    Status.UNCHANGED: "✅",
    Status.PASSED: "✅",
    Status.ROLLED_BACK: "↩️",
    Status.FAILED: "❌",
    Status.REFUSED: "⛔",
    Status.PARTIAL: "🚨",
    Status.UNKNOWN: "⚠️",
}


def verdict(outcome: Outcome, show: Show) -> str:
    """Where, what runs there now, and why; without an icon."""
    words = words_of(outcome, show)
    if said := own(outcome, words, show):
        return said
    match outcome.status:
        case Status.DEPLOYED:
            again = "is back on" if outcome.verb is Verb.ROLLBACK else "runs"
            return f"{words.where} {again} {words.new}"
        case Status.UNCHANGED:
            return _unchanged(outcome, words)
        case Status.PASSED:
            return _passed(outcome.verb, words)
        case Status.ROLLED_BACK:
            return _rolled_back(outcome.reason, words)
        case Status.FAILED:
            return _failed(outcome, words)
        case Status.REFUSED:
            return _refused(outcome.reason, words)
        case Status.PARTIAL:
            return _partial(outcome, words, show)
        case Status.UNKNOWN:
            return _unknown(outcome.reason, words)
        case _:
            assert_never(outcome.status)


def _unchanged(outcome: Outcome, words: Words) -> str:
    if outcome.verb is Verb.MIGRATE:
        return f"{words.where}: the schema is where {words.new} wants it already"
    if outcome.reason is Reason.MIGRATED:
        return f"{words.where} runs {words.new} already: the schema alone was brought forward"
    return f"{words.where} runs {words.new} already: nothing was touched"


_CHECKED: Final = "{0.where}: {0.new} passed its checks"
_PASSED: Final[Mapping[Verb, str]] = {
    Verb.LINT_TEST: _CHECKED,
    Verb.BUILD: _CHECKED,
    Verb.DEPLOY: _CHECKED,
    Verb.POST_VERIFY: _CHECKED,
    Verb.PROMOTE: _CHECKED,
    Verb.ROLLBACK: _CHECKED,
    Verb.TAKE_DOWN: "{0.where} was down already: nothing was running",
    Verb.PREFLIGHT: "{0.where} is ready for {0.new}",
    Verb.BACKUP: "{0.where} is backed up",
    Verb.PROVISION: "{0.where}: every service has its own database, and rights on nothing else",
    Verb.LOCK: "{0.where}: the lock is free",
    Verb.FINALIZE: "{0.where}: there was nothing for finalize to do",
    Verb.MIGRATE: "{0.where}: the schema is where {0.new} wants it",
    Verb.RESTORE: "{0.where} runs on the data of the backup",
    Verb.RESTORE_TEST: "{0.where}: the backup can be restored",
    Verb.DRIFT: "{0.where} is as it was deployed",
}


def _passed(verb: Verb, words: Words) -> str:
    return _PASSED[verb].format(words)


def _rolled_back(reason: Reason, words: Words) -> str:
    if reason is Reason.TAKEN_DOWN:
        return f"{words.where} is down again: its first release, {words.new}, {words.how}"
    back = f"{words.where} is back on {words.old or 'the release before'}"
    if reason is Reason.RECOVERED:
        return f"{back}: an interrupted run was undone"
    return f"{back}: {words.new} {words.how}"


def _failed(outcome: Outcome, words: Words) -> str:
    if outcome.reason is Reason.CHECKS:
        return f"{words.where}: {words.new} {words.how}; nothing was changed back"
    if outcome.reason is Reason.CHANGED:
        return f"{words.where} does not serve what was expected"
    if outcome.reason is Reason.CANCELLED and outcome.verb in HALF_WAY:
        return f"{words.where}: cancelled; what was done stays, and another run goes on"
    if outcome.reason is Reason.CANCELLED:
        return f"{words.where} is untouched: cancelled before the switch"
    if outcome.exit is Exit.USAGE:
        untouched = f"{words.where} is untouched" if outcome.stack else "Nothing was touched"
        return f"{untouched}: the request cannot be carried out"
    if outcome.exit is Exit.STOPPED:
        return _stopped(outcome.verb, words)
    if outcome.reason is Reason.BUG:
        return f"{words.where}: stopped by a defect of deploy-actions"
    return f"{words.where}: {sentence(outcome.reason)}"


def _stopped(verb: Verb, words: Words) -> str:
    match verb:
        case Verb.PREFLIGHT:
            return f"{words.where} is not ready for {words.new}"
        case Verb.TAKE_DOWN:
            return f"{words.where} was not taken down, and is unchanged"
        case Verb.BACKUP:
            return f"{words.where} was not backed up"
        case Verb.PROVISION:
            return f"{words.where}: not every database is as it should be"
        case Verb.LOCK:
            return f"{words.where}: the lock was not released"
        case Verb.FINALIZE:
            return f"{words.where} was not cleared up"
        case Verb.DRIFT:
            return f"{words.where} was not compared with what was deployed"
        case Verb.RESTORE | Verb.RESTORE_TEST:
            return f"{words.where}: the backup was not restored, and nothing was changed"
        case (
            Verb.DEPLOY
            | Verb.PROMOTE
            | Verb.ROLLBACK
            | Verb.POST_VERIFY
            | Verb.LINT_TEST
            | Verb.BUILD
            | Verb.MIGRATE
        ):
            now = f"still runs {words.old}" if words.old else "is unchanged"
            return f"{words.where} {now}: {words.new} was stopped {words.step}"
        case _:
            assert_never(verb)


def _refused(reason: Reason, words: Words) -> str:
    if reason is Reason.LOCKED:
        return f"{words.where} is locked: another run is at work"
    if reason is Reason.LOST_LOCK:
        return f"{words.where} belongs to another run now: this one came too late"
    refused = f"{words.where} refused {words.new}"
    if reason is Reason.NOT_VERIFIED:
        return f"{refused}: it is not verified"
    if reason is Reason.NOT_REHEARSED:
        return f"{refused}: its migration was not rehearsed"
    if reason is Reason.CANNOT_DECIDE:
        return f"{refused}: the ledger is unreachable or damaged"
    return f"{refused}: {sentence(reason)}"


def _partial(outcome: Outcome, words: Words, show: Show) -> str:
    reason = outcome.reason
    if reason is Reason.RECORD:
        return f"{words.where} needs a person: {words.new} runs, but the ledger could not be written"
    if reason is Reason.MIXED:
        return f"{words.where} needs a person: {words.new} {words.how} on a host, and stays on others"
    if reason is Reason.HALF_MIGRATED:
        serves = f"{words.old} still serves, and " if words.old else ""
        return f"{words.where} needs a person: {serves}the migration of {words.new} stopped half-way"
    if reason is Reason.DATA_UNVERIFIED:
        return f"{words.where} needs a person: the data of a backup are in place, but unproved"
    lost = [row.name for row in outcome.hosts if row.status is Status.PARTIAL]
    failed = f"failed on {show(some(lost))}" if lost else "failed as well"
    back = f"going back to {words.old} {failed}" if words.old else f"going back {failed}"
    return f"{words.where} needs a person: {words.new} {words.how}, and {back}"


def _unknown(reason: Reason, words: Words) -> str:
    if reason is Reason.CANCELLED:
        return f"{words.where}: cancelled on the way to {words.new}; the next run or finalize clears up"
    if reason is Reason.LOST_LOCK:
        return f"{words.where} belongs to another run now: this one stopped on its way to {words.new}"
    return f"{words.where}: what runs is not known"
