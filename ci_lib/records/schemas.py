"""Where a database's schema stood, as the ledger tells it."""

from collections.abc import Iterator

from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Status
from ci_lib.domain.schema import Schema
from ci_lib.domain.store import Record
from ci_lib.records.chain import Chain
from ci_lib.records.ledger import served


def migrated(chain: Chain, environment: str, digest: str) -> Schema | None:
    """Where an image brought an environment's schema, nothing left pending; None if it never did."""
    for record, schema in _schemas(chain, environment, digest):
        images = record.body["release"]["images"] if record.body.get("release") else ()
        if any(image["digest"] == digest for image in images) and not schema.pending:
            return schema
    return None


def newest(chain: Chain, environment: str) -> Schema | None:
    """Where the schema of an environment stands by the newest record that tells.

    None where the data of a backup were put back since: they brought the schema of their time along.
    """
    known = next(_schemas(chain, environment), None)
    return known[1] if known and known[0].seq > _restored(chain, environment) else None


def _restored(chain: Chain, environment: str) -> int:
    """The number of the newest record after which an environment has the data of a backup; -1 for none."""
    for record in chain.newest_first('"phase":"outcome"', f'"environment":"{environment}"', '"backup":"'):
        stayed = record.text("backup") and record.text("status") != Status.ROLLED_BACK
        if record.text("environment") == environment and stayed:
            return record.seq
    return -1


def of_release(chain: Chain, environment: str, release: Release) -> Schema | None:
    """Where the schema of an environment stood when a release was deployed there last."""
    for record, schema in _schemas(chain, environment, release.id):
        if (record.body.get("release") or {}).get("id") == release.id and served(record):
            return schema
    return None


def _schemas(chain: Chain, environment: str, *needles: str) -> Iterator[tuple[Record, Schema]]:
    """Newest first: the outcomes that tell where the schema stands."""
    told = ('"phase":"outcome"', f'"environment":"{environment}"', '"schema":{', *needles)
    for record in chain.newest_first(*told):
        after = (record.body.get("schema") or {}).get("after")
        if record.text("environment") == environment and after:
            yield record, Schema.from_json(after)
