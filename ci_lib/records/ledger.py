"""Questions to a checked ledger; pure, and quick because most lines are never parsed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ci_lib.domain.images import Release
from ci_lib.domain.reasons import GREEN, Status, Verb
from ci_lib.domain.store import Record
from ci_lib.domain.verification import Verification
from ci_lib.records.bodies import ADOPTED, INTENT, OUTCOME, VERIFIED, moment
from ci_lib.records.chain import Chain

_OTHERS = 20
_SERVING = frozenset({Verb.DEPLOY, Verb.PROMOTE, Verb.ROLLBACK})
"""The verbs after which the release that they name serves."""
_CHECKING = frozenset({Verb.DEPLOY, Verb.PROMOTE, Verb.ROLLBACK, Verb.POST_VERIFY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A release that once served in an environment, and what became of it.

    ``left``: a person rolled back from it, and it has not been deployed since.
    """

    release: Release
    at: datetime
    record_id: str
    bad: bool
    adopted: bool = False
    left: bool = False


def verifications(chain: Chain, environment: str, release: Release) -> tuple[Verification, ...]:
    """What was verified in ``environment``, oldest first.

    All that speaks of an image of ``release``, and the newest others: they decide nothing, and make the
    message of a refusal more helpful.
    """
    found = {record.seq: record for record in _verified(chain, environment, limit=_OTHERS)}
    for image in release.images:
        found |= {record.seq: record for record in _verified(chain, environment, image.digest)}
    return tuple(item for _, record in sorted(found.items()) for item in _verifications(record))


def _verified(chain: Chain, environment: str, *needles: str, limit: int | None = None) -> Iterator[Record]:
    records = (
        record
        for record in chain.newest_first('"type":"verified"', f'"environment":"{environment}"', *needles)
        if record.body["type"] == VERIFIED and record.text("environment") == environment
    )
    return islice(records, limit)


def verified_versions(
    chain: Chain, environment: str, *needles: str
) -> Iterator[tuple[Record, Release, bool]]:
    """Newest first: each verification record of an environment, its release and whether it passed.

    Only those whose line contains every needle: a question about one tag need not parse all the others.
    """
    for record in _verified(chain, environment, *needles):
        yield record, Release.from_json(record.body["release"]), record.text("result") == "PASSED"


def still_verified(chain: Chain, environment: str) -> Iterator[tuple[Record, Release]]:
    """Newest first: what passed in an environment and has not failed there since."""
    failed: set[str] = set()
    for record, release, passed in verified_versions(chain, environment):
        if not passed:
            failed.add(release.set_id)
        elif release.set_id not in failed:
            yield record, release


def deployed(chain: Chain, environment: str) -> Iterator[Deployed]:
    """Newest first and each release once: what a rollback in ``environment`` may go back to."""
    seen: set[str] = set()
    left: set[str] = set()
    bad = _bad(chain, environment)
    for record in chain.newest_first('"phase":"outcome"', f'"environment":"{environment}"'):
        body = record.body
        if record.text("environment") != environment or not body.get("release"):
            continue
        release = Release.from_json(body["release"])
        served = record.text("status") == Status.DEPLOYED or body["type"] == ADOPTED
        if served and release.id not in seen:
            seen.add(release.id)
            previous = body.get("previous") or {}
            if body["type"] == Verb.ROLLBACK and previous.get("id") not in seen:
                left.add(previous.get("id", ""))
            yield Deployed(
                release=release,
                at=moment(record.text("time")),
                record_id=record.id,
                bad=release.id in bad,
                adopted=body["type"] == ADOPTED,
                left=release.id in left,
            )


def _bad(chain: Chain, environment: str) -> frozenset[str]:
    found: dict[str, Release] = {}
    for record in chain.newest_first(f'"environment":"{environment}"', '"bad":true'):
        if record.text("environment") == environment and record.body.get("bad"):
            release = Release.from_json(record.body["release"])
            found[release.id] = release
    return frozenset(key for key, release in found.items() if is_bad(chain, environment, release))


def is_bad(chain: Chain, environment: str, release: Release, *, from_elsewhere: bool = False) -> bool:
    """Whether a release failed its checks in an environment and has not passed there since.

    ``from_elsewhere``: the release was recorded in another environment, so that only its set is the same.
    """
    return bad_mark(chain, environment, release, from_elsewhere=from_elsewhere) is not None


def bad_mark(
    chain: Chain, environment: str, release: Release, *, from_elsewhere: bool = False
) -> Record | None:
    """The record that marks a release as bad; see ``is_bad``."""
    needles = (f'"environment":"{environment}"', '"phase":"outcome"', release.images[0].digest)
    for record in chain.newest_first(*needles):
        if record.text("environment") != environment or not record.body.get("release"):
            continue
        found = Release.from_json(record.body["release"])
        same = found.set_id == release.set_id if from_elsewhere else found.id == release.id
        if same and _passed(record):
            return None
        if same and record.body.get("bad"):
            return record
    return None


def _passed(record: Record) -> bool:
    """Whether a release passed its checks: a verification, or a green end whose checks were not skipped.

    Where no other environment asks for them, verifications are never written.
    """
    body = record.body
    if body["type"] == VERIFIED:
        return record.text("result") == "PASSED"
    return body["type"] in _CHECKING and body.get("status") in GREEN and not body.get("skipped")


def last_served(chain: Chain, environment: str) -> Release | None:
    """The release that the ledger believes to be serving in an environment."""
    for record in chain.newest_first('"phase":"outcome"', f'"environment":"{environment}"'):
        if record.text("environment") != environment:
            continue
        if served(record) and record.body.get("release"):
            return Release.from_json(record.body["release"])
        rollback = record.body.get("rollback")
        if rollback and rollback["proved"] and record.body.get("previous"):
            return Release.from_json(record.body["previous"])
    return None


def served(record: Record) -> bool:
    """Whether a record's own release served when it was written."""
    kinds = {str(Status.DEPLOYED), str(Status.UNCHANGED)}
    return record.body["type"] in _SERVING and record.text("status") in kinds


def open_intent(chain: Chain, environment: str) -> Record | None:
    """The newest intent of an environment if no outcome refers to it."""
    for record in chain.newest_first(f'"environment":"{environment}"'):
        if record.text("environment") != environment:
            continue
        if record.text("phase") == INTENT:
            return record
        if record.text("phase") == OUTCOME and record.body.get("ref"):
            return None
    return None


def restored_by(chain: Chain, intent: str) -> dict[str, str]:
    """What an intent says of a backup whose data it is about to put back; empty for none."""
    for record in chain.newest_first(f'"id":"{intent}"') if intent else ():
        if record.id == intent and record.body.get("backup"):
            return {key: record.text(key) for key in ("backup", "reason", "approver")}
    return {}


def is_closed(chain: Chain, intent: str) -> bool:
    """Whether an outcome that knows what became of it refers to an intent."""
    unsettled = {str(Status.PARTIAL), str(Status.UNKNOWN)}
    for record in chain.newest_first(f'"ref":"{intent}"') if intent else ():
        if record.text("ref") == intent:
            return record.text("status") not in unsettled
    return False


def _verifications(record: Record) -> Iterator[Verification]:
    release = Release.from_json(record.body["release"])
    for image in release.images:
        yield Verification(
            record_id=record.id,
            environment=record.text("environment"),
            release_id=release.set_id,
            image=image.name,
            repository=image.repository,
            digest=image.digest,
            tag=image.tag,
            passed=record.text("result") == "PASSED",
            at=moment(record.text("time")),
            run_url=str(record.body.get("ci", {}).get("run_url", "")),
            seq=record.seq,
        )


