"""How a statement lies beside its image as a Sigstore bundle, and how that is listed.

Layout: an OCI manifest for each bundle, with the image as its subject (github.com/sigstore/cosign,
specs/BUNDLE_SPEC.md). Registries that know subjects list them by themselves; elsewhere who writes keeps an
index under the tag ``sha256-<hex of the image's digest>`` (github.com/opencontainers/distribution-spec,
"Referrers tag schema"). Pure: asking and writing is ``attach_bundle.py``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference, is_digest
from ci_lib.images.attestations import MANIFEST, MOST, Layer, digest_of
from ci_lib.images.fetch import fault
from ci_lib.images.registry import MEDIA_TYPES, Document

INDEX = MEDIA_TYPES[0]
"""The media type of the list."""

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
"""The media type of a bundle, and the artifact type of its manifest."""

EMPTY_KIND = "application/vnd.oci.empty.v1+json"
"""The media type of a configuration that there is none (OCI image specification)."""

EMPTY = b"{}"
"""Its bytes."""

HINT = "look at it with `crane manifest`; once that tag is deleted, it begins anew"
"""What to do about a list that cannot be used."""

_ANY_BUNDLE = "application/vnd.dev.sigstore.bundle"
_CONTENT, _TYPE = "dev.sigstore.bundle.content", "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An envelope as a bundle about one image: the bytes of both, and how a list names it.

    The same envelope gives the same bytes, and so the same digest.
    """

    body: bytes
    manifest: bytes
    annotations: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of the manifest."""
        return digest_of(self.manifest)

    @property
    def layer(self) -> Layer:
        """What the manifest consists of."""
        named = self.annotations[_TYPE]
        return Layer(kind=BUNDLE, digest=digest_of(self.body), size=len(self.body), predicate_type=named)

    def as_entry(self) -> Mapping[str, Any]:
        """Its entry in a list, as the specification wants it."""
        described = _described(MANIFEST, self.manifest)
        return {**described, "artifactType": BUNDLE, "annotations": self.annotations}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A manifest that refers to an image; what a list says of its artifact type is not to be relied on."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The list that those who write keep: its entries, and the whole of it, of which others wrote parts."""

    entries: tuple[Entry, ...] = ()
    content: Mapping[str, Any]

    def extended(self, bundle: Bundle, there: Callable[[str], bool]) -> bytes:
        """The list with one more entry at the end, and those of others of which the manifest is there.

        Without the rest nothing is lost, and with it registries refuse the list.
        """
        known = [
            entry
            for entry in self.content["manifests"]
            if entry["digest"] != bundle.digest and there(entry["digest"])
        ]
        head = {"schemaVersion": 2, "mediaType": INDEX}
        return _dumped({**self.content, **head, "manifests": [*known, bundle.as_entry()]})


def list_place(reference: Reference) -> Reference:
    """Return the tag of the list that is kept for an image; raise ``UsageFault`` without a digest."""
    if not is_digest(reference.digest):
        raise UsageFault(f"{reference} has no digest: a proof is about one image, and a tag may move")
    return Reference(repository=reference.repository, tag=reference.digest.replace(":", "-"))


def keeping_tag(place: Reference, bundle: Bundle) -> str:
    """Return the tag that keeps a bundle: a garbage collection deletes what only a list names."""
    return f"{place.tag}.bundle-{bundle.digest.removeprefix('sha256:')[:12]}"


def bundle_of(envelope: bytes, predicate_type: str, subject: Document) -> Bundle:
    """Return the bundle that a DSSE envelope becomes beside the image with the manifest ``subject``.

    The hint of the key is the envelope's own. cosign takes the key that it is given, whatever is hinted.
    """
    content = json.loads(envelope)
    hint = content["signatures"][0].get("keyid", "")
    body = _dumped(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": content,
        }
    )
    annotations = {_CONTENT: "dsse-envelope", _TYPE: predicate_type}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": _described(EMPTY_KIND, EMPTY),
        "layers": [_described(BUNDLE, body)],
        "subject": _described(subject.kind, subject.body),
        "annotations": annotations,
    }
    return Bundle(body=body, manifest=_dumped(manifest), annotations=annotations)


def index_in(document: Document | None, place: Reference) -> Index:
    """Read the list that is kept as ``place``, the empty one when there is none; raises as ``entries_in``."""
    if document is None:
        return Index(content={"manifests": []})
    if document.kind != INDEX:
        raise fault(f"what the registry has as {place} is no index", hint=HINT)
    return Index(entries=entries_in(document.body, place), content=json.loads(document.body))


def entries_in(body: bytes, place: Reference) -> tuple[Entry, ...]:
    """Read a list of what refers to an image.

    Raises ``DeployError`` with REGISTRY for what is no list, or one of more than ``MOST`` entries.
    """
    try:
        entries = tuple(map(_entry, json.loads(body)["manifests"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise fault(f"what the registry lists as {place} is no index", hint=HINT) from error
    if len(entries) > MOST:
        raise fault(f"{place} lists {len(entries)} manifests, and {MOST} are the most", hint=HINT)
    return entries


def layer_in(document: Document) -> Layer | None:
    """Return the bundle that a manifest consists of; None for another kind of artifact.

    ``predicate_type`` is what the manifest is annotated as, empty where nobody wrote one.
    """
    try:
        content = json.loads(document.body)
        (layer,) = content["layers"]
        kind, digest, size = layer["mediaType"], layer["digest"], layer["size"]
        named = (content.get("annotations") or {}).get(_TYPE, "")
        fits = kind.startswith(_ANY_BUNDLE) and is_digest(digest) and type(size) is int and size >= 0
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not fits:
        return None
    return Layer(kind=kind, digest=digest, size=size, predicate_type=str(named))


def envelope_in(body: bytes) -> bytes | None:
    """Return the DSSE envelope in a bundle, in the spelling of ours; None where there is none."""
    try:
        content = json.loads(body)["dsseEnvelope"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return _dumped(content) if isinstance(content, dict) else None


def _entry(entry: Mapping[str, Any]) -> Entry:
    """An entry that was read; raises ``ValueError`` and others for what is none."""
    kind, digest = entry["mediaType"], entry["digest"]
    if not (isinstance(kind, str) and isinstance(digest, str) and is_digest(digest)):
        raise ValueError("no descriptor")
    return Entry(kind=kind, digest=digest)


def _described(kind: str, body: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(body), "size": len(body)}


def _dumped(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
