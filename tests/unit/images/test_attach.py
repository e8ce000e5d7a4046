"""Attestations beside an image: how they are listed, what others wrote, and every way a registry can fail."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.attach import LARGEST, MOST_BYTES, SECONDS, SETTLE, attach, attached
from ci_lib.images.attestations import CONFIG, ENVELOPE, MANIFEST, MOST
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import BACK_OFF, LIMIT, Denied
from ci_lib.images.patience import PAUSES
from ci_lib.images.registry import MEDIA_TYPES
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.fake_registry import FakeRegistry, sha
from tests.fakes import Answer, FakeClock, Request

VSA = "https://slsa.dev/verification_summary/v1"
SBOM = "https://spdx.dev/Document"
IMAGE = "sha256:" + "ab" * 32
TAG = f"sha256-{'ab' * 32}.att"
PAGE = f"/manifests/{TAG}"
OURS, THEIRS = b'{"payload": "ours"}', b'{"payload": "theirs"}'
KIM = Credential(username="kim", password="s3cret")


@dataclass
class Desk:
    """A registry, and the two functions that are tested bound to it."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)
    clock: FakeClock = field(default_factory=FakeClock)
    login: Credential | None = None
    reference: str = f"r.example/shop/api:v1@{IMAGE}"

    def attach(self, envelope: bytes = OURS, kind: str = VSA) -> None:
        attach(Reference.parse(self.reference), envelope, kind, **self.tools)

    def attached(self, kind: str = VSA) -> tuple[bytes, ...]:
        return attached(Reference.parse(self.reference), kind, **self.tools)

    def fails(self) -> DeployError:
        with pytest.raises(DeployError) as caught:
            self.attach()
        return caught.value

    @property
    def tools(self) -> dict[str, Any]:
        return {"net": self.registry, "credentials": lambda _host: self.login, "clock": self.clock}

    def write(self, *envelopes: bytes, kind: str = MANIFEST, **more: Any) -> None:
        """Put a list as somebody else would, without looking at what is there."""
        layers = [
            {"mediaType": ENVELOPE, "digest": sha(body), "size": len(body), "annotations": {"mine": "x"}}
            for body in envelopes
        ]
        self.registry.blobs |= {sha(body): body for body in envelopes}
        self.registry.put(json.dumps({"layers": layers} | more).encode(), kind, TAG)

    def listed(self) -> list[str]:
        layers: Any = self.registry.under(TAG)["layers"]
        return [layer["digest"] for layer in layers]


def lists(asked: Request, method: str) -> bool:
    return asked.method == method and asked.url.endswith(PAGE)


def is_envelope(asked: Request) -> bool:
    return asked.method == "PUT" and asked.body == OURS


# --- what is written --------------------------------------------------------------------------------------


def test_the_list_looks_as_cosign_writes_it() -> None:
    desk = Desk()
    desk.attach()
    layer = {
        "mediaType": ENVELOPE,
        "digest": sha(OURS),
        "size": len(OURS),
        "annotations": {"dev.cosignproject.cosign/signature": "", "predicateType": VSA},
    }
    written = desk.registry.under(TAG)
    config = desk.registry.blobs[written["config"]["digest"]]  # type: ignore[index]
    assert written == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha(config), "size": len(config)},
        "layers": [layer],
    }
    assert json.loads(config)["rootfs"] == {"type": "layers", "diff_ids": [sha(OURS)]}
    assert len(json.loads(config)["history"]) == 1
    assert desk.registry.manifests[desk.registry.tags[TAG]][0] == MANIFEST
    assert desk.registry.blobs[sha(OURS)] == OURS


def test_what_others_attached_stays_as_it_is() -> None:
    desk = Desk()
    desk.write(THEIRS, annotations={"a": "b"}, subject={"digest": IMAGE})
    before = desk.registry.under(TAG)
    desk.attach()
    after = desk.registry.under(TAG)
    assert after["layers"][:1] == before["layers"]  # type: ignore[index]
    assert desk.listed() == [sha(THEIRS), sha(OURS)]
    assert (after["annotations"], after["subject"]) == ({"a": "b"}, {"digest": IMAGE})


def test_the_same_envelope_twice_changes_nothing() -> None:
    desk = Desk()
    desk.attach()
    desk.registry.requests.clear()
    desk.clock.slept.clear()
    desk.attach()
    assert {asked.method for asked in desk.registry.requests} == {"GET"}
    assert desk.clock.slept == []


def test_a_blob_that_is_there_is_not_uploaded_again() -> None:
    desk = Desk()
    desk.registry.blobs[sha(OURS)] = OURS
    desk.attach()
    assert not any(map(is_envelope, desk.registry.requests))


def test_the_question_for_a_blob_may_lead_to_another_server_without_the_login() -> None:
    desk = Desk(login=KIM)
    realm = Response(status=401, headers={"www-authenticate": 'Basic realm="x"'})

    def trouble(asked: Request) -> Answer | None:
        if asked.url.startswith("https://cdn.example/"):
            return Response(status=200)
        if "Authorization" not in asked.headers:
            return realm
        if asked.method == "HEAD" and asked.url.endswith(sha(OURS)):
            return Response(status=307, headers={"location": "https://cdn.example/blob"})
        return None

    desk.registry.blobs[sha(OURS)] = OURS
    desk.registry.trouble = trouble
    desk.attach()
    moved = [asked for asked in desk.registry.requests if asked.url.startswith("https://cdn.example/")]
    assert [(asked.method, "Authorization" in asked.headers) for asked in moved] == [("HEAD", False)]
    assert not any(map(is_envelope, desk.registry.requests))


def test_an_envelope_whose_blob_was_lost_is_uploaded_again_and_listed_once() -> None:
    desk = Desk()
    desk.write(OURS, THEIRS)
    del desk.registry.blobs[sha(OURS)]
    desk.attach()
    assert desk.listed() == [sha(THEIRS), sha(OURS)]
    assert desk.attached() == (THEIRS, OURS)


def test_the_name_of_the_tag_is_no_part_of_it() -> None:
    desk = Desk()
    desk.attach()
    desk.reference = f"r.example/shop/api:v2@{IMAGE}"
    assert desk.attached() == (OURS,)


def test_a_reference_without_a_digest_is_refused() -> None:
    desk = Desk(reference="r.example/shop/api:v1")
    with pytest.raises(UsageFault, match="has no digest"):
        desk.attach()
    with pytest.raises(UsageFault, match="has no digest"):
        desk.attached()
    assert desk.registry.requests == []


# --- others who write at the same time --------------------------------------------------------------------


def test_who_was_undone_by_a_later_writer_writes_again() -> None:
    desk = Desk()
    undone = []

    def trouble(asked: Request) -> Answer | None:
        if lists(asked, "GET") and TAG in desk.registry.tags and not undone:
            desk.write(THEIRS)
            undone.append(True)
        return None

    desk.registry.trouble = trouble
    desk.attach()
    assert undone
    assert desk.listed() == [sha(THEIRS), sha(OURS)]


def test_nobody_is_undone_who_was_faster() -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        if asked.method == "PUT" and b"diff_ids" in asked.body and TAG not in desk.registry.tags:
            desk.write(THEIRS)
        return None

    desk.registry.trouble = trouble
    desk.attach()
    put = [json.loads(asked.body) for asked in desk.registry.requests if lists(asked, "PUT")]
    assert [[layer["digest"] for layer in one["layers"]] for one in put] == [[sha(THEIRS), sha(OURS)]]


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
            desk.write(THEIRS)
            return Response(status=201)
        return None

    desk.registry.trouble = trouble
    error = desk.fails()
    assert "does not stay there" in error.message
    assert len([asked for asked in desk.registry.requests if lists(asked, "PUT")]) == len(PAUSES) + 1


def test_two_envelopes_wait_differently_and_each_the_same_every_time() -> None:
    def pauses(envelope: bytes) -> list[float]:
        desk = Desk()
        desk.registry.trouble = lambda asked: Response(status=503) if asked.method == "POST" else None
        with pytest.raises(DeployError):
            desk.attach(envelope)
        return desk.clock.slept

    assert pauses(OURS) == pauses(OURS) != pauses(THEIRS)
    assert all(0.5 <= slept / pause <= 1.5 for slept, pause in zip(pauses(OURS), PAUSES, strict=True))


# --- registries that fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [Response(status=502), TimedOut("late"), Unreachable("reset")])
def test_an_answer_that_got_lost_is_looked_for_and_not_written_twice(lost: Answer) -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        if not lists(asked, "PUT"):
            return None
        desk.registry.put(asked.body, MANIFEST, TAG)
        return lost

    desk.registry.trouble = trouble
    desk.attach()
    assert len([asked for asked in desk.registry.requests if lists(asked, "PUT")]) == 1
    assert desk.clock.slept[0] == SETTLE


@pytest.mark.parametrize(
    "trouble", [Response(status=500), Response(status=429), Unreachable("reset"), TimedOut("late")]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_moment_of_trouble_is_waited_out(method: str, trouble: Answer) -> None:
    desk, left = Desk(), [trouble, trouble]
    desk.registry.trouble = lambda asked: left.pop() if asked.method == method and left else None
    desk.attach()
    assert desk.attached() == (OURS,)
    assert not left


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (Response(status=500), "500 Internal Server Error"),
        (Response(status=429), "429 Too Many Requests"),
        (Unreachable("refused"), "does not answer: refused"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_lasting_trouble_ends_after_a_few_tries(method: str, trouble: Answer, said: str) -> None:
    desk = Desk()
    desk.registry.trouble = lambda asked: trouble if asked.method == method else None
    error = desk.fails()
    assert (error.reason, said in error.message) == (Reason.REGISTRY, True), error.message
    tries = BACK_OFF if method == "GET" else PAUSES
    assert len([asked for asked in desk.registry.requests if asked.method == method]) == len(tries) + 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("status", "hint"),
    [(400, "immutable"), (404, "does the repository exist"), (413, "limits the size"), (307, "immutable")],
)
def test_a_registry_that_takes_nothing_is_told_at_once(method: str, status: int, hint: str) -> None:
    desk = Desk()
    no = Response(status=status, headers={"location": "https://evil.example/"}, body=b"x" * LIMIT)
    desk.registry.trouble = lambda asked: no if asked.method == method else None
    error = desk.fails()
    assert error.reason is Reason.REGISTRY
    assert (str(status) in error.message, hint in error.hint) == (True, True)
    assert len(desk.registry.made(method)) == 1


@pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN"])
def test_what_a_garbage_collection_took_meanwhile_is_uploaded_again(code: str) -> None:
    desk, left = Desk(), [True]
    gone = Response(status=404, body=json.dumps({"errors": [{"code": code}]}).encode())

    def trouble(asked: Request) -> Answer | None:
        if lists(asked, "PUT") and left:
            left.clear()
            desk.registry.blobs.clear()
            return gone
        return None

    desk.registry.trouble = trouble
    desk.attach()
    assert desk.attached() == (OURS,)


@pytest.mark.parametrize("login", [None, KIM])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_who_may_not_push_is_told_so(login: Credential | None, status: int, method: str) -> None:
    desk = Desk(login=login)
    realm = 'Bearer realm="https://auth.example/token",service="r.example"'
    no = Response(
        status=status, headers={"www-authenticate": realm}, body=b'{"errors": [{"code": "DENIED"}]}'
    )
    token = Response(status=200, body=b'{"token": "t0ken"}')

    def trouble(asked: Request) -> Answer | None:
        if asked.url.startswith("https://auth.example/"):
            return token
        return no if asked.method == method else None

    desk.registry.trouble = trouble
    error = desk.fails()
    assert isinstance(error, Denied)
    assert (str(status) in error.message, "DENIED" in error.message) == (True, True)
    assert ("may kim push to shop/api" if login and status == 401 else "docker login") in error.hint
    assert "s3cret" not in error.message + error.hint


def test_who_gets_no_token_is_told_that_it_was_for_pushing() -> None:
    desk = Desk(login=KIM)
    realm = Response(status=401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token"'})
    desk.registry.trouble = lambda asked: Response(status=403) if "/token?" in asked.url else realm
    error = desk.fails()
    assert isinstance(error, Denied)
    assert "may kim push to shop/api" in error.hint


def test_a_token_is_asked_for_pulling_and_pushing_this_repository() -> None:
    desk = Desk(login=KIM)
    realm = Response(
        status=401, headers={"www-authenticate": 'Bearer realm="https://auth.example/token",service="r.example"'}
    )

    def trouble(asked: Request) -> Answer | None:
        if asked.url.startswith("https://auth.example/"):
            return Response(status=200, body=b'{"token": "t0ken"}')
        return None if asked.headers.get("Authorization") == "Bearer t0ken" else realm

    desk.registry.trouble = trouble
    desk.attach()
    tokens = [asked for asked in desk.registry.requests if asked.url.startswith("https://auth.example/")]
    assert [asked.url for asked in tokens] == [
        "https://auth.example/token?scope=repository%3Ashop%2Fapi%3Apull%2Cpush&service=r.example"
    ]
    assert tokens[0].headers["Authorization"] == "Basic " + base64.b64encode(b"kim:s3cret").decode()
    desk.registry.requests.clear()
    desk.attached()
    assert "Apull&" in next(asked.url for asked in desk.registry.requests if "/token?" in asked.url)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://evil.example/v2/upload",
        "http://r.example/v2/upload",
        "//evil.example/upload",
        "https://r.example@evil.example/upload",
        "https://kim:x@r.example/upload",
        "https://r.example:8443/upload",
        "https://r.example.evil.example/upload",
        "https://r.example\\.evil.example/upload",
        "ftp://r.example/",
        "https://[::1",
        "/v2/a b",
        "/v2/\r\nX-Evil:1",
        "/v2/\tx",
        "/v2/\u202e",
    ],
)
def test_nothing_is_uploaded_to_anybody_else(location: str) -> None:
    desk = Desk(registry=FakeRegistry(location=location.replace("{", "{{")), login=KIM)
    error = desk.fails()
    assert (error.reason, "wants an upload sent to" in error.message) == (Reason.REGISTRY, True)
    assert "\u202e" not in error.message
    assert desk.registry.made("PUT") == []
    assert all(asked.url.startswith("https://r.example/") for asked in desk.registry.requests)


@pytest.mark.parametrize(
    "location",
    [
        "https://r.example/v2/shop/api/blobs/uploads/{number}",
        "https://R.EXAMPLE/v2/shop/api/blobs/uploads/{number}?_state=a%2Bb&c",
        "https://r.example:443/v2/shop/api/blobs/uploads/{number}",
        "{number}",
        "/v2/shop/api/blobs/uploads/{number}#part",
    ],
)
def test_an_upload_goes_where_the_registry_says_on_itself(location: str) -> None:
    desk = Desk(registry=FakeRegistry(location=location))
    desk.attach()
    place = desk.registry.made("PUT")[0]
    assert place.startswith("/blobs/uploads/0?")
    assert place.endswith(f"digest={sha(OURS).replace(':', '%3A')}")
    assert ("?_state=a%2Bb&c&digest" in place) == ("_state" in location)


# --- what is read and not believed ------------------------------------------------------------------------


def test_nothing_attached_is_no_envelope() -> None:
    assert Desk().attached() == ()


def test_another_type_or_another_medium_is_left_out_and_what_says_nothing_is_not() -> None:
    desk = Desk()
    desk.write(THEIRS)
    desk.attach(OURS)
    desk.attach(b'{"sbom": 1}', SBOM)
    content: Any = desk.registry.under(TAG)
    content["layers"].append(
        {"mediaType": "text/plain", "digest": sha(b"x"), "size": 1, "annotations": {"predicateType": VSA}}
    )
    desk.registry.put(json.dumps(content).encode(), MANIFEST, TAG)
    assert desk.attached() == (THEIRS, OURS)
    assert desk.attached(SBOM) == (THEIRS, b'{"sbom": 1}')


@pytest.mark.parametrize("kind", [kind for kind in MEDIA_TYPES if kind != MANIFEST])
def test_another_kind_of_manifest_is_neither_read_nor_replaced(kind: str) -> None:
    desk = Desk()
    desk.write(THEIRS, kind=kind)
    assert "no list of attestations" in desk.fails().message
    with pytest.raises(DeployError, match="no list of attestations"):
        desk.attached()
    assert desk.registry.made("POST") == []


GOOD = {"mediaType": ENVELOPE, "digest": sha(OURS), "size": 3}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"{}",
        b'{"layers": 3}',
        *(
            json.dumps({"layers": [layer]}).encode()
            for layer in (
                3,
                [],
                "x",
                {},
                {**GOOD, "digest": "sha256:no"},
                {**GOOD, "digest": f"../../{sha(OURS)}"},
                {**GOOD, "digest": 3},
                {**GOOD, "size": -1},
                {**GOOD, "size": True},
                {**GOOD, "size": "3"},
                {**GOOD, "mediaType": 3},
                {**GOOD, "annotations": 3},
                {**GOOD, "annotations": {"predicateType": 3}},
            )
        ),
    ],
)
def test_a_list_that_is_none_is_neither_read_nor_replaced(content: bytes) -> None:
    desk = Desk()
    desk.registry.put(content, MANIFEST, TAG)
    assert "no list of attestations" in desk.fails().message
    with pytest.raises(DeployError, match="no list of attestations"):
        desk.attached()
    assert desk.registry.made("POST") == []


def test_another_blob_than_was_written_is_a_broken_registry() -> None:
    desk = Desk()

    def trouble(asked: Request) -> Answer | None:
        return Response(status=200, body=THEIRS) if asked.method == "GET" and "/blobs/" in asked.url else None

    desk.registry.trouble = trouble
    error = desk.fails()
    assert "sends something else" in error.message
    with pytest.raises(DeployError, match="sends something else"):
        desk.attached()


def test_an_envelope_of_another_size_than_listed_is_refused() -> None:
    desk = Desk()
    desk.registry.blobs[sha(OURS)] = OURS
    desk.registry.put(json.dumps({"layers": [GOOD]}).encode(), MANIFEST, TAG)
    with pytest.raises(DeployError, match="with 3 bytes, and it has 19"):
        desk.attached()


def test_an_envelope_that_is_listed_and_missing_is_a_fault_and_not_nothing() -> None:
    desk = Desk()
    desk.write(OURS)
    desk.registry.blobs.clear()
    with pytest.raises(DeployError, match="which is not there") as caught:
        desk.attached()
    assert caught.value.reason is Reason.REGISTRY


def test_an_envelope_that_is_too_large_is_not_sent() -> None:
    desk = Desk()
    with pytest.raises(DeployError, match=f"{LARGEST} are the most"):
        desk.attach(b"x" * (LARGEST + 1))
    assert desk.registry.requests == []


@pytest.mark.parametrize("sizes", [[LARGEST + 1], [LARGEST] * (MOST_BYTES // LARGEST) + [1]])
def test_more_bytes_than_are_read_are_refused_before_they_are_asked_for(sizes: list[int]) -> None:
    desk = Desk()
    layers = [{**GOOD, "size": size} for size in sizes]
    desk.registry.put(json.dumps({"layers": layers}).encode(), MANIFEST, TAG)
    with pytest.raises(DeployError, match="more than is read"):
        desk.attached()
    assert len(desk.registry.requests) == 1


def test_a_list_that_is_too_long_is_refused_and_a_full_one_not_extended() -> None:
    desk = Desk()
    desk.registry.put(json.dumps({"layers": [GOOD] * (MOST + 1)}).encode(), MANIFEST, TAG)
    with pytest.raises(DeployError, match=f"{MOST} are the most"):
        desk.attached()
    desk.write(*(b"%d" % number for number in range(MOST)))
    assert "cosign reads no more" in desk.fails().message
    assert len(desk.listed()) == MOST


def test_a_list_that_may_have_been_cut_off_is_refused() -> None:
    desk = Desk()
    desk.write(THEIRS, more="x" * LIMIT)
    assert "larger than" in desk.fails().message


def test_no_request_is_made_when_the_time_for_all_is_over() -> None:
    desk = Desk()
    moments: list[float] = []

    def trouble(asked: Request) -> Answer | None:
        moments.append(desk.clock.monotonic() + asked.timeout)
        desk.clock.sleep(asked.timeout - 0.1)
        return Response(status=503) if asked.method == "PUT" else None

    desk.registry.trouble = trouble
    error = desk.fails()
    assert error.reason is Reason.REGISTRY
    assert max(moments) <= SECONDS
    assert desk.clock.monotonic() < SECONDS + SETTLE + sum(BACK_OFF) + max(PAUSES) * 1.5
