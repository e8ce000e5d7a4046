"""Questions to a checked ledger; pure, and quick because most lines are never parsed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ci_lib.domain.images import Release
from ci_lib.domain.reasons import GREEN, Status, Verb
from ci_lib.domain.store import Record
from ci_lib.records.bodies import ADOPTED, INTENT, OUTCOME, VERIFIED, moment
from ci_lib.records.chain import GENESIS, Chain, decode, encode
from ci_lib.records.ours import records

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


def deployed(chain: Chain, environment: str) -> Iterator[Deployed]:
    """Newest first and each release once: what a rollback in ``environment`` may go back to."""
    seen: set[str] = set()
    left: set[str] = set()
    bad = _bad(chain, environment)
    for record in records(chain, '"phase":"outcome"', f'"environment":"{environment}"'):
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
    for record in records(chain, f'"environment":"{environment}"', '"bad":true'):
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
    for record in records(chain, *needles):
        if record.text("environment") != environment or not record.body.get("release"):
            continue
        found = Release.from_json(record.body["release"])
        same = found.set_id == release.set_id if from_elsewhere else found.id == release.id
        if same and _passed(record) and _counts(chain, record):
            return None
        if same and record.body.get("bad"):
            return record
    return None


def _counts(chain: Chain, record: Record) -> bool:
    """Whether a record is what it seems to be, as far as that can be known: verifications are signed."""
    return record.body["type"] != VERIFIED or not (chain.flaw(record) or chain.repeats(record))


def _passed(record: Record) -> bool:
    """Whether a release passed its checks: a verification, or a green end whose checks were not skipped.

    Where no other environment asks for them, verifications are never written.
    """
    body = record.body
    if body["type"] == VERIFIED:
        return record.text("result") == "PASSED"
    return body["type"] in _CHECKING and body.get("status") in GREEN and not body.get("skipped")


def last_served(chain: Chain, environment: str) -> Release | None:
    """The release that the ledger believes to be serving in an environment; None once it was taken down."""
    for record in records(chain, '"phase":"outcome"', f'"environment":"{environment}"'):
        if record.text("environment") != environment:
            continue
        if served(record) and record.body.get("release"):
            return Release.from_json(record.body["release"])
        if _went_down(record):
            return None
        if _came_back(record):
            return Release.from_json(record.body["previous"])
    return None


def taken_down(chain: Chain, environment: str) -> Release | None:
    """The release that was taken down in an environment; None where another one has served since."""
    for record in records(chain, '"phase":"outcome"', f'"environment":"{environment}"'):
        if record.text("environment") != environment:
            continue
        if _went_down(record):
            return Release.from_json(record.body["release"])
        if served(record) or _came_back(record):
            return None
    return None


def _went_down(record: Record) -> bool:
    body = record.body
    done = body["type"] == Verb.TAKE_DOWN and record.text("status") == Status.PASSED
    return done and bool(body.get("release"))


def _came_back(record: Record) -> bool:
    rollback = record.body.get("rollback")
    return bool(rollback and rollback["proved"] and record.body.get("previous"))


def served(record: Record) -> bool:
    """Whether a record's own release served when it was written."""
    kinds = {str(Status.DEPLOYED), str(Status.UNCHANGED)}
    return record.body["type"] in _SERVING and record.text("status") in kinds


def open_intent(chain: Chain, environment: str) -> Record | None:
    """The newest intent of an environment if no outcome refers to it."""
    for record in records(chain, f'"environment":"{environment}"'):
        if record.text("environment") != environment:
            continue
        if record.text("phase") == INTENT:
            return record
        if record.text("phase") == OUTCOME and record.body.get("ref"):
            return None
    return None


def intent_of(chain: Chain, intent: str) -> Record | None:
    """The intent with that id; None when there is none."""
    found = records(chain, f'"id":"{intent}"') if intent else iter(())
    return next((record for record in found if record.id == intent), None)


def holds(chain: Chain, body: Mapping[str, Any]) -> bool:
    """Whether the ledger has a record with this body already, marked late or not."""
    prompt = {key: value for key, value in body.items() if key != "late"}
    ids = (decode(encode(each, seq=0, prev=GENESIS)[:-1]).id for each in (body, prompt))
    return any(f'"id":"{name}","body":'.encode() in chain.data for name in ids)


def is_closed(chain: Chain, intent: str) -> bool:
    """Whether an outcome that knows what became of it refers to an intent."""
    newest = next(_ends(chain, intent), None)
    return newest is not None and newest.text("status") not in (Status.PARTIAL, Status.UNKNOWN)


def has_end(chain: Chain, intent: str) -> bool:
    """Whether any outcome refers to an intent, also one that does not know what became of it."""
    return any(_ends(chain, intent))


def _ends(chain: Chain, intent: str) -> Iterator[Record]:
    """The outcomes of an intent, newest first; those before it are of one that was the same to the letter."""
    for record in records(chain, intent) if intent else ():
        if record.id == intent:
            return
        if record.text("ref") == intent:
            yield record
