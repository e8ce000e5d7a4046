"""Somebody who may write the ledger tells production that staging has verified an image."""

import json

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.records.statement import statement
from ci_lib.records.trust import Trust
from ci_lib.signing.keys import Signer, holds
from tests.attacks.support import (
    OURS,
    THEIRS,
    VERIFIER,
    again,
    by_digest,
    forged,
    key,
    records,
    refused,
    rewritten,
    seal,
    signed_world,
    verification,
)
from tests.contract.fake_target import World, digest

UNREAD = Refusal("the policy cannot be read", reason=Reason.CANNOT_DECIDE)


@pytest.fixture
def world() -> World:
    return signed_world()


def test_what_staging_signed_is_taken(world: World) -> None:
    assert world.deploy("v2").green
    outcome = world.promote("v2")
    assert outcome.green
    assert [row.name for row in outcome.rule if "signature" in row.name]


def test_an_unsigned_verification_does_not_count(world: World) -> None:
    forged(world, verification(world, "v2"))
    refused(world.promote("v2"), world, 10, "verified in staging, which does not count: it is not signed")
    refused(world.promote("v3"), world, 10, "never verified in staging")


def test_an_unsigned_one_does_not_count_for_its_digest_either(world: World) -> None:
    body = verification(world, "v2")
    forged(world, body)
    refused(world.promote("", images=by_digest(body)), world, 10, "does not count: it is not signed")


@pytest.mark.parametrize(
    ("private", "verifier", "said"),
    [
        (THEIRS, VERIFIER, "which the policy does not name"),
        (OURS, "https://ci.example/acme/other/staging", "its verifier is"),
    ],
    ids=["their key", "another verifier"],
)
def test_one_that_somebody_else_signed_does_not_count(
    world: World, private: str, verifier: str, said: str
) -> None:
    body = verification(world, "v2")
    forged(world, seal(private, verifier)(body))
    refused(world.promote("", images=by_digest(body)), world, 10, said)
    refused(world.promote("v2"), world, 10, said)


def test_a_key_of_another_environment_does_not_speak_for_staging(world: World) -> None:
    world.trust = Trust(keys=(key(), key(THEIRS, environments=("test",))), holds=holds)
    body = verification(world, "v2")
    forged(world, seal(THEIRS)(body))
    refused(world.promote("", images=by_digest(body)), world, 10, "may not speak for shop in staging")


def test_a_key_of_another_stack_does_not_speak_for_this_one(world: World) -> None:
    world.trust = Trust(keys=(key(), key(THEIRS, stacks=("blog",))), holds=holds)
    body = verification(world, "v2")
    forged(world, seal(THEIRS)(body))
    refused(world.promote("", images=by_digest(body)), world, 10, "may not speak for shop in staging")


def test_a_verification_of_another_stack_is_none_of_this_one(world: World) -> None:
    forged(world, seal()(verification(world, "v2", stack="blog")))
    refused(world.promote("v2"), world, 10, "does not count: it speaks of stack")


def test_a_verification_in_another_environment_is_none_in_staging(world: World) -> None:
    forged(world, seal()(verification(world, "v2", environment="test")))
    refused(world.promote("v2"), world, 10, "never verified")


def test_a_failure_that_is_turned_into_a_pass_is_seen(world: World) -> None:
    world.failing.add("v2")
    assert world.deploy("v2").reason is Reason.ROLLED_BACK
    rewritten(world, lambda data: data.replace(b'"FAILED"', b'"PASSED"'))
    refused(world.promote("v2"), world, 11, "ledger is damaged")


def test_a_failure_that_is_turned_into_a_pass_with_a_new_id_is_seen(world: World) -> None:
    world.failing.add("v2")
    assert world.deploy("v2").reason is Reason.ROLLED_BACK
    (failed,) = [record for record in records(world) if record.text("result") == "FAILED"]
    said = json.loads(failed.payload.replace(b'"FAILED"', b'"PASSED"'))
    forged(world, {"statement": said, "signatures": list(failed.signatures)})
    refused(world.promote("v2"), world, 11, "does not fit what it says")


def test_a_signature_that_is_moved_to_another_verification_is_seen(world: World) -> None:
    (genuine,) = [record for record in records(world) if record.signatures][:1]
    said = statement(verification(world, "v2"), verifier=VERIFIER)
    forged(world, {"statement": said, "signatures": list(genuine.signatures)})
    refused(world.promote("v2"), world, 11, "does not fit what it says")


def test_a_statement_whose_subject_is_not_its_release_does_not_count(world: World) -> None:
    """Nobody but the key's holder can make one; cosign would believe the subject, and we the context."""
    body = verification(world, "v2")
    said = statement(body, verifier=VERIFIER)
    said["subject"] = said["subject"][:1]
    forged(world, Signer(private=OURS).signed(said))
    refused(world.promote("", images=by_digest(body)), world, 10, "its subject is not what its context says")


def test_an_old_pass_that_is_held_out_as_a_new_one_does_not_count(world: World) -> None:
    assert world.deploy("v2").green
    world.clock.sleep(60)
    world.failing.add("v2")
    assert not world.play(Verb.POST_VERIFY).green
    (passed,) = [
        record for record in records(world)
        if record.text("result") == "PASSED" and record.body["release"]["version"] == "v2"
    ]
    forged(world, again(passed))
    refused(world.promote("v2"), world, 10, "failed in staging")


def test_an_old_pass_does_not_bring_the_digest_back_that_a_tag_stood_for(world: World) -> None:
    assert world.deploy("v2").green
    old = next(record for record in records(world)[::-1] if record.signatures)
    world.clock.sleep(60)
    world.tags["api:v2"] = digest("rebuilt")
    assert world.deploy("v2").green
    forged(world, again(old))
    assert world.promote("v2").green
    live = world.cluster("production").live
    assert live is not None
    assert [image.digest for image in live.images if image.name == "api"] == [digest("rebuilt")]


def test_a_pass_from_before_a_failure_that_is_written_down_later_does_not_count(world: World) -> None:
    early = seal()(verification(world, "v2"))
    world.clock.sleep(60)
    world.failing.add("v2")
    assert world.deploy("v2").reason is Reason.ROLLED_BACK
    forged(world, early)
    refused(world.promote("v2"), world, 10, "failed in staging")


def test_deleting_the_signature_of_a_failure_does_not_hide_it(world: World) -> None:
    assert world.deploy("v2").green
    world.clock.sleep(60)
    world.failing.add("v2")
    assert not world.play(Verb.POST_VERIFY).green
    rewritten(world, _without_last_signature)
    refused(world.promote("v2"), world, 10, "failed")


def _without_last_signature(data: bytes) -> bytes:
    *lines, last, end = data.split(b"\n")
    assert b'"FAILED"' in last
    return b"\n".join([*lines, last[: last.index(b',"signatures":')] + b"}", end])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"revoked": True}, "which is revoked"),
        ({"until": 0}, "has ceased to count"),
        ({"since": 1}, "begins to count"),
    ],
)
def test_a_key_counts_in_its_time_and_unless_it_is_revoked(
    world: World, more: dict[str, object], said: str
) -> None:
    assert world.deploy("v2").green
    now = world.clock.now()
    bounds = {"until": now.replace(year=now.year - 1), "since": now.replace(year=now.year + 1)}
    given = {name: bounds.get(name, value) for name, value in more.items()}
    world.trust = Trust(keys=(key(**given),), holds=holds)
    body = verification(world, "v2")
    refused(world.promote("", images=by_digest(body)), world, 10, said)
    refused(world.promote("v2"), world, 10)


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_revoked_in_one_entry_counts_in_no_other(world: World, first: bool) -> None:
    assert world.deploy("v2").green
    lost, other = key(revoked=True, environments=("qa",)), key()
    world.trust = Trust(keys=(lost, other) if first else (other, lost), holds=holds)
    body = verification(world, "v2")
    refused(world.promote("", images=by_digest(body)), world, 10, "which is revoked")
    refused(world.promote("v2"), world, 10)


def test_a_policy_that_cannot_be_read_decides_nothing(world: World) -> None:
    assert world.deploy("v2").green
    world.unread = UNREAD
    refused(world.promote("v2"), world, 11, "the policy")


def test_going_back_needs_no_policy(world: World) -> None:
    assert world.deploy("v2").green
    assert world.promote("v2").green
    world.unread = UNREAD
    assert world.play(Verb.ROLLBACK, "production", last_good=True).green


def test_a_version_is_found_as_a_tag_and_nowhere_else_in_a_record(world: World) -> None:
    (record,) = [record for record in records(world) if record.signatures][:1]
    chance = record.signatures[0]["sig"][:6]  # of a signature, which may hold any short tag
    refused(world.promote(chance), world, 10, "was never verified")


def test_what_was_revoked_is_let_in_by_no_verification_from_before(world: World) -> None:
    """Neither by its tag nor by its digest, also where one image of two was revoked."""
    assert world.deploy("v2").green
    (body,) = [record.body for record in records(world) if record.text("type") == "verified"][-1:]
    digests = by_digest(body)
    frame, now = world.tools("staging").frame, world.clock.now()
    forged(world, frame.revoked(now, "v2", (digest("api:v2"),), "a hole in its TLS library"))
    refused(world.promote("v2"), world, 10, "revoked")
    refused(world.promote("", images=digests), world, 10, "revoked")


def test_a_revocation_is_withdrawn_by_no_copy_of_the_verification(world: World) -> None:
    assert world.deploy("v2").green
    (pass_,) = [record for record in records(world) if record.text("type") == "verified"][-1:]
    frame, now = world.tools("staging").frame, world.clock.now()
    forged(world, frame.revoked(now, "v2", (digest("api:v2"),), "a hole in its TLS library"))
    forged(world, again(pass_))
    refused(world.promote("v2"), world, 10, "revoked")
