"""Keep-tags: which manifests get one, and that none is ever moved."""

import json
from typing import Any

import pytest

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.fetch import Denied
from ci_lib.images.keep import MOST, SECONDS, keep
from ci_lib.images.patience import PAUSES
from ci_lib.images.registry import MEDIA_TYPES
from ci_lib.ports.protocols import Response, TimedOut
from tests.fake_registry import FakeRegistry, sha
from tests.fakes import Answer, FakeClock, Request

INDEX, MANIFEST = MEDIA_TYPES[0], MEDIA_TYPES[2]
TAG = "verified-shop-0123456789ab"


def image(registry: FakeRegistry, name: str) -> str:
    body = name.encode()
    registry.blobs[sha(body)] = body
    described = {"digest": sha(body), "size": len(body)}
    return registry.put(json.dumps({"config": described, "layers": [described]}).encode(), MANIFEST)


def index(registry: FakeRegistry, *digests: Any, kind: str = INDEX) -> str:
    entries = [{"digest": digest, "size": 1} for digest in digests]
    return registry.put(json.dumps({"manifests": entries}).encode(), kind)


def kept(
    registry: FakeRegistry, digest: str, tag: str = TAG, clock: FakeClock | None = None
) -> tuple[str, ...]:
    reference = Reference(repository="r.example/shop/api", tag="v1", digest=digest)
    return keep(reference, tag, net=registry, credentials=lambda _host: None, clock=clock or FakeClock())


def fails(registry: FakeRegistry, digest: str) -> DeployError:
    with pytest.raises(DeployError) as caught:
        kept(registry, digest)
    return caught.value


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def test_an_image_gets_the_tag_and_stays_the_same() -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")
    kind = registry.manifests[digest]
    assert kept(registry, digest) == (TAG,)
    assert registry.tags == {TAG: digest}
    assert registry.manifests == {digest: kind}


@pytest.mark.parametrize("kind", [INDEX, MEDIA_TYPES[1]])
def test_each_manifest_of_an_index_gets_a_tag_before_the_index_does(kind: str) -> None:
    registry = FakeRegistry()
    children = [image(registry, name) for name in ("amd64", "arm64", "attestation")]
    top = index(registry, *children, kind=kind)
    names = [f"{TAG}-{short(child)}" for child in children]
    assert kept(registry, top) == (*names, TAG)
    assert registry.tags == {**dict(zip(names, children, strict=True)), TAG: top}
    assert registry.made("PUT") == [f"/manifests/{name}" for name in (*names, TAG)]


def test_an_index_in_an_index_is_kept_to_the_last_image() -> None:
    registry = FakeRegistry()
    one, two = image(registry, "one"), image(registry, "two")
    inner = index(registry, one, two)
    top = index(registry, inner, one)
    kept(registry, top)
    assert set(registry.tags.values()) == {top, inner, one, two}


def test_to_keep_it_again_writes_nothing() -> None:
    registry = FakeRegistry()
    top = index(registry, image(registry, "one"))
    kept(registry, top)
    registry.requests.clear()
    kept(registry, top)
    assert {asked.method for asked in registry.requests} == {"GET"}


@pytest.mark.parametrize("which", ["index", "child"])
def test_a_tag_that_names_something_else_is_not_moved(which: str) -> None:
    registry = FakeRegistry()
    child, other = image(registry, "one"), image(registry, "other")
    top = index(registry, child)
    taken = TAG if which == "index" else f"{TAG}-{short(child)}"
    registry.tags[taken] = other
    error = fails(registry, top)
    assert error.reason is Reason.REGISTRY
    assert "was not moved" in error.message
    assert registry.tags[taken] == other


def test_a_tag_that_somebody_else_took_meanwhile_is_told() -> None:
    registry = FakeRegistry()
    digest, other = image(registry, "one"), image(registry, "other")

    def trouble(asked: Request) -> Answer | None:
        if asked.method != "PUT":
            return None
        registry.tags[TAG] = other
        return Response(status=201)

    registry.trouble = trouble
    assert "was not moved" in fails(registry, digest).message


def test_a_part_that_is_gone_already_cannot_be_kept() -> None:
    registry = FakeRegistry()
    top = index(registry, image(registry, "one"), "sha256:" + "0" * 64)
    assert fails(registry, top).reason is Reason.IMAGE_MISSING
    assert registry.tags == {}


def test_a_manifest_that_is_another_than_its_digest_is_not_kept() -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")
    registry.manifests[digest] = (MANIFEST, b"{}")
    assert "sends a manifest with digest" in fails(registry, digest).message
    assert registry.made("PUT") == []


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"manifests": 3}', b'{"manifests": ["x"]}'])
def test_what_is_no_image_is_not_kept(body: bytes) -> None:
    registry = FakeRegistry()
    assert "is no image" in fails(registry, registry.put(body, INDEX)).message
    assert registry.made("PUT") == []


@pytest.mark.parametrize("digest", ["", "sha256:no", "../x", None])
def test_an_entry_without_a_digest_is_not_asked_for(digest: Any) -> None:
    registry = FakeRegistry()
    assert "is no image" in fails(registry, index(registry, digest)).message
    assert len(registry.requests) == 1


def test_more_manifests_than_can_be_kept_are_a_fault_and_not_left_out() -> None:
    registry = FakeRegistry()
    most = [image(registry, str(number)) for number in range(MOST)]
    assert len(kept(registry, index(registry, *most[:-1]))) == MOST
    assert "more than 64 manifests" in fails(registry, index(registry, *most)).message


@pytest.mark.parametrize("trouble", [Response(status=429), Response(status=500), TimedOut("late")])
def test_a_moment_of_trouble_is_waited_out(trouble: Answer) -> None:
    registry, left = FakeRegistry(), [trouble] * 3
    digest = image(registry, "one")
    registry.trouble = lambda asked: left.pop() if asked.method == "PUT" and left else None
    kept(registry, digest)
    assert (registry.tags, left) == ({TAG: digest}, [])


def test_an_answer_that_got_lost_is_looked_for_and_not_written_twice() -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")

    def trouble(asked: Request) -> Answer | None:
        if asked.method != "PUT":
            return None
        registry.tags[TAG] = digest
        return Response(status=500)

    registry.trouble = trouble
    kept(registry, digest)
    assert len(registry.made("PUT")) == 1


def test_a_tag_that_does_not_stay_is_told() -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")
    registry.trouble = lambda asked: Response(status=201) if asked.method == "PUT" else None
    assert "was written and is not there" in fails(registry, digest).message
    assert len(registry.made("PUT")) == len(PAUSES) + 1


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_push_is_told_so(status: int) -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")
    no = Response(status=status, headers={"www-authenticate": "Basic"})
    registry.trouble = lambda asked: no if asked.method == "PUT" else None
    error = fails(registry, digest)
    assert (error.reason, "docker login" in error.hint) == (Reason.REGISTRY, True)
    assert isinstance(error, Denied) == (status == 403)


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_registry_that_takes_nothing_is_told_at_once(status: int) -> None:
    registry = FakeRegistry()
    digest = image(registry, "one")
    registry.trouble = lambda asked: Response(status=status) if asked.method == "PUT" else None
    assert str(status) in fails(registry, digest).message
    assert len(registry.made("PUT")) == 1


def test_no_request_is_made_when_the_time_for_all_is_over() -> None:
    registry, clock = FakeRegistry(), FakeClock()
    top = index(registry, *(image(registry, str(number)) for number in range(60)))

    def trouble(asked: Request) -> Answer | None:
        assert clock.monotonic() + asked.timeout <= SECONDS
        clock.sleep(min(14.0, asked.timeout))
        return None

    registry.trouble = trouble
    with pytest.raises(DeployError, match="time for everything"):
        kept(registry, top, clock=clock)


@pytest.mark.parametrize("tag", ["", "a b", "../x", "a:b", "x" * 116, "\u202e", "-x", "x\n"])
def test_what_cannot_be_a_tag_is_refused_before_anything_is_asked(tag: str) -> None:
    registry = FakeRegistry()
    with pytest.raises(UsageFault, match="cannot be a keep-tag") as caught:
        kept(registry, image(registry, "one"), tag)
    assert "\u202e" not in caught.value.message
    assert registry.requests == []


def test_a_reference_without_a_digest_cannot_be_kept() -> None:
    with pytest.raises(UsageFault, match="has no digest"):
        kept(FakeRegistry(), "")
