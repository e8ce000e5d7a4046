import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import BACK_OFF, LIMIT
from ci_lib.images.registry import MEDIA_TYPES, resolve_digest
from ci_lib.ports.protocols import Response, TimedOut, Unreachable
from tests.fakes import FakeClock, FakeNet

BODY = b'{"schemaVersion": 2}'
DIGEST = "sha256:" + hashlib.sha256(BODY).hexdigest()
OTHER = "sha256:" + "0" * 64
URL = "https://ghcr.io/v2/acme/api/manifests/sha-1"
KIM = Credential(username="kim", password="s3cret")
BASIC = "Basic " + base64.b64encode(b"kim:s3cret").decode()
REALM = "https://auth.example/token"
TOKEN_URL = f"{REALM}?scope=repository%3Aacme%2Fapi%3Apull&service=ghcr.io"
BEARER = Response(
    status=401,
    headers={"www-authenticate": f'Bearer realm="{REALM}",service="ghcr.io",scope="repository:x:pull,push"'},
)


def manifest(body: bytes = BODY, kind: str = MEDIA_TYPES[0], **headers: str) -> Response:
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=200, headers={"content-type": kind} | extra, body=body)


def token(value: Any = "t0ken", name: str = "token") -> Response:
    return Response(status=200, body=json.dumps({name: value}).encode())


@dataclass
class Registry:
    """A scripted registry, and what `credentials` was asked."""

    pages: dict[str, Any]
    login: Credential | None = None
    net: FakeNet = field(default_factory=FakeNet)
    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[str] = field(default_factory=list)

    def credentials(self, host: str) -> Credential | None:
        self.asked.append(host)
        return self.login

    def resolve(self, reference: str = "ghcr.io/acme/api:sha-1") -> str:
        self.net.pages = self.pages
        return resolve_digest(
            Reference.parse(reference), net=self.net, credentials=self.credentials, clock=self.clock
        )

    def fails(self, reference: str = "ghcr.io/acme/api:sha-1") -> DeployError:
        with pytest.raises(DeployError) as caught:
            self.resolve(reference)
        return caught.value

    def sent(self) -> list[str]:
        return [request.headers.get("Authorization", "") for request in self.net.requests]


def test_the_digest_is_that_of_the_body() -> None:
    registry = Registry({URL: manifest(docker_content_digest=DIGEST)})
    assert registry.resolve() == DIGEST
    (request,) = registry.net.requests
    assert (request.method, request.headers["Accept"]) == ("GET", ", ".join(MEDIA_TYPES))
    assert registry.asked == [], "nobody wanted a login"


def test_a_registry_need_not_name_the_digest() -> None:
    assert Registry({URL: manifest()}).resolve() == DIGEST


@pytest.mark.parametrize("kind", [*MEDIA_TYPES, MEDIA_TYPES[2].upper() + "; charset=utf-8"])
def test_all_four_kinds_of_manifest_are_taken(kind: str) -> None:
    assert Registry({URL: manifest(kind=kind)}).resolve() == DIGEST


@pytest.mark.parametrize("claimed", [OTHER, "sha512:" + "0" * 128, "nonsense"])
def test_a_header_that_contradicts_the_body_is_refused(claimed: str) -> None:
    error = Registry({URL: manifest(docker_content_digest=claimed)}).fails()
    assert error.reason is Reason.REGISTRY
    assert DIGEST in error.message


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "text/html",
        "",
    ],
)
def test_schema_1_and_everything_else_is_refused(kind: str) -> None:
    error = Registry({URL: manifest(kind=kind)}).fails()
    assert error.reason is Reason.REGISTRY
    assert "not a manifest we can pin" in error.message


def test_a_manifest_that_may_have_been_cut_off_is_refused() -> None:
    assert "larger than" in Registry({URL: manifest(body=b"x" * (LIMIT + 1))}).fails().message


def test_a_reference_with_a_digest_is_confirmed_by_it_and_not_by_its_tag() -> None:
    page = f"https://ghcr.io/v2/acme/api/manifests/{DIGEST}"
    assert Registry({page: manifest()}).resolve(f"ghcr.io/acme/api:moved@{DIGEST}") == DIGEST


def test_another_manifest_than_the_digest_asked_for_is_refused() -> None:
    page = f"https://ghcr.io/v2/acme/api/manifests/{OTHER}"
    error = Registry({page: manifest()}).fails(f"ghcr.io/acme/api@{OTHER}")
    assert error.reason is Reason.REGISTRY


def test_neither_tag_nor_digest_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageFault, match="neither tag nor digest"):
        Registry({}).resolve("ghcr.io/acme/api")


def test_docker_hub_is_asked_at_its_own_address() -> None:
    page = "https://registry-1.docker.io/v2/library/nginx/manifests/1"
    assert Registry({page: manifest()}).resolve("nginx:1") == DIGEST


def test_loopback_is_asked_without_tls() -> None:
    page = "http://127.0.0.1:5000/v2/api/manifests/1"
    assert Registry({page: manifest()}).resolve("127.0.0.1:5000/api:1") == DIGEST


def test_a_missing_tag_is_told_with_what_to_look_at() -> None:
    body = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "::error::"}]}'
    error = Registry({URL: Response(status=404, body=body)}).fails()
    assert error.reason is Reason.IMAGE_MISSING
    assert error.message == "ghcr.io has no image ghcr.io/acme/api:sha-1"
    assert error.hint == "does the tag exist? Was the image pushed, and to this repository?"


def test_a_missing_digest_is_told_otherwise() -> None:
    page = f"https://ghcr.io/v2/acme/api/manifests/{OTHER}"
    error = Registry({page: Response(status=404)}).fails(f"ghcr.io/acme/api@{OTHER}")
    assert error.reason is Reason.IMAGE_MISSING
    assert "deleted" in error.hint


def test_a_public_image_is_read_with_an_anonymous_token() -> None:
    registry = Registry({URL: [BEARER, manifest()], TOKEN_URL: token()})
    assert registry.resolve() == DIGEST
    assert registry.asked == ["ghcr.io"]
    assert registry.sent() == ["", "", "Bearer t0ken"]


def test_a_private_image_is_read_with_a_token_for_this_repository_alone() -> None:
    registry = Registry({URL: [BEARER, manifest()], TOKEN_URL: token(name="access_token")}, login=KIM)
    assert registry.resolve() == DIGEST
    assert registry.sent() == ["", BASIC, "Bearer t0ken"]
    assert parse_qs(urlsplit(registry.net.requests[1].url).query)["scope"] == ["repository:acme/api:pull"]


def test_a_realm_may_have_a_query_of_its_own_and_no_service() -> None:
    challenge = Response(status=401, headers={"www-authenticate": 'bearer realm="https://a.example/t?x=1"'})
    page = "https://a.example/t?x=1&scope=repository%3Aacme%2Fapi%3Apull"
    assert Registry({URL: [challenge, manifest()], page: token()}).resolve() == DIGEST


def test_among_several_challenges_bearer_is_taken() -> None:
    both = f'Basic realm="a, Bearer b", Bearer realm="{REALM}", service="ghcr.io"'
    challenge = Response(status=401, headers={"www-authenticate": both})
    assert Registry({URL: [challenge, manifest()], TOKEN_URL: token()}).resolve() == DIGEST


def test_basic_is_answered_with_the_login() -> None:
    challenge = Response(status=401, headers={"www-authenticate": 'Basic realm="x"'})
    registry = Registry({URL: [challenge, manifest()]}, login=KIM)
    assert registry.resolve() == DIGEST
    assert registry.sent() == ["", BASIC]


def test_basic_without_a_login_says_where_one_comes_from() -> None:
    challenge = Response(status=401, headers={"www-authenticate": "Basic"})
    error = Registry({URL: challenge}).fails()
    assert error.reason is Reason.REGISTRY
    assert "docker login" in error.hint


@pytest.mark.parametrize("header", ["", "Negotiate", "Digest realm=x", "NotBearer realm=x"])
def test_an_unknown_kind_of_login_is_refused(header: str) -> None:
    error = Registry({URL: Response(status=401, headers={"www-authenticate": header})}, login=KIM).fails()
    assert error.reason is Reason.REGISTRY


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token",
        "http://127.0.0.1/token",
        "ftp://auth.example/",
        "//auth.example/",
        "",
        "https://",
        "https://[::1",
        "https://a.example/\u202e",
    ],
)
def test_a_login_never_goes_where_it_could_be_overheard(realm: str) -> None:
    challenge = Response(status=401, headers={"www-authenticate": f'Bearer realm="{realm}"'})
    registry = Registry({URL: challenge}, login=KIM)
    assert registry.fails().reason is Reason.REGISTRY
    assert registry.sent() == [""]


def test_a_loopback_registry_may_have_a_loopback_realm() -> None:
    page = "http://127.0.0.1:5000/v2/api/manifests/1"
    challenge = Response(status=401, headers={"www-authenticate": 'Bearer realm="http://localhost:5001/t"'})
    tokens = "http://localhost:5001/t?scope=repository%3Aapi%3Apull"
    registry = Registry({page: [challenge, manifest()], tokens: token()})
    assert registry.resolve("127.0.0.1:5000/api:1") == DIGEST


@pytest.mark.parametrize(
    "answer",
    [
        token(None),
        token(""),
        token(3),
        token("a\r\nX-Evil: 1"),
        Response(status=200, body=b"[]"),
        Response(status=200, body=b"<html>"),
        Response(status=200, body=b"[" * 100_000),
        Response(status=500),
    ],
)
def test_an_answer_without_a_token_is_refused(answer: Response) -> None:
    error = Registry({URL: BEARER, TOKEN_URL: answer}).fails()
    assert (error.reason, "token" in error.message) == (Reason.REGISTRY, True)


@pytest.mark.parametrize("login", [None, KIM])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("where", ["token", "manifest"])
def test_a_refused_login_says_what_to_do_and_shows_no_password(
    login: Credential | None, status: int, where: str
) -> None:
    no = Response(status=status, body=b'{"errors": [{"code": "DENIED"}]}')
    pages = {URL: [BEARER, no], TOKEN_URL: no if where == "token" else token()}
    error = Registry(pages, login=login).fails()
    assert error.reason is Reason.REGISTRY
    assert str(status) in error.message
    assert ("may kim read" if login else "docker login") in error.hint
    assert "s3cret" not in error.message + error.hint


def test_an_identity_token_is_named_as_what_it_is() -> None:
    login = Credential(identity_token="s3cret")
    error = Registry({URL: BEARER}, login=login).fails()
    assert "identity token" in error.message
    assert "s3cret" not in error.message + error.hint


@pytest.mark.parametrize(
    "trouble", [Response(status=503), Response(status=429), Unreachable("reset"), TimedOut("late")]
)
def test_a_moment_of_trouble_is_waited_out(trouble: Any) -> None:
    registry = Registry({URL: [trouble, trouble, manifest()]})
    assert registry.resolve() == DIGEST
    assert registry.clock.slept == list(BACK_OFF)


@pytest.mark.parametrize("trouble", [Response(status=503), Response(status=429), Unreachable("refused")])
def test_lasting_trouble_ends_after_a_few_tries(trouble: Any) -> None:
    registry = Registry({URL: trouble})
    assert registry.fails().reason is Reason.REGISTRY
    assert len(registry.net.requests) == len(BACK_OFF) + 1
    assert registry.clock.slept == list(BACK_OFF)


def test_the_reason_of_lasting_trouble_is_told() -> None:
    assert Registry({URL: Unreachable("ghcr.io: refused")}).fails().message == (
        "ghcr.io does not answer: ghcr.io: refused"
    )
    busy = Response(status=503, body=b'{"errors": [{"code": "UNAVAILABLE"}]}')
    assert Registry({URL: busy}).fails().message == (
        "ghcr.io did not answer for ghcr.io/acme/api:sha-1: 503 Service Unavailable (UNAVAILABLE)"
    )


@pytest.mark.parametrize("code", ["::error::", "x" * 99, 3, None, "A\n"])
def test_only_a_plain_error_code_of_the_registry_is_shown(code: Any) -> None:
    body = json.dumps({"errors": [{"code": code}]}).encode()
    assert Registry({URL: Response(status=400, body=body)}).fails().message.endswith("400 Bad Request")


def moved(to: str) -> Response:
    return Response(status=307, headers={"location": to})


def test_a_redirect_is_followed_without_taking_the_login_along() -> None:
    pages = {URL: [BEARER, moved("https://cdn.example/m")], TOKEN_URL: token()}
    registry = Registry(pages | {"https://cdn.example/m": manifest()}, login=KIM)
    assert registry.resolve() == DIGEST
    assert registry.sent() == ["", BASIC, "Bearer t0ken", ""]


def test_a_redirect_within_the_registry_keeps_the_login() -> None:
    pages = {URL: [BEARER, moved("/v2/new")], TOKEN_URL: token(), "https://ghcr.io/v2/new": manifest()}
    registry = Registry(pages)
    assert registry.resolve() == DIGEST
    assert registry.sent()[-1] == "Bearer t0ken"


@pytest.mark.parametrize("to", ["http://ghcr.io/v2/x", "http://127.0.0.1/x", "file:///etc/passwd"])
def test_a_redirect_away_from_tls_is_refused(to: str) -> None:
    assert "without TLS" in Registry({URL: moved(to)}).fails().message


def test_redirects_have_an_end() -> None:
    assert "redirects more than" in Registry({URL: moved(URL)}).fails().message
