"""Keep-tags: names in a registry under which a garbage collection finds what may still be deployed.

A collection deletes what no tag names: the image whose tag has moved on, and of an index that has a tag the
images for each platform (``docker-registry garbage-collect -m`` of distribution 2.8 does both).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ci_lib.domain.errors import UsageFault
from ci_lib.domain.images import Reference, is_digest, is_tag
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import fault
from ci_lib.images.patience import bounded, persist
from ci_lib.images.push import WritableRegistry
from ci_lib.images.registry import Document
from ci_lib.ports.protocols import Clock, Net

MOST = 64
"""Manifests that are kept for one image: there are fewer platforms, each with an attestation."""

SECONDS = 300.0
"""Seconds for everything that is asked of the registry for one image."""


def keep(
    reference: Reference,
    tag: str,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> tuple[str, ...]:
    """Put the manifest with the digest of ``reference`` under ``tag``; return all tags that hold it now.

    Of an index each manifest that it names gets a tag too, ``<tag>-<12 digits of its digest>``, platforms and
    what BuildKit attests of them alike; the index comes last. A tag that names the same is left as it is, one
    that names something else is never moved. When this returns, each was read back. It takes ``SECONDS`` at
    most, the pauses between requests aside.

    Raises ``Denied`` where pushing is not allowed, ``DeployError`` with IMAGE_MISSING when the image, or a
    part of it, is not there any more, with REGISTRY for everything else that the registry does or does not
    do, and ``UsageFault`` without a digest or with a tag that cannot be one. After an error some of the tags
    may be there: to call it again does no harm.
    """
    registry = WritableRegistry(
        reference.repository, net=bounded(net, clock, SECONDS), credentials=credentials, clock=clock
    )
    documents = _documents(registry, _kept(reference, tag))
    tags = {f"{tag}-{_short(document.digest)}": document for document in documents[1:]}
    for name, document in {**tags, tag: documents[0]}.items():
        _put(registry, Reference(repository=reference.repository, tag=name), document, clock)
    return (*tags, tag)


def _kept(reference: Reference, tag: str) -> Reference:
    """The image by its digest alone."""
    if not is_digest(reference.digest):
        raise UsageFault(f"{reference} has no digest, and a tag may become another image: it cannot be kept")
    if not is_tag(f"{tag}-{_short(reference.digest)}"):
        raise UsageFault(f"{tag[:200]!r} cannot be a keep-tag: it is too long, or has what no tag has")
    return Reference(repository=reference.repository, digest=reference.digest)


def _documents(registry: WritableRegistry, top: Reference) -> list[Document]:
    """The manifest, and those that it names; each is believed by its digest alone."""
    found: dict[str, Document] = {}
    waiting = [top.digest]
    while waiting:
        digest = waiting.pop(0)
        if digest in found:
            continue
        if len(found) >= MOST:
            raise fault(f"{top} consists of more than {MOST} manifests, which are not all kept")
        found[digest] = registry.manifest(Reference(repository=top.repository, digest=digest))
        waiting += _named(found[digest], top)
    return list(found.values())


def _named(document: Document, top: Reference) -> list[str]:
    """The digests of the manifests that an index names; none for an image."""
    try:
        content: Mapping[str, Any] = json.loads(document.body)
        digests = [str(entry["digest"]) for entry in content.get("manifests", [])]
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        digests = [""]
    if not all(map(is_digest, digests)):
        raise fault(f"what the registry has as {top} is no image", hint="which program pushed it?")
    return digests


def _put(registry: WritableRegistry, place: Reference, document: Document, clock: Clock) -> None:
    """Put the manifest under a tag, unless it is there; others can write nothing but the same."""

    def attempt() -> bool:
        if _holds(registry, place, document):
            return True
        registry.put_manifest(place.tag, document.kind, document.body)
        return _holds(registry, place, document)

    lost = fault(f"{place} was written and is not there", hint="does a garbage collection run there?")
    persist(attempt, seed=place.tag, clock=clock, lost=lost)


def _holds(registry: WritableRegistry, place: Reference, document: Document) -> bool:
    """Whether the tag names the manifest; raises when it names something else."""
    there = registry.find(place)
    if there is not None and there.digest != document.digest:
        raise fault(
            f"{place} is {there.digest} and not {document.digest}; it was not moved",
            hint="who put it there? Remove it if nobody needs it, then run this again",
        )
    return there is not None


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
