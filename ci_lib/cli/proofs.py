"""What a verification leaves in the registry: the signed statement beside the image, and a tag that keeps it.

Both are copies for others: a registry that refuses or does not answer is a note, and the release stays green.
"""

import base64
import json
from dataclasses import replace

from ci_lib.cli.console import Session
from ci_lib.cli.registries import RegistryAccess, registry_access
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Image, Reference, Release
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.store import Record
from ci_lib.ports.protocols import PortFault
from ci_lib.records import chain
from ci_lib.records.bodies import VERIFIED
from ci_lib.records.statement import PREDICATE, envelope, resource

_DIGITS = 12


def with_proofs(session: Session, settings: Resolved, outcome: Outcome) -> Outcome:
    """The outcome of a verb, with a note for each image whose proof or keep-tag could not be left."""
    wanted = settings.place.registry
    if wanted is None or settings.target == "process":
        return outcome
    notes = list(outcome.notes)
    for record in _verifications(outcome):
        access = registry_access(session, settings)
        for image in Release.from_json(record.body["release"]).images:
            try:
                if wanted.keep and record.text("result") == "PASSED":
                    _keep(image, record, access)
                if wanted.attach:
                    notes += attached_twice(image, record, access)
            except (DeployError, PortFault) as fault:
                notes.append(f"{image.name}: its proof is not in the registry: {fault}")
    return replace(outcome, notes=tuple(notes))


def _verifications(outcome: Outcome) -> list[Record]:
    records = [chain.decode(line.encode()) for line in outcome.record_lines]
    return [record for record in records if record.text("type") == VERIFIED]


def _reference(image: Image) -> Reference:
    return Reference(repository=image.repository, digest=image.digest)


def _keep(image: Image, record: Record, access: RegistryAccess) -> None:
    from ci_lib.images.keep import keep

    tag = f"verified-{record.text('stack')}-{image.digest.partition(':')[2][:_DIGITS]}"
    keep(_reference(image), tag, **access)


def attached_twice(image: Image, record: Record, access: RegistryAccess) -> tuple[str, ...]:
    """Attach a signed verification in both layouts; return a note for each in which it is missing.

    Each has its own turn: the one may be there from an earlier run, and the other refused by the registry.
    """
    from ci_lib.images.attach import attach, attached
    from ci_lib.images.attach_bundle import attach_bundle, attached_bundles

    notes = []
    for layout, read, write in (
        ("for cosign 1 and 2", attached, attach),
        ("as a bundle, for cosign 3,", attached_bundles, attach_bundle),
    ):
        try:
            if record.signatures and not _says(read(_reference(image), PREDICATE, **access), record):
                text = envelope(record.payload, record.signatures)
                write(_reference(image), text, PREDICATE, **access)
        except (DeployError, PortFault) as fault:
            notes.append(f"{image.name}: its proof {layout} is not in the registry: {fault}")
    return tuple(notes)


def _says(there: tuple[bytes, ...], record: Record) -> bool:
    """Whether the newest statement there has the verdict of ours: lists must not grow for ever."""
    place = resource(record.text("stack"), record.text("environment"))
    said = [predicate for text in there if (predicate := _predicate(text)).get("resourceUri") == place]
    newest = max(said, key=lambda one: str(one.get("timeVerified", "")), default={})
    return newest.get("verificationResult") == record.text("result")


def _predicate(text: bytes) -> dict[str, object]:
    """What a foreign envelope says; nothing where it is no statement."""
    try:
        found = json.loads(base64.b64decode(json.loads(text)["payload"]))["predicate"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
