import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from ci_lib.domain.errors import Refusal, UsageFault
from ci_lib.domain.images import Image
from ci_lib.domain.reasons import Reason
from ci_lib.domain.verification import Verification
from ci_lib.images.requirement import Requirement, Subject
from ci_lib.images.rule import Basis, VerifiedImage, exempt, permit, verified
from tests.fakes import START as NOW

HOUR = 3600.0
DAY = 24 * HOUR


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def image(name: str = "api", letter: str = "a", tag: str = "sha-1", repository: str = "") -> Image:
    return Image(name=name, repository=repository or f"ghcr.io/acme/{name}", digest=digest(letter), tag=tag)


def record(subject: Image, ago: float = HOUR, **changes: Any) -> Verification:
    made = Verification(
        record_id="r1",
        environment="staging",
        release_id="release-1",
        image=subject.name,
        repository=subject.repository,
        digest=subject.digest,
        passed=True,
        at=NOW - timedelta(seconds=ago),
        run_url="",
        seq=1,
        tag=subject.tag,
    )
    return dataclasses.replace(made, **changes)


def decide(*images: Image, evidence: tuple[Verification, ...], **requires: Any) -> tuple[VerifiedImage, ...]:
    values = {"environment": "staging", "match": "image", "max_age": 30 * DAY, "soak": 0.0}
    requirement = Requirement(**{"release_id": "release-1"} | values | requires)
    subjects = tuple(Subject(stack="shop", image=each) for each in images)
    return verified(subjects, requirement, evidence, now=NOW)


def refusal(*images: Image, evidence: tuple[Verification, ...], **requires: Any) -> str:
    with pytest.raises(Refusal) as caught:
        decide(*images, evidence=evidence, **requires)
    assert caught.value.reason is Reason.NOT_VERIFIED
    assert caught.value.hint
    header, *lines = caught.value.message.splitlines()
    assert header == "not verified in staging:"
    return "\n".join(line.strip() for line in lines)


def test_a_verified_image_passes_and_carries_its_proof() -> None:
    proof = record(image())
    (let_through,) = decide(image(), evidence=(proof,))
    assert (let_through.image, let_through.basis, let_through.proof) == (image(), Basis.VERIFIED, proof)
    assert not let_through.forced


def test_nobody_else_can_make_a_verified_image() -> None:
    with pytest.raises(TypeError):
        VerifiedImage(image=image(), basis=Basis.VERIFIED)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        VerifiedImage(image=image(), basis=Basis.VERIFIED, seal=object())
    (made,) = exempt((image(),), Basis.ROLLBACK)
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(made, image=image(letter="b"))


def test_without_any_record_an_image_was_never_verified() -> None:
    assert refusal(image(), evidence=()) == "api sha-1 sha256:aaaaaaaaaaaa…: never verified in staging"


def test_what_is_verified_instead_is_named() -> None:
    there = record(image(letter="b", tag="sha-7"), ago=3 * HOUR)
    assert refusal(image(tag="sha-8"), evidence=(there,)) == (
        "api sha-8 sha256:aaaaaaaaaaaa…: never verified in staging; verified there: sha-7 3 h ago"
    )


def test_what_has_failed_since_is_not_named_as_verified() -> None:
    other = image(letter="b", tag="sha-7")
    evidence = (record(other, ago=2 * HOUR), record(other, passed=False))
    assert "sha-7" not in refusal(image(), evidence=evidence)


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "production"},
        {"image": "web"},
        {"repository": "ghcr.io/evil/api"},
        {"digest": digest("c")},
    ],
)
def test_a_record_about_anything_else_does_not_count(change: dict[str, str]) -> None:
    assert "never verified" in refusal(image(), evidence=(record(image(), **change),))


def test_the_same_digest_from_another_repository_is_pointed_out() -> None:
    elsewhere = record(image(repository="ghcr.io/fork/api"))
    assert refusal(image(), evidence=(elsewhere,)).endswith(
        "verified there from another repository, ghcr.io/fork/api"
    )


def test_the_tag_does_not_matter() -> None:
    assert decide(image(tag="moved"), evidence=(record(image(tag="sha-1")),))


def test_a_failure_after_a_pass_refuses() -> None:
    evidence = (record(image(), ago=2 * HOUR), record(image(), passed=False))
    assert refusal(image(), evidence=evidence).endswith("failed in staging 1 h ago, and has not passed since")


def test_a_pass_after_a_failure_counts() -> None:
    assert decide(image(), evidence=(record(image(), ago=2 * HOUR, passed=False), record(image())))


def test_a_verification_has_an_age() -> None:
    evidence = (record(image(), ago=30 * DAY),)
    assert decide(image(), evidence=evidence)
    old = (record(image(), ago=31 * DAY),)
    assert refusal(image(), evidence=old).endswith("verified 31 d ago, older than max_age 30 d")


def test_the_newest_verification_tells_the_age() -> None:
    assert decide(image(), evidence=(record(image(), ago=90 * DAY), record(image())))


def test_soak_must_be_over() -> None:
    assert decide(image(), evidence=(record(image(), ago=DAY),), soak=DAY)
    early = refusal(image(), evidence=(record(image(), ago=HOUR),), soak=DAY)
    assert early.endswith("verified 1 h ago, soak is 1 d: wait 23 h more")


def test_verifying_again_does_not_start_the_soak_again() -> None:
    assert decide(image(), evidence=(record(image(), ago=2 * DAY), record(image(), ago=60.0)), soak=DAY)


def test_a_failure_in_between_starts_the_soak_again() -> None:
    evidence = (
        record(image(), ago=3 * DAY),
        record(image(), ago=2 * DAY, passed=False),
        record(image(), ago=HOUR),
    )
    assert "soak" in refusal(image(), evidence=evidence, soak=DAY)


def test_a_date_in_the_future_refuses_but_clocks_may_differ_a_little() -> None:
    assert decide(image(), evidence=(record(image(), ago=-60.0),))
    assert refusal(image(), evidence=(record(image(), ago=-DAY),)).endswith(
        "its verification is dated 1 d in the future: look at the runners' clocks"
    )


def test_match_set_wants_exactly_this_release() -> None:
    proof = record(image())
    assert decide(image(), evidence=(proof,), match="set")
    alone = refusal(image(), evidence=(proof,), match="set", release_id="release-2")
    assert alone.endswith("verified there alone, but not together with these images and files")


def test_match_set_is_not_fooled_by_a_release_id_on_another_image() -> None:
    forged = record(image(letter="b"))
    assert "never verified" in refusal(image(), evidence=(forged,), match="set")


def test_one_refused_image_refuses_all_and_every_reason_has_its_line() -> None:
    api, web, worker = image(), image("web", "b"), image("worker", "c")
    evidence = (record(api), record(web, ago=40 * DAY))
    assert refusal(api, web, worker, evidence=evidence).splitlines() == [
        "web sha-1 sha256:bbbbbbbbbbbb…: verified 40 d ago, older than max_age 30 d",
        "worker sha-1 sha256:cccccccccccc…: never verified in staging",
    ]


def subjects(*images: Image) -> tuple[Subject, ...]:
    return tuple(Subject(stack="shop", image=each) for each in images)


@pytest.mark.parametrize("force", ["sha-1", digest("a")])
def test_version_or_digest_permits_just_that_image(force: str) -> None:
    (forced,) = permit(subjects(image()), force=force, reason="hot fix,\nasked Kim about it")
    assert (forced.forced, forced.note, forced.proof) == (True, "hot fix, asked Kim about it", None)


def test_the_version_permits_all_images_of_a_release() -> None:
    pair = (image(), image("web", "b", tag="sha-2"))
    forced = permit(subjects(*pair), force="api:sha-1,web:sha-2", reason="asked Kim and Lee first")
    assert [each.image for each in forced] == list(pair)


@pytest.mark.parametrize("force", ["sha-2", "", "sha-1 ", "ALL", digest("b"), "sha256:aaaaaaaaaaaa"])
def test_any_other_value_permits_nothing(force: str) -> None:
    with pytest.raises(UsageFault, match="does not permit what is about to run: sha-1"):
        permit(subjects(image()), force=force, reason="long enough a reason")


def test_the_digest_of_one_image_does_not_permit_another() -> None:
    with pytest.raises(UsageFault):
        permit(subjects(image(), image("web", "b")), force=digest("a"), reason="long enough a reason")


@pytest.mark.parametrize("reason", ["", "urgent", "         x         ", "a b c d e"])
def test_forcing_needs_a_reason_that_says_something(reason: str) -> None:
    with pytest.raises(UsageFault, match="at least 20 characters"):
        permit(subjects(image()), force="sha-1", reason=reason)


def test_where_the_rule_does_not_apply_the_type_says_so() -> None:
    (free,) = exempt((image(),), Basis.NOT_REQUIRED)
    assert (free.basis, free.proof, free.forced) == (Basis.NOT_REQUIRED, None, False)
