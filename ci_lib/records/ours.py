"""The records of a chain, each of a shape that questions can be asked of."""

from collections.abc import Iterator, Mapping
from typing import Any

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Release
from ci_lib.domain.store import Record
from ci_lib.records.bodies import moment
from ci_lib.records.chain import Chain, damaged


def records(chain: Chain, *needles: str) -> Iterator[Record]:
    """As ``Chain.newest_first``; raises ``Refusal`` (CANNOT_DECIDE) for a line that nobody of us wrote."""
    for record in chain.newest_first(*needles):
        if not _is_ours(record.body):
            raise damaged(f"record {record.id[:12]} in line {record.seq + 1} is none of ours")
        yield record


def _is_ours(body: Mapping[str, Any]) -> bool:
    """Whether what the questions below read is of the kind that they expect."""
    try:
        moment(body["time"])
        releases = [Release.from_json(body[key]) for key in ("release", "previous") if body.get(key)]
        names = [release.version for release in releases]
        texts = [body["type"], body["environment"], *names, *_listed(body.get("digests", []))]
    except (LookupError, TypeError, ValueError, AttributeError, DeployError):
        return False
    return all(isinstance(text, str) for text in texts)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, list):
        raise TypeError(value)
    return value
