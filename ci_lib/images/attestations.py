"""Where the attestations of an image lie in its registry, and how the manifest that lists them looks.

Layout: an OCI manifest under the tag ``sha256-<hex of the image's digest>.att`` with one layer for each DSSE
envelope (github.com/sigstore/cosign, specs/ATTESTATION_SPEC.md). Pure: asking and writing is ``attach.py``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference, is_digest
from ci_lib.images.fetch import fault
from ci_lib.images.registry import MEDIA_TYPES, Document

MANIFEST = MEDIA_TYPES[2]
"""The media type of the list."""

ENVELOPE = "application/vnd.dsse.envelope.v1+json"
"""The media type of a layer that is a DSSE envelope."""

CONFIG = "application/vnd.oci.image.config.v1+json"
"""The media type of the configuration that an OCI manifest has to have."""

MOST = 1000
"""Layers that a list may have; cosign refuses a longer one."""

HINT = "look at it with `cosign tree` and `crane manifest`; once that tag is deleted, it begins anew"
"""What to do about a list that cannot be used."""

_TYPE = "predicateType"
_EPOCH = "0001-01-01T00:00:00Z"  # as cosign writes it: the same layers give the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One entry of the list; ``predicate_type`` is empty where nobody wrote one."""

    kind: str
    digest: str
    size: int
    predicate_type: str

    @property
    def attests(self) -> bool:
        """Whether it is a DSSE envelope."""
        return self.kind == ENVELOPE

    def as_json(self) -> dict[str, Any]:
        """The descriptor as cosign writes it."""
        return {
            "mediaType": self.kind,
            "digest": self.digest,
            "size": self.size,
            # Cosign knows its layers by the first; it is empty where the envelope holds the signature.
            "annotations": {"dev.cosignproject.cosign/signature": "", _TYPE: self.predicate_type},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The list of an image: its layers, and the whole manifest, of which others may have written more."""

    layers: tuple[Layer, ...] = ()
    content: Mapping[str, Any]

    def extended(self, layer: Layer) -> tuple[Mapping[str, Any], ...]:
        """The descriptors of all layers, what others wrote into them included, and of one more at the end."""
        known = [entry for entry in self.content["layers"] if entry["digest"] != layer.digest]
        return (*known, layer.as_json())

    def manifest(self, layers: Sequence[Mapping[str, Any]], config: bytes) -> bytes:
        """The manifest with these layers instead."""
        described = {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)}
        head = {"schemaVersion": 2, "mediaType": MANIFEST}
        return _dumped({**self.content, **head, "config": described, "layers": layers})


def place_of(reference: Reference) -> Reference:
    """Return the tag under which the list of an image lies; raise ``UsageFault`` without a digest."""
    if not is_digest(reference.digest):
        raise UsageFault(f"{reference} has no digest: a proof is about one image, and a tag may move")
    tag = f"sha256-{reference.digest.removeprefix('sha256:')}.att"
    return Reference(repository=reference.repository, tag=tag)


def layer_of(envelope: bytes, predicate_type: str) -> Layer:
    """Return the layer that an envelope becomes."""
    return Layer(
        kind=ENVELOPE, digest=digest_of(envelope), size=len(envelope), predicate_type=predicate_type
    )


def listing(document: Document | None, place: Reference) -> Listing:
    """Read a list, the empty one when there is none.

    Raises ``DeployError`` with REGISTRY for what is no list of layers, or one of more than ``MOST``.
    """
    if document is None:
        return Listing(content={"layers": []})
    try:
        content = json.loads(document.body)
        layers = tuple(map(_layer, content["layers"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        content, layers = None, ()
    if content is None or document.kind != MANIFEST:
        raise fault(f"what the registry has as {place} is no list of attestations", hint=HINT)
    if len(layers) > MOST:
        raise fault(f"{place} has {len(layers)} layers, and {MOST} are the most", hint=HINT)
    return Listing(layers=layers, content=content)


def configuration(layers: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the configuration for a list of these layers: an image without a platform."""
    return _dumped(
        {
            "architecture": "",
            "os": "",
            "created": _EPOCH,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
            "history": [{"created": _EPOCH} for _ in layers],
        }
    )


def digest_of(body: bytes) -> str:
    """Return ``sha256:…`` of some bytes."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _layer(entry: Mapping[str, Any]) -> Layer:
    """A descriptor that was read; raises ``ValueError`` and others for what is none."""
    kind, digest, size = entry["mediaType"], entry["digest"], entry["size"]
    named = (entry.get("annotations") or {}).get(_TYPE, "")
    texts = isinstance(kind, str) and isinstance(digest, str) and isinstance(named, str)
    if not texts or not is_digest(digest) or type(size) is not int or size < 0:
        raise ValueError("no descriptor")
    return Layer(kind=kind, digest=digest, size=size, predicate_type=named)


def _dumped(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
