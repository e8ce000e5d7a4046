"""Put small blobs and manifests into a registry.

Protocol: github.com/opencontainers/distribution-spec, "Pushing blobs" and "Pushing manifests".
"""

import hashlib
from typing import ClassVar
from urllib.parse import urlencode

from ci_lib.domain.images import is_digest
from ci_lib.images.challenge import Access, refused
from ci_lib.images.fetch import Denied, Passing, fault, status_words
from ci_lib.images.places import place_at
from ci_lib.images.registry import Registry, code_in
from ci_lib.ports.protocols import Response

_GONE = frozenset({" (MANIFEST_BLOB_UNKNOWN)", " (BLOB_UPLOAD_UNKNOWN)", " (BLOB_UPLOAD_INVALID)"})
"""What was uploaded before has vanished (a garbage collection, a restart): uploading it again helps."""

_HINTS = {
    404: "does the repository exist, and does the registry take what is no image?",
    413: "the registry, or a proxy before it, limits the size of what is sent to it",
}
_HINT = "can tags be changed there? A registry with immutable tags has to except this one"


class WritableRegistry(Registry):
    """A ``Registry`` that is also written to: a login is asked for the right to pull and to push."""

    _access: ClassVar[Access] = Access.WRITE

    def put_blob(self, body: bytes) -> str:
        """Upload ``body`` if the registry does not have it; returns its digest.

        Raises ``Passing`` for what may go well in a moment, ``Denied`` where pushing is not allowed, and
        ``DeployError`` with REGISTRY.
        """
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        blob = self._url(f"blobs/{digest}")
        if self._logged_in(lambda login: self._fetcher.head(blob, login)).status == 200:
            return digest
        start = self._url("blobs/uploads/")
        begun = self._send("POST", start, b"", "", what="an upload")
        place = self._upload(start, begun.headers.get("location", ""), digest)
        self._send("PUT", place, body, "application/octet-stream", what=f"the blob {digest}")
        return digest

    def put_manifest(self, name: str, kind: str, body: bytes) -> None:
        """Put a manifest of media type ``kind`` under a tag, whatever is there; raises as ``put_blob``.

        ``name`` may also be its digest: then no tag names it. What it names itself has to be there. It is
        sent once: what became of it is for the caller to look at, before anything is sent again.
        """
        what = f"the manifest {name}" if is_digest(name) else f"the tag {name}"
        self._send("PUT", self._url(f"manifests/{name}"), body, kind, what=what)

    def _send(self, method: str, url: str, body: bytes, kind: str, *, what: str) -> Response:
        headers = {"Content-Type": kind} if kind else {}
        response = self._logged_in(
            lambda login: self._fetcher.send(method, url, {**headers, **login}, body)
        )
        self._require_taken(response, what)
        return response

    def _require_taken(self, response: Response, what: str) -> None:
        if 200 <= response.status < 300:
            return
        address, code = self._address, code_in(response.body)
        message = f"{address.full} does not take {what}: {status_words(response.status)}{code}"
        if response.status in (401, 403):
            raise Denied(message, hint=refused(address, self._known, self._access))
        if code in _GONE:
            raise Passing(message, hint="does a garbage collection run there? Run this again after it")
        raise fault(message, hint=_HINTS.get(response.status, _HINT))

    def _upload(self, start: str, location: str, digest: str) -> str:
        """The URL to upload to. The registry names it, and may name no other server than itself."""
        place = place_at(self._address.api, start, location)
        if not place:
            raise fault(
                f"{self._address.host} wants an upload sent to {location[:100]!r}, which is not itself",
                hint="nothing was sent there; is this the registry that you mean?",
            )
        return f"{place}{'&' if '?' in place else '?'}{urlencode({'digest': digest})}"
