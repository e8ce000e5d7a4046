"""What the ledger says about images that were verified, or let in without: what the rule is decided by."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from ci_lib.domain.approval import Approval
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.domain.verification import Verification
from ci_lib.records import ledger
from ci_lib.records.approvals import signed_off
from ci_lib.records.bodies import REVOKED, VERIFIED, moment
from ci_lib.records.chain import Chain
from ci_lib.records.ours import records

_OTHERS = 20


def verifications(
    chain: Chain, environment: str, release: Release, agreed: Iterable[Approval] = ()
) -> tuple[Verification, ...]:
    """What was verified in ``environment``, oldest first.

    ``agreed`` are the sign-offs that stand outside of the ledger.

    All that speaks of an image of ``release``, and the newest others: they decide nothing, and make the
    message of a refusal more helpful.
    """
    found = {record.seq: record for record in _verified(chain, environment, limit=_OTHERS)}
    for image in release.images:
        found |= {record.seq: record for record in _verified(chain, environment, image.digest)}
    revoked, agreed = revocations(chain, environment), (*signed_off(chain, environment), *agreed)
    return tuple(
        item
        for _, record in sorted(found.items())
        for item in _verifications(record, chain, revoked, agreed)
    )


def _verified(chain: Chain, environment: str, *needles: str, limit: int | None = None) -> Iterator[Record]:
    """Newest first, and none of them twice: a copy of an old one must not pass for a new one."""
    found = (
        record
        for record in records(chain, '"type":"verified"', f'"environment":"{environment}"', *needles)
        if record.body["type"] == VERIFIED and record.text("environment") == environment
        if not chain.repeats(record)
    )
    return islice(found, limit)


def revocations(chain: Chain, environment: str) -> Mapping[str, Record]:
    """What must not be used although it was verified in an environment: digest → the newest such record."""
    found: dict[str, Record] = {}
    for record in records(chain, f'"environment":"{environment}"', '"type":"revoked"'):
        if record.body["type"] == REVOKED and record.text("environment") == environment:
            for digest in record.body.get("digests", []):
                found.setdefault(digest, record)
    return found


def verified_versions(
    chain: Chain, environment: str, *needles: str
) -> Iterator[tuple[Record, Release, bool]]:
    """Newest first: each verification record of an environment, its release and whether it passed.

    Only those whose line contains every needle: a question about one tag need not parse all the others. What
    passed and does not count is left out; what was revoked has not passed.
    """
    revoked = revocations(chain, environment)
    for record in _verified(chain, environment, *needles):
        release, passed = Release.from_json(record.body["release"]), record.text("result") == "PASSED"
        if not passed or not chain.flaw(record):
            yield record, release, passed and not any(image.digest in revoked for image in release.images)


def uncounted(chain: Chain, environment: str, *needles: str) -> Iterator[tuple[Release, str]]:
    """Newest first: what passed in an environment and does not count, and why; see ``verified_versions``."""
    for record in _verified(chain, environment, *needles):
        if record.text("result") == "PASSED" and (flaw := chain.flaw(record)):
            yield Release.from_json(record.body["release"]), flaw


def still_verified(chain: Chain, environment: str) -> Iterator[tuple[Record, Release]]:
    """Newest first: what passed in an environment and has not failed there since."""
    failed: set[str] = set()
    for record, release, passed in verified_versions(chain, environment):
        if not passed:
            failed.add(release.set_id)
        elif release.set_id not in failed:
            yield record, release


def overridden(chain: Chain, environment: str, required: str, release: Release) -> Record | None:
    """By which record an image of what serves was forced past the rule, if nothing has verified it since.

    ``required`` is the environment whose verification is demanded.
    """
    for image in release.images:
        for record in records(chain, f'"environment":"{environment}"', '"phase":"outcome"', image.digest):
            stays = ledger.served(record) or record.text("reason_code") == Reason.MIXED
            if record.text("environment") != environment or not stays or not record.text("forced"):
                continue
            if image.digest not in {one.digest for one in Release.from_json(record.body["release"]).images}:
                continue  # it is there as what served before
            since = _verified(chain, required, image.digest)
            if not any(_stands(chain, found, record.seq) for found in since):
                return record
            break
    return None


def _stands(chain: Chain, record: Record, seq: int) -> bool:
    passed = record.text("result") == "PASSED"
    return record.seq > seq and passed and not chain.flaw(record)


def _verifications(
    record: Record, chain: Chain, revoked: Mapping[str, Record], agreed: tuple[Approval, ...]
) -> Iterator[Verification]:
    release, flaw = Release.from_json(record.body["release"]), chain.flaw(record)
    ci = record.body.get("ci") or {}
    for image in release.images:
        taken = _revoked(revoked[image.digest]) if image.digest in revoked else ""
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
            run_url=str(ci.get("run_url", "")),
            seq=record.seq,
            flaw=taken or flaw,
            keyid=record.signatures[0]["keyid"] if record.signatures else "",
            people=tuple(filter(None, (record.text("actor"), str(ci.get("author", ""))))),
            signed_off=tuple(
                (item.approver, item.at)
                for item in agreed
                if item.at and (item.gate is None or image.digest in item.subjects)
            ),
        )


def _revoked(by: Record) -> str:
    return f"it was revoked at {by.text('time')} by {by.text('actor')}: {by.text('reason')}"
