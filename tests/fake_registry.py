"""A registry in memory: what the distribution specification says about manifests, blobs and referrers.

It is a `Net`. Like the real one of the laboratory it has no compare-and-swap, and takes no manifest that
names what it does not have.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from ci_lib.ports.protocols import Response
from tests.fakes import Answer, Request

ANY_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Trouble = Callable[[Request], Answer | None]
"""What comes instead of an answer; None leaves it to the registry."""


def sha(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@dataclass
class FakeRegistry:
    """One repository of r.example. `trouble` is asked before each request, and may change what is there."""

    base: str = "https://r.example/v2/shop/api"
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    trouble: Trouble = lambda _: None
    listing: bool = False
    """Whether it lists what refers to an image by itself; `page`: how many on one page."""
    page: int = 100
    location: str = "/v2/shop/api/blobs/uploads/{number}?_state=s"
    _numbers: itertools.count = field(default_factory=itertools.count)  # type: ignore[type-arg]

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        asked = Request(
            method=method,
            url=url,
            headers=dict(headers or {}),
            body=body,
            timeout=timeout,
            connect_to=connect_to,
        )
        self.requests.append(asked)
        answer = self.trouble(asked) or self._answer(asked)
        if isinstance(answer, BaseException):
            raise answer
        sent = b"" if method == "HEAD" else answer.body[:limit]
        return Response(status=answer.status, headers=answer.headers, body=sent)

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        raise AssertionError("a registry is asked by HTTP")

    # --- what a test does itself

    def put(self, body: bytes, kind: str, tag: str = "") -> str:
        """Put a manifest, as somebody else would; returns its digest."""
        digest = sha(body)
        self.manifests[digest] = (kind, body)
        if tag:
            self.tags[tag] = digest
        return digest

    def under(self, tag: str) -> dict[str, object]:
        """The manifest under a tag."""
        content: dict[str, object] = json.loads(self.manifests[self.tags[tag]][1])
        return content

    def made(self, method: str) -> list[str]:
        """The URLs below the repository that a method was used for."""
        return [asked.url.removeprefix(self.base) for asked in self.requests if asked.method == method]

    # --- the protocol

    def _answer(self, asked: Request) -> Response:
        assert asked.url.startswith(f"{self.base}/"), f"nobody expected {asked.method} {asked.url}"
        parts = urlsplit(asked.url.removeprefix(self.base))
        match asked.method, parts.path.strip("/").split("/"):
            case ("GET" | "HEAD"), ["manifests", name]:
                return self._manifest(name)
            case "GET", ["referrers", digest]:
                return self._referrers(digest, parse_qs(parts.query))
            case ("GET" | "HEAD"), ["blobs", digest]:
                blob = self.blobs.get(digest)
                return _no(404, "BLOB_UNKNOWN") if blob is None else Response(status=200, body=blob)
            case "POST", ["blobs", "uploads"]:
                place = self.location.format(number=next(self._numbers))
                return Response(status=202, headers={"location": place})
            case "PUT", ["blobs", "uploads", _]:
                return self._take_blob(asked.body, parse_qs(parts.query)["digest"][0])
            case "PUT", ["manifests", tag]:
                return self._take_manifest(asked, tag)
        raise AssertionError(f"nobody expected {asked.method} {asked.url}")

    def _manifest(self, name: str) -> Response:
        found = self.manifests.get(self.tags.get(name, name))
        if found is None:
            return _no(404, "MANIFEST_UNKNOWN")
        return Response(status=200, headers={"content-type": found[0]}, body=found[1])

    def _take_blob(self, body: bytes, digest: str) -> Response:
        if sha(body) != digest:
            return _no(400, "DIGEST_INVALID")
        self.blobs[digest] = body
        return Response(status=201)

    def _take_manifest(self, asked: Request, tag: str) -> Response:
        content = json.loads(asked.body)
        if any(entry["digest"] not in self.manifests for entry in content.get("manifests", [])):
            return _no(400, "MANIFEST_BLOB_UNKNOWN")
        wanted = [entry["digest"] for entry in [*content.get("layers", []), content.get("config")] if entry]
        if "layers" in content and not all(digest in self.blobs for digest in wanted):
            return _no(400, "MANIFEST_BLOB_UNKNOWN")
        by_digest = ANY_DIGEST.fullmatch(tag) is not None
        assert not by_digest or tag == sha(asked.body)
        self.put(asked.body, asked.headers["Content-Type"], "" if by_digest else tag)
        return Response(status=201)

    def _referrers(self, digest: str, query: Mapping[str, list[str]]) -> Response:
        if not self.listing:
            return _no(404, "NOT_FOUND")
        entries = []
        for own, (kind, body) in self.manifests.items():
            content = json.loads(body)
            if content.get("subject", {}).get("digest") == digest:
                named = {key: content[key] for key in ("artifactType", "annotations") if key in content}
                entries.append({"mediaType": kind, "digest": own, "size": len(body), **named})
        start = int(query.get("from", ["0"])[0])
        headers = {"content-type": "application/vnd.oci.image.index.v1+json"}
        if len(entries) > start + self.page:
            path = urlsplit(self.base).path
            headers["link"] = f'<{path}/referrers/{digest}?from={start + self.page}>; rel="next"'
        index = {"schemaVersion": 2, "mediaType": headers["content-type"]}
        body = json.dumps({**index, "manifests": entries[start : start + self.page]}).encode()
        return Response(status=200, headers=headers, body=body)


def _no(status: int, code: str) -> Response:
    return Response(status=status, body=json.dumps({"errors": [{"code": code}]}).encode())
