"""Attach signed statements to an image in its registry, where cosign and others look for them.

Nothing here knows keys or reads a statement: whoever believes an envelope has to verify it.

A registry has no compare-and-swap: of two writers at once the later one undoes what the earlier one wrote. So
the list is read again just before it is replaced, and read back a while after; who does not find there what
he wrote begins anew. That another writer stalls for longer than ``SETTLE`` between these two cannot be
excluded: what lies in a registry is a copy, and the ledger is what is believed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Reference
from ci_lib.domain.reasons import Reason
from ci_lib.images.attestations import (
    HINT,
    MANIFEST,
    MOST,
    Layer,
    Listing,
    configuration,
    layer_of,
    listing,
    place_of,
)
from ci_lib.images.credentials import Credential
from ci_lib.images.fetch import fault
from ci_lib.images.patience import bounded, persist
from ci_lib.images.push import WritableRegistry
from ci_lib.images.registry import Document, Registry
from ci_lib.ports.protocols import Clock, Net

LARGEST = 1024 * 1024
"""Bytes of one envelope that are written or read; a verification summary has a few thousand."""

MOST_BYTES = 32 * 1024 * 1024
"""Bytes of all envelopes together that are read."""

SETTLE = 2.0
"""Seconds between writing and reading back: whoever read before we wrote has replaced it by then."""

LOST_HINT = "do others attach to it at the same time, or does a cache answer? Then run this again"

SECONDS = 150.0
"""Seconds for everything that is asked of the registry for one image."""


def attach(
    reference: Reference,
    envelope: bytes,
    predicate_type: str,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> None:
    """Attach ``envelope``, the JSON of a DSSE envelope, to the image with the digest of ``reference``.

    When this returns, it was read there: at once if it was there already, else ``SETTLE`` seconds after it
    was written. What others attached stays. ``predicate_type`` is that of the statement within, which is not
    looked at. No request is made later than ``SECONDS`` from now.

    Raises ``Denied`` where pushing is not allowed, ``DeployError`` with REGISTRY for all else that the
    registry does or leaves undone, and ``UsageFault`` without a digest. After an error it may be there or
    not; to attach it again does no harm.
    """
    place, layer = place_of(reference), layer_of(envelope, predicate_type)
    registry = taking(envelope, reference, net=net, credentials=credentials, clock=clock)
    attempt = _Attempt(registry=registry, clock=clock, place=place, layer=layer, envelope=envelope)
    lost = fault(f"what is attached to {reference} does not stay there", hint=LOST_HINT)
    persist(attempt, seed=layer.digest, clock=clock, lost=lost)


def taking(
    envelope: bytes,
    reference: Reference,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> WritableRegistry:
    """The registry that an envelope goes to, which is asked for ``SECONDS`` at most.

    Raises ``DeployError`` with REGISTRY for an envelope of more than ``LARGEST``.
    """
    if len(envelope) > LARGEST:
        raise fault(f"{len(envelope)} bytes are not attached to {reference}: {LARGEST} are the most")
    limited = bounded(net, clock, SECONDS)
    return WritableRegistry(reference.repository, net=limited, credentials=credentials, clock=clock)


def attached(
    reference: Reference,
    predicate_type: str,
    *,
    net: Net,
    credentials: Callable[[str], Credential | None],
    clock: Clock,
) -> tuple[bytes, ...]:
    """Return the DSSE envelopes that are attached to the image with the digest of ``reference``.

    They come in the order of the list, each with the digest that it has there; empty when there is none.
    Left out is what has another media type, or is annotated as another predicate type. An annotation is
    nobody's word: verify signature, subject and type of what is returned. Raises as ``attach`` does, also for
    more than ``MOST_BYTES`` in all, ``LARGEST`` in one, or ``MOST`` layers.
    """
    place = place_of(reference)
    limited = bounded(net, clock, SECONDS)
    registry = Registry(reference.repository, net=limited, credentials=credentials, clock=clock)
    layers = listing(registry.find(place), place).layers
    found = [layer for layer in layers if layer.attests and layer.predicate_type in ("", predicate_type)]
    sizes = [layer.size for layer in found]
    if sum(sizes) > MOST_BYTES or max(sizes, default=0) > LARGEST:
        raise fault(f"{place} has {sum(sizes)} bytes of envelopes, which is more than is read", hint=HINT)
    return tuple(_envelope(registry, place, layer) for layer in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Called, it tries once; True when the envelope is there in the end."""

    registry: WritableRegistry
    clock: Clock
    place: Reference
    layer: Layer
    envelope: bytes

    def __call__(self) -> bool:
        return self._there() or (self._add() and self._there())

    def _there(self) -> bool:
        """Whether the layer is listed, and its blob there with the right digest."""
        for known in listing(self.registry.find(self.place), self.place).layers:
            if known.attests and known.digest == self.layer.digest:
                return blob_in(self.registry, self.place, known) is not None
        return False

    def _add(self) -> bool:
        """Put the list with one more layer; False, with nothing replaced, when somebody was faster."""
        self.registry.put_blob(self.envelope)
        before = self.registry.find(self.place)
        known = listing(before, self.place)
        body = self._manifest(known)
        return replaced(self.registry, self.clock, self.place, MANIFEST, body, before=before)

    def _manifest(self, known: Listing) -> bytes:
        layers = known.extended(self.layer)
        if len(layers) > MOST:
            raise fault(f"{self.place} has {MOST} layers, and cosign reads no more", hint=HINT)
        config = configuration(layers)
        self.registry.put_blob(config)
        return known.manifest(layers, config)


def replaced(
    registry: WritableRegistry,
    clock: Clock,
    place: Reference,
    media_type: str,
    body: bytes,
    *,
    before: Document | None,
) -> bool:
    """Put a list in the place of ``before``, and wait ``SETTLE`` seconds.

    False, with nothing replaced and at once, when it is ``before`` no more: somebody was faster.
    """
    if registry.find(place) != before:
        return False
    try:
        registry.put_manifest(place.tag, media_type, body)
    finally:
        # Also when its answer was lost: it may have been done all the same.
        clock.sleep(SETTLE)
    return True


def _envelope(registry: Registry, place: Reference, layer: Layer) -> bytes:
    body = blob_in(registry, place, layer)
    if body is None:
        raise fault(f"{place} lists {layer.digest}, which is not there", hint=HINT)
    return body


def blob_in(registry: Registry, place: Reference, layer: Layer) -> bytes | None:
    """Return what a layer consists of; None where the registry does not have it.

    Raises as ``attached`` does, also where it has another size than ``place`` lists.
    """
    try:
        body = registry.blob(Reference(repository=place.repository, digest=layer.digest))
    except DeployError as error:
        if error.reason is Reason.IMAGE_MISSING:
            return None
        raise
    if len(body) != layer.size:
        sizes = f"{layer.size} bytes, and it has {len(body)}"
        raise fault(f"{place} lists {layer.digest} with {sizes}", hint=HINT)
    return body
