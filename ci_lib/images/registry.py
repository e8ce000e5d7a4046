"""Ask a registry, once, which digest a tag stands for. After that the tag is only a name for people.

Protocol: github.com/opencontainers/distribution-spec, "Pulling manifests".
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ci_lib.domain.errors import DeployError, UsageFault
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.address import Address, address_of
from ci_lib.images.challenge import Access, authorization, refused
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import LIMIT, Denied, Fetcher, NotThere, fault, status_words
from ci_lib.images.places import next_page, place_at
from ci_lib.ports.protocols import Clock, Net, Response

MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""All four, always: a registry answers with another document, and so another digest, when one is missing.

Schema 1 manifests have a digest that depends on their signature, and no engine of today pulls them.
"""

PAGES = 20
"""Pages of a list that are read."""

_NO_LISTING = frozenset({400, 404, 406})
"""How a registry says that it keeps no list of referrers; cosign takes these three for it."""

_BROKEN = "the registry or something on the way to it is broken: do not deploy from it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest: its media type, its bytes, and the digest computed from them."""

    kind: str
    digest: str
    body: bytes


class Registry:
    """Asks about one repository; logs in when the registry wants it, and stays so.

    ``credentials`` gives the login for a registry host and is asked only when the registry wants one;
    ``timeout`` is in seconds for a request.
    """

    _access: ClassVar[Access] = Access.READ

    def __init__(
        self,
        repository: str,
        *,
        net: Net,
        credentials: Callable[[str], Credential | None],
        clock: Clock,
        timeout: float = 15.0,
    ) -> None:
        self._address = address_of(repository)
        self._credentials = credentials
        self._fetcher = Fetcher(net=net, clock=clock, timeout=timeout)
        self._login: Mapping[str, str] = {}
        self._known: Credential | None = None

    def manifest(self, reference: Reference) -> Document:
        """What ``reference``, of this repository, names.

        Raises ``NotThere``, ``DeployError`` with REGISTRY, ``Denied`` where the registry refuses, and
        ``UsageFault`` when there is neither tag nor digest.
        """
        accept = {"Accept": ", ".join(MEDIA_TYPES)}
        response = self._ask(f"manifests/{version_in(reference)}", accept, reference)
        return _document(response, reference, self._address)

    def find(self, reference: Reference) -> Document | None:
        """What ``manifest`` returns; None where there is none."""
        try:
            return self.manifest(reference)
        except DeployError as error:
            if error.reason is Reason.IMAGE_MISSING:
                return None
            raise

    def blob(self, reference: Reference) -> bytes:
        """The blob with the digest of ``reference``, 4 MiB at most; raises as ``manifest`` does."""
        body = self._ask(f"blobs/{reference.digest}", {}, reference).body
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != reference.digest:
            raise fault(f"{self._address.host} sends something else than {reference}", hint=_BROKEN)
        return body

    def names(self, reference: Reference) -> bool:
        """Whether there is a manifest, of any kind, by that tag or digest; raises as ``manifest`` does."""
        accept = {"Accept": ", ".join((*MEDIA_TYPES, "*/*"))}
        url = self._url(f"manifests/{version_in(reference)}")
        response = self._logged_in(lambda login: self._fetcher.head(url, {**accept, **login}))
        if response.status != 404:
            _require_answer(response, reference, self._address, self._known)
        return response.status == 200

    def referrers(self, reference: Reference) -> tuple[bytes, ...] | None:
        """The list of the manifests that name the digest of ``reference`` as their subject, page by page.

        Each page is the JSON of an index, from the registry. None where it keeps no such list, and who writes
        has to keep it (distribution specification, "Listing referrers"). Raises as ``manifest`` does.
        """
        asked = self._url(f"referrers/{reference.digest}")
        response = self._listing(asked)
        if not _is_listing(response, reference, self._address, self._known):
            return None
        pages = [response.body]
        while location := next_page(response.headers.get("link", "")):
            asked = place_at(self._address.api, asked, location)
            if not asked or len(pages) >= PAGES:
                raise fault(f"{self._address.host} does not come to an end with what refers to {reference}")
            response = self._listing(asked)
            _require_answer(response, reference, self._address, self._known)
            pages.append(response.body)
        return tuple(pages)

    def _listing(self, url: str) -> Response:
        accept = {"Accept": MEDIA_TYPES[0]}
        return self._logged_in(lambda login: self._fetcher.get(url, {**accept, **login}))

    def _ask(self, what: str, headers: Mapping[str, str], reference: Reference) -> Response:
        url = self._url(what)
        response = self._logged_in(lambda login: self._fetcher.get(url, {**headers, **login}))
        _require_answer(response, reference, self._address, self._known)
        return response

    def _logged_in(self, ask: Callable[[Mapping[str, str]], Response]) -> Response:
        """What ``ask`` returns, given the headers of a login, which is done when the registry wants it."""
        response = ask(self._login)
        if response.status == 401:
            self._known = self._credentials(self._address.host)
            header = response.headers.get("www-authenticate", "")
            found = authorization(header, self._address, self._known, self._fetcher, self._access)
            self._login = {"Authorization": found}
            response = ask(self._login)
        return response

    def _url(self, what: str) -> str:
        return f"{self._address.api}/v2/{self._address.path}/{what}"


def resolve_digest(
    reference: Reference,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
    timeout: float = 15.0,
) -> str:
    """Return the digest of what ``reference`` names in its registry, as ``sha256:…``.

    A reference that has a digest is confirmed by it, so that an image that was deleted is found early.
    Arguments and errors are those of ``Registry``.
    """
    asked = Registry(reference.repository, net=net, credentials=credentials, clock=clock, timeout=timeout)
    return asked.manifest(reference).digest


def version_in(reference: Reference) -> str:
    """Return what a reference names its image by, the digest before the tag; raise ``UsageFault``."""
    wanted = reference.digest or reference.tag
    if not wanted:
        raise UsageFault(
            f"{reference} has neither tag nor digest",
            hint="say which version: --version TAG, or --image NAME=repository:tag",
        )
    return wanted


def missing(reference: Reference, where: str, code: str = "") -> NotThere:
    """Make the error for an image that is not there; ``code`` is the registry's own."""
    if reference.digest:
        hint = "was it deleted or cleaned up there? Push it again, or name another version"
    else:
        hint = "does the tag exist? Was the image pushed, and to this repository?"
    return NotThere(f"{where} has no image {reference}", hint=hint, code=code)


def _require_answer(
    response: Response, reference: Reference, address: Address, credential: Credential | None
) -> None:
    if response.status == 200:
        return
    if response.status == 404:
        raise missing(reference, address.host, _code(response.body))
    words = status_words(response.status) + code_in(response.body)
    if response.status in (401, 403):
        raise Denied(f"{address.host} refused {reference}: {words}", hint=refused(address, credential))
    raise fault(
        f"{address.host} did not answer for {reference}: {words}",
        hint="look at the registry, then run this again; nothing was changed",
    )


def _is_listing(response: Response, reference: Reference, address: Address, known: Credential | None) -> bool:
    """Whether this is a list of referrers: by the rule of cosign, which has to look where we write."""
    if response.status in _NO_LISTING:
        return False
    _require_answer(response, reference, address, known)
    return response.headers.get("content-type", "") == MEDIA_TYPES[0]


def _document(response: Response, reference: Reference, address: Address) -> Document:
    """The manifest that came, its digest computed here: a header is only somebody's word."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise fault(
            f"{address.host} answered for {reference} with {kind[:80]!r}, which is not a manifest we can pin",
            hint="push the image again with a current Docker, or ask another registry",
        )
    if len(response.body) >= LIMIT:
        raise fault(f"the manifest of {reference} is larger than {LIMIT} bytes")
    digest = f"sha256:{hashlib.sha256(response.body).hexdigest()}"
    claimed = response.headers.get("docker-content-digest", "").strip()
    if claimed not in ("", digest) or reference.digest not in ("", digest):
        named = f", and calls it {claimed[:80]!r}" if claimed not in ("", digest) else ""
        raise fault(
            f"{address.host} sends a manifest with digest {digest} for {reference}{named}",
            hint=_BROKEN,
        )
    return Document(kind=kind, digest=digest, body=response.body)


def code_in(body: bytes) -> str:
    """Return the registry's error code, in brackets; its message is left out: anybody may write that."""
    code = _code(body)
    return f" ({code})" if code else ""


def _code(body: bytes) -> str:
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z_]{1,40}", code) else ""
