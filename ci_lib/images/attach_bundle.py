"""Attach signed statements to an image as Sigstore bundles, where cosign 3 looks for them.

As in ``attach.py`` nothing here knows keys or reads a statement, and who writes a list that others write too
reads it again before and after. Where a registry lists by itself what refers to an image, no list is written.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ci_lib.domain.images import Reference
from ci_lib.images.attach import LARGEST, LOST_HINT, MOST_BYTES, SECONDS, blob_in, replaced, taking
from ci_lib.images.attestations import MANIFEST, MOST, Layer
from ci_lib.images.bundles import (
    EMPTY,
    HINT,
    INDEX,
    Bundle,
    Entry,
    bundle_of,
    entries_in,
    envelope_in,
    index_in,
    keeping_tag,
    layer_in,
    list_place,
)
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import fault
from ci_lib.images.patience import bounded, persist
from ci_lib.images.push import WritableRegistry
from ci_lib.images.registry import Registry
from ci_lib.ports.protocols import Clock, Net


def attach_bundle(
    reference: Reference,
    envelope: bytes,
    predicate_type: str,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> None:
    """Attach ``envelope``, the JSON of a DSSE envelope, to the image with the digest of ``reference``.

    When this returns, it was read there, listed by the registry itself or, where that keeps no such list, in
    the index, ``SETTLE`` seconds after it was written. In the index stays what others attached, as long as it
    is there. No request is made later than ``SECONDS`` from now.

    Raises as ``attach`` does, and ``DeployError`` with IMAGE_MISSING when the image is not there.
    """
    place, image = list_place(reference), _image(reference)
    registry = taking(envelope, reference, net=net, credentials=credentials, clock=clock)
    bundle = bundle_of(envelope, predicate_type, registry.manifest(image))
    attempt = _Attempt(registry=registry, clock=clock, image=image, place=place, bundle=bundle)
    lost = fault(f"the bundle that is attached to {reference} does not stay there", hint=LOST_HINT)
    persist(attempt, seed=bundle.digest, clock=clock, lost=lost)


def attached_bundles(
    reference: Reference,
    predicate_type: str,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> tuple[bytes, ...]:
    """Return the DSSE envelopes that are attached as bundles to the image with the digest of ``reference``.

    They come in the order of the list. Left out is what is annotated as another predicate type, other kinds
    of artifacts, and what is listed and not there any more: a garbage collection leaves such lists behind.
    An annotation is nobody's word: verify what is returned. Raises as ``attached`` does.
    """
    place, image = list_place(reference), _image(reference)
    limited = bounded(net, clock, SECONDS)
    registry = Registry(reference.repository, net=limited, credentials=credentials, clock=clock)
    layers = [
        layer for layer in _layers(registry, image, place) if layer.predicate_type in ("", predicate_type)
    ]
    sizes = [layer.size for layer in layers]
    if sum(sizes) > MOST_BYTES or max(sizes, default=0) > 2 * LARGEST:
        raise fault(f"{place} has {sum(sizes)} bytes of bundles, which is more than is read", hint=HINT)
    bodies = [blob_in(registry, place, layer) for layer in layers]
    envelopes = [envelope_in(body) for body in bodies if body is not None]
    return tuple(envelope for envelope in envelopes if envelope is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Called, it tries once; True when the bundle is there in the end."""

    registry: WritableRegistry
    clock: Clock
    image: Reference
    place: Reference
    bundle: Bundle

    def __call__(self) -> bool:
        return self._there() or (self._add() and self._there())

    def _there(self) -> bool:
        """Whether the bundle is listed, and manifest and blob are there with the right digests."""
        listed = _listed(self.registry, self.image, self.place)
        if self.bundle.digest not in [entry.digest for entry in listed]:
            return False
        stored = self.registry.find(_at(self.image, self.bundle.digest))
        return stored is not None and blob_in(self.registry, self.place, self.bundle.layer) is not None

    def _add(self) -> bool:
        """Put the bundle, and list it where the registry does not; False when somebody was faster."""
        for body in (EMPTY, self.bundle.body):
            self.registry.put_blob(body)
        if self.registry.referrers(self.image) is not None:
            self.registry.put_manifest(self.bundle.digest, MANIFEST, self.bundle.manifest)
            return True
        self.registry.put_manifest(keeping_tag(self.place, self.bundle), MANIFEST, self.bundle.manifest)
        return self._list()

    def _list(self) -> bool:
        before = self.registry.find(self.place)
        known = index_in(before, self.place)
        if len(known.entries) >= MOST:
            raise fault(f"{self.place} lists {MOST} manifests, and more are not read", hint=HINT)
        body = known.extended(self.bundle, lambda digest: self.registry.names(_at(self.image, digest)))
        return replaced(self.registry, self.clock, self.place, INDEX, body, before=before)


def _listed(registry: Registry, image: Reference, place: Reference) -> tuple[Entry, ...]:
    """What refers to an image: by the registry's own list, else by the one that is kept for it."""
    pages = registry.referrers(image)
    if pages is None:
        return index_in(registry.find(place), place).entries
    return tuple(entry for page in pages for entry in entries_in(page, place))


def _layers(registry: Registry, image: Reference, place: Reference) -> Iterator[Layer]:
    """The bundles among what refers to an image, by the manifests: cosign lists its own as another type."""
    for entry in _listed(registry, image, place):
        document = registry.find(_at(image, entry.digest)) if entry.kind == MANIFEST else None
        layer = layer_in(document) if document else None
        if layer is not None:
            yield layer


def _image(reference: Reference) -> Reference:
    return _at(reference, reference.digest)


def _at(reference: Reference, digest: str) -> Reference:
    return Reference(repository=reference.repository, digest=digest)
