"""Where a database's schema stood, as the ledger tells it."""

from collections.abc import Iterator

from ci_lib.domain.reasons import Status
from ci_lib.domain.schema import Schema
from ci_lib.domain.store import Record
from ci_lib.records.chain import Chain
from ci_lib.records.ledger import served

_EXCHANGED = frozenset({str(Status.PASSED), str(Status.DEPLOYED), str(Status.PARTIAL), str(Status.UNKNOWN)})
"""How a run may have ended that put the data of a backup back, and after which they may be there."""


def migrated(chain: Chain, environment: str, digest: str) -> Schema | None:
    """Where an image brought an environment's schema, nothing left pending; None if it never did."""
    found = (schema for record, schema in _schemas(chain, environment, digest) if _has(record, digest))
    return next((schema for schema in found if schema is not None and not schema.pending), None)


def newest(chain: Chain, environment: str) -> Schema | None:
    """Where the schema of an environment stands by the newest record that speaks of it.

    None where that could not be read, and where the data of a backup were put back since: they brought the
    schema of their time along.
    """
    known = next(_schemas(chain, environment), None)
    return known[1] if known and known[0].seq > _restored(chain, environment) else None


def of_image(chain: Chain, environment: str, digest: str) -> Schema | None:
    """Where the schema of an environment stood when the image that migrates was deployed there last."""
    found = _schemas(chain, environment, digest)
    return next((schema for record, schema in found if _has(record, digest) and served(record)), None)


def _has(record: Record, digest: str) -> bool:
    release = record.body.get("release") or {}
    return any(image["digest"] == digest for image in release.get("images", ()))


def _restored(chain: Chain, environment: str) -> int:
    """The number of the newest record after which an environment has the data of a backup; -1 for none."""
    for record in chain.newest_first('"phase":"outcome"', f'"environment":"{environment}"', '"backup":"'):
        stayed = record.text("backup") and record.text("status") in _EXCHANGED
        if record.text("environment") == environment and stayed:
            return record.seq
    return -1


def _schemas(chain: Chain, environment: str, *needles: str) -> Iterator[tuple[Record, Schema | None]]:
    """Newest first: the outcomes that speak of the schema; None where it could not be read any more."""
    told = ('"phase":"outcome"', f'"environment":"{environment}"', '"schema":{', *needles)
    for record in chain.newest_first(*told):
        change = record.body.get("schema")
        if record.text("environment") == environment and change:
            yield record, Schema.from_json(change["after"]) if change["after"] else None
