"""Bundles beside an image: how they look, what others listed, and every way a registry can fail."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.attach import LARGEST, SECONDS, SETTLE
from ci_lib.images.attach_bundle import attach_bundle, attached_bundles
from ci_lib.images.attestations import MANIFEST, MOST
from ci_lib.images.bundles import BUNDLE, EMPTY_KIND, INDEX
from ci_lib.images.fetch import BACK_OFF, Denied
from ci_lib.images.patience import PAUSES
from ci_lib.images.registry import PAGES
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.fake_registry import FakeRegistry, sha
from tests.fakes import Answer, FakeClock, Request

VSA = "https://slsa.dev/verification_summary/v1"
SBOM = "https://spdx.dev/Document"
IMAGE = b'{"schemaVersion":2}'
TAG = sha(IMAGE).replace(":", "-")
PAGE = f"/manifests/{TAG}"


def envelope(name: str, keyid: str = "SHA256:abc") -> bytes:
    payload = base64.b64encode(name.encode()).decode()
    signature = {"keyid": keyid, "sig": "c2ln"} if keyid else {"sig": "c2ln"}
    content = {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": [signature]}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


OURS, THEIRS = envelope("ours"), envelope("theirs")


@dataclass
class Desk:
    """A registry with an image, and the two functions that are tested bound to it."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)
    clock: FakeClock = field(default_factory=FakeClock)
    reference: str = f"r.example/shop/api:v1@{sha(IMAGE)}"

    def __post_init__(self) -> None:
        self.registry.put(IMAGE, MANIFEST, "v1")

    def attach(self, text: bytes = OURS, kind: str = VSA) -> None:
        attach_bundle(Reference.parse(self.reference), text, kind, **self.tools)

    def attached(self, kind: str = VSA) -> tuple[bytes, ...]:
        return attached_bundles(Reference.parse(self.reference), kind, **self.tools)

    def fails(self) -> DeployError:
        with pytest.raises(DeployError) as caught:
            self.attach()
        return caught.value

    @property
    def tools(self) -> dict[str, Any]:
        return {"net": self.registry, "credentials": lambda _host: None, "clock": self.clock}

    def listed(self) -> list[str]:
        entries: Any = self.registry.under(TAG)["manifests"]
        return [entry["digest"] for entry in entries]

    def write(self, *names: str, **more: Any) -> list[str]:
        """Put bundles and list them as cosign does, whatever is listed there; returns their digests."""
        digests = [self.stored(name) for name in names]
        entries = [
            {"mediaType": MANIFEST, "digest": digest, "size": 1, "artifactType": EMPTY_KIND, "mine": "x"}
            for digest in digests
        ]
        self.registry.put(json.dumps({"manifests": entries} | more).encode(), INDEX, TAG)
        return digests

    def stored(self, name: str) -> str:
        body = json.dumps({"mediaType": BUNDLE, "dsseEnvelope": json.loads(envelope(name))}).encode()
        self.registry.blobs[sha(body)] = body
        layer = {"mediaType": BUNDLE, "digest": sha(body), "size": len(body)}
        return self.registry.put(json.dumps({"layers": [layer]}).encode(), MANIFEST)


def lists(asked: Request, method: str) -> bool:
    return asked.method == method and asked.url.endswith(PAGE)


def puts(desk: Desk) -> list[str]:
    return [url for url in desk.registry.made("PUT") if url.startswith("/manifests/")]


# --- what is written --------------------------------------------------------------------------------------


def test_a_bundle_looks_as_the_specification_says() -> None:
    desk = Desk()
    desk.attach()
    index: Any = desk.registry.under(TAG)
    (entry,) = index["manifests"]
    kind, body = desk.registry.manifests[entry["digest"]]
    annotations = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": VSA}
    assert {key: index[key] for key in ("schemaVersion", "mediaType")} == {
        "schemaVersion": 2,
        "mediaType": INDEX,
    }
    assert entry == {
        "mediaType": MANIFEST,
        "digest": sha(body),
        "size": len(body),
        "artifactType": BUNDLE,
        "annotations": annotations,
    }
    written = json.loads(body)
    (layer,) = written.pop("layers")
    assert kind == MANIFEST
    assert written == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": {"mediaType": EMPTY_KIND, "digest": sha(b"{}"), "size": 2},
        "subject": {"mediaType": MANIFEST, "digest": sha(IMAGE), "size": len(IMAGE)},
        "annotations": annotations,
    }
    blob = desk.registry.blobs[layer["digest"]]
    assert layer == {"mediaType": BUNDLE, "digest": sha(blob), "size": len(blob)}
    assert json.loads(blob) == {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": "SHA256:abc"}},
        "dsseEnvelope": json.loads(OURS),
    }


def test_a_tag_of_its_own_keeps_the_bundle_from_a_garbage_collection() -> None:
    desk = Desk()
    desk.attach()
    (digest,) = desk.listed()
    assert desk.registry.tags[f"{TAG}.bundle-{digest[7:19]}"] == digest


def test_where_the_registry_lists_by_itself_there_is_neither_an_index_nor_a_tag() -> None:
    desk = Desk()
    desk.registry.listing = True
    desk.attach()
    assert list(desk.registry.tags) == ["v1"]
    assert len(puts(desk)) == 1
    assert desk.clock.slept == []
    assert desk.attached() == (OURS,)


@pytest.mark.parametrize("listing", [True, False])
def test_the_same_envelope_twice_changes_nothing(listing: bool) -> None:
    desk = Desk()
    desk.registry.listing = listing
    desk.attach()
    desk.registry.requests.clear()
    desk.attach()
    assert {asked.method for asked in desk.registry.requests} == {"GET"}


def test_what_others_listed_stays_as_it_is_and_is_read() -> None:
    desk = Desk()
    desk.write("theirs", annotations={"a": "b"})
    before: Any = desk.registry.under(TAG)
    desk.attach()
    after: Any = desk.registry.under(TAG)
    assert after["manifests"][:-1] == before["manifests"]
    assert after["annotations"] == {"a": "b"}
    assert desk.attached() == (THEIRS, OURS)


def test_what_a_garbage_collection_took_is_listed_no_more() -> None:
    desk = Desk()
    gone, there = desk.write("gone", "theirs")
    del desk.registry.manifests[gone]
    assert desk.attached() == (THEIRS,)
    desk.attach()
    assert gone not in desk.listed()
    assert desk.listed()[0] == there


@pytest.mark.parametrize("kept", ["blobs", "manifests"])
def test_of_ours_what_was_lost_is_written_again_and_listed_once(kept: str) -> None:
    desk = Desk()
    desk.attach()
    (digest,) = desk.listed()
    if kept == "blobs":
        del desk.registry.manifests[digest]
    else:
        desk.registry.blobs.clear()
    assert desk.attached() == ()
    desk.attach()
    assert desk.listed() == [digest]
    assert desk.attached() == (OURS,)


@pytest.mark.parametrize("listing", [True, False])
def test_whoever_is_killed_in_between_completes_it_the_next_time(listing: bool) -> None:
    whole = Desk()
    whole.registry.listing = listing
    whole.attach()
    writes = [asked for asked in whole.registry.requests if asked.method in ("POST", "PUT")]
    for last in range(len(writes)):
        desk, left = Desk(), iter(range(last))
        desk.registry.listing = listing

        def trouble(asked: Request, left: Any = left) -> Answer | None:
            if asked.method in ("POST", "PUT") and next(left, None) is None:
                raise KeyboardInterrupt
            return None

        desk.registry.trouble = trouble
        with pytest.raises(KeyboardInterrupt):
            desk.attach()
        desk.registry.trouble = lambda _: None
        desk.attach()
        assert desk.attached() == (OURS,)
        assert desk.registry.tags.keys() == whole.registry.tags.keys()


def test_an_envelope_without_a_key_id_hints_at_no_key() -> None:
    desk = Desk()
    desk.attach(envelope("ours", keyid=""))
    hints = [blob for blob in desk.registry.blobs.values() if b'"hint":""' in blob]
    assert len(hints) == 1


def test_a_reference_without_a_digest_is_refused() -> None:
    desk = Desk(reference="r.example/shop/api:v1")
    with pytest.raises(UsageFault, match="has no digest"):
        desk.attach()
    with pytest.raises(UsageFault, match="has no digest"):
        desk.attached()
    assert desk.registry.requests == []


def test_beside_an_image_that_is_not_there_nothing_is_written() -> None:
    desk = Desk()
    desk.registry.manifests.clear()
    assert desk.fails().reason is Reason.IMAGE_MISSING
    assert puts(desk) == desk.registry.made("POST") == []


def test_an_envelope_that_is_too_large_is_not_sent() -> None:
    desk = Desk()
    with pytest.raises(DeployError, match=f"{LARGEST} are the most"):
        desk.attach(b"x" * (LARGEST + 1))
    assert desk.registry.requests == []


# --- others who write at the same time --------------------------------------------------------------------


def test_who_was_undone_by_a_later_writer_writes_again() -> None:
    desk = Desk()
    undone = []

    def trouble(asked: Request) -> Answer | None:
        if lists(asked, "GET") and TAG in desk.registry.tags and not undone:
            undone.extend(desk.write("theirs"))
        return None

    desk.registry.trouble = trouble
    desk.attach()
    assert undone
    assert desk.attached() == (THEIRS, OURS)


def test_nobody_is_undone_who_was_faster() -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        if asked.method == "PUT" and ".bundle-" in asked.url and TAG not in desk.registry.tags:
            desk.registry.trouble = between
        return None

    def between(asked: Request) -> Answer | None:
        seen = [one for one in desk.registry.requests if lists(one, "GET")]
        if lists(asked, "GET") and len(seen) == 3:  # once to look, once to extend, once before writing
            desk.write("theirs")
        return None

    desk.registry.trouble = trouble
    desk.attach()
    put = [json.loads(asked.body) for asked in desk.registry.requests if lists(asked, "PUT")]
    assert [len(one["manifests"]) for one in put] == [2]


def test_reading_back_waits_until_others_have_written() -> None:
    desk = Desk()
    moments: list[float] = []

    def trouble(asked: Request) -> Answer | None:
        if asked.url.endswith(PAGE):
            moments.append(desk.clock.monotonic())
        return None

    desk.registry.trouble = trouble
    desk.attach()
    assert moments[-1] - moments[-2] == SETTLE


def test_who_is_undone_for_ever_gives_up() -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        if lists(asked, "PUT"):
            desk.write("theirs")
            return Response(status=201)
        return None

    desk.registry.trouble = trouble
    assert "does not stay there" in desk.fails().message
    assert len([asked for asked in desk.registry.requests if lists(asked, "PUT")]) == len(PAUSES) + 1


@pytest.mark.parametrize("lost", [Response(status=502), TimedOut("late"), Unreachable("reset")])
def test_an_answer_that_got_lost_is_looked_for_and_not_written_twice(lost: Answer) -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        if not lists(asked, "PUT"):
            return None
        desk.registry.put(asked.body, INDEX, TAG)
        return lost

    desk.registry.trouble = trouble
    desk.attach()
    assert len([asked for asked in desk.registry.requests if lists(asked, "PUT")]) == 1


# --- what the registry lists by itself --------------------------------------------------------------------


def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    desk = Desk()
    desk.registry.listing, desk.registry.page = True, 1
    texts = [envelope(name) for name in "abc"]
    for text in texts:
        desk.attach(text)
    assert sorted(desk.attached()) == sorted(texts)


@pytest.mark.parametrize(
    "link",
    [
        '<https://evil.example/v2/>; rel="next"',
        "<//evil.example/v2/>; rel=next",
        '<https://r.example@evil.example/v2/>; rel="next"',
        '<>; rel="next"',
        f'</v2/shop/api/referrers/{sha(IMAGE)}>; rel="next"',
    ],
)
def test_a_next_page_elsewhere_is_not_asked_for_and_one_without_end_is_left(link: str) -> None:
    desk = Desk()
    desk.registry.listing = True
    page = Response(status=200, headers={"content-type": INDEX, "link": link}, body=b'{"manifests": []}')
    desk.registry.trouble = lambda asked: page if "/referrers/" in asked.url else None
    if link.startswith("<>"):
        assert desk.attached() == ()
    else:
        with pytest.raises(DeployError, match="does not come to an end"):
            desk.attached()
    assert not any("evil" in asked.url for asked in desk.registry.requests)
    assert len(desk.registry.requests) <= PAGES + 1


@pytest.mark.parametrize(
    "answer",
    [
        *(Response(status=status) for status in (400, 404, 406)),
        Response(status=200, headers={"content-type": "text/html"}, body=b"<html>"),
        Response(status=200, headers={"content-type": f"{INDEX}; charset=utf-8"}, body=b'{"manifests": []}'),
    ],
)
def test_what_cosign_takes_for_no_list_means_that_one_is_kept(answer: Response) -> None:
    desk = Desk()
    desk.registry.trouble = lambda asked: answer if "/referrers/" in asked.url else None
    desk.attach()
    assert len(desk.listed()) == 1
    assert desk.attached() == (OURS,)


def test_a_registry_that_lists_late_is_waited_for() -> None:
    desk, left = Desk(), [True, True, True]
    desk.registry.listing = True
    page = Response(status=200, headers={"content-type": INDEX}, body=b'{"manifests": []}')
    desk.registry.trouble = lambda asked: page if "/referrers/" in asked.url and left and left.pop() else None
    desk.attach()
    assert not left


# --- registries that fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Response(status=500), Response(status=429), TimedOut("late")])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_moment_of_trouble_is_waited_out(method: str, trouble: Answer) -> None:
    desk, left = Desk(), [trouble, trouble]
    desk.registry.trouble = lambda asked: left.pop() if asked.method == method and left else None
    desk.attach()
    assert desk.attached() == (OURS,)
    assert not left


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_lasting_trouble_ends_after_a_few_tries(method: str) -> None:
    desk = Desk()
    desk.registry.trouble = lambda asked: Unreachable("refused") if asked.method == method else None
    error = desk.fails()
    assert (error.reason, "refused" in error.message) == (Reason.REGISTRY, True)
    tries = BACK_OFF if method in ("GET", "HEAD") else PAUSES
    assert len([asked for asked in desk.registry.requests if asked.method == method]) == len(tries) + 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("ask", [Desk.attach, Desk.attached])
def test_a_list_that_may_not_be_seen_is_a_refusal_and_not_an_empty_one(
    ask: Callable[[Desk], object], status: int
) -> None:
    desk = Desk()
    realm = {"www-authenticate": 'Basic realm="x"'}
    no = Response(status=status, headers=realm)
    desk.registry.trouble = lambda asked: no if "/referrers/" in asked.url else None
    with pytest.raises(DeployError):
        ask(desk)
    assert puts(desk) == []


def test_who_may_not_push_is_told_so() -> None:
    desk = Desk()
    desk.registry.trouble = lambda asked: Response(status=403) if asked.method == "PUT" else None
    assert isinstance(desk.fails(), Denied)


def test_no_request_is_made_when_the_time_for_all_is_over() -> None:
    desk = Desk()
    moments: list[float] = []

    def trouble(asked: Request) -> Answer | None:
        moments.append(desk.clock.monotonic() + asked.timeout)
        desk.clock.sleep(asked.timeout - 0.1)
        return Response(status=503) if asked.method == "PUT" else None

    desk.registry.trouble = trouble
    assert desk.fails().reason is Reason.REGISTRY
    assert max(moments) <= SECONDS


# --- what others wrote ------------------------------------------------------------------------------------


GOOD = {"mediaType": MANIFEST, "digest": sha(b"x")}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"{}",
        b'{"manifests": 3}',
        *(
            json.dumps({"manifests": [entry]}).encode()
            for entry in (3, [], "x", {}, {**GOOD, "digest": f"../../{sha(b'x')}"}, {**GOOD, "mediaType": 3})
        ),
    ],
)
@pytest.mark.parametrize("listing", [True, False])
def test_a_list_that_is_none_is_neither_read_nor_replaced(content: bytes, listing: bool) -> None:
    desk = Desk()
    if listing:
        page = Response(status=200, headers={"content-type": INDEX}, body=content)
        desk.registry.trouble = lambda asked: page if "/referrers/" in asked.url else None
    else:
        desk.registry.put(content, INDEX, TAG)
    assert "is no index" in desk.fails().message
    with pytest.raises(DeployError, match="is no index"):
        desk.attached()
    assert puts(desk) == []


def test_an_image_under_the_tag_of_the_list_is_not_replaced() -> None:
    desk = Desk()
    desk.registry.put(IMAGE, MANIFEST, TAG)
    assert "is no index" in desk.fails().message
    assert desk.registry.tags[TAG] == sha(IMAGE)


def test_a_list_that_is_too_long_is_refused_and_a_full_one_not_extended() -> None:
    desk = Desk()
    for count, said in ((MOST + 1, f"{MOST} are the most"), (MOST, "more are not read")):
        content = json.dumps({"manifests": [GOOD] * count}).encode()
        desk.registry.put(content, INDEX, TAG)
        assert said in desk.fails().message
        assert desk.registry.manifests[desk.registry.tags[TAG]][1] == content


LAYER = {"mediaType": BUNDLE, "digest": sha(b"{}"), "size": 2}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[" * 100_000,
        b"{}",
        b'{"layers": []}',
        *(
            json.dumps({"layers": [layer]}).encode()
            for layer in (
                3,
                {},
                {**LAYER, "mediaType": "application/vnd.cncf.notary.signature"},
                {**LAYER, "mediaType": 3},
                {**LAYER, "digest": "sha256:no"},
                {**LAYER, "size": True},
                {**LAYER, "size": -1},
                LAYER,
            )
        ),
        json.dumps({"layers": [LAYER], "annotations": {"dev.sigstore.bundle.predicateType": SBOM}}).encode(),
    ],
)
def test_what_is_no_bundle_with_a_statement_is_left_out_and_stays(manifest: bytes) -> None:
    desk = Desk()
    desk.registry.blobs[sha(b"{}")] = b"{}"
    strange = desk.registry.put(manifest, MANIFEST)
    entries = [{"mediaType": MANIFEST, "digest": digest} for digest in (strange, desk.stored("theirs"))]
    desk.registry.put(json.dumps({"manifests": entries}).encode(), INDEX, TAG)
    desk.attach()
    assert desk.attached() == (THEIRS, OURS)
    assert strange in desk.listed()


def test_more_bytes_than_are_read_are_refused_before_they_are_asked_for() -> None:
    desk = Desk()
    layer = {**LAYER, "size": 2 * LARGEST + 1}
    large = desk.registry.put(json.dumps({"layers": [layer]}).encode(), MANIFEST)
    entries = [{"mediaType": MANIFEST, "digest": large}]
    desk.registry.put(json.dumps({"manifests": entries}).encode(), INDEX, TAG)
    with pytest.raises(DeployError, match="more than is read"):
        desk.attached()
    assert not any("/blobs/" in asked.url for asked in desk.registry.requests)


def test_another_blob_than_was_written_is_a_broken_registry() -> None:
    desk = Desk()
    desk.registry.trouble = lambda asked: (
        Response(status=200, body=b"x") if asked.method == "GET" and "/blobs/" in asked.url else None
    )
    assert "sends something else" in desk.fails().message
