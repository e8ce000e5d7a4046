"""The records of a chain, each of a shape that questions can be asked of."""

from collections.abc import Iterator, Mapping
from typing import Any

from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Release
from ci_lib.domain.reasons import Verb
from ci_lib.domain.store import Record
from ci_lib.records.bodies import INTENT, VERIFIED, moment
from ci_lib.records.chain import Chain, damaged


def records(chain: Chain, *needles: str) -> Iterator[Record]:
    """As ``Chain.newest_first``; raises ``Refusal`` (CANNOT_DECIDE) for a line that nobody of us wrote."""
    for record in chain.newest_first(*needles):
        if not _is_ours(record.body):
            raise damaged(f"record {record.id[:12]} in line {record.seq + 1} is none of ours")
        yield record


def _is_ours(body: Mapping[str, Any]) -> bool:
    """Whether what questions read is of the kind that they expect."""
    try:
        moment(body["time"])
        releases = [Release.from_json(body[key]) for key in ("release", "previous") if body.get(key)]
        names = [release.version for release in releases]
        texts = [body["type"], body["environment"], *names, *_list(body, "digests"), *_list(body, "subjects")]
        kinds = [_mapping(body, "ci"), *(used.get("id") for used in _list(body, "approvals"))]
    except (LookupError, TypeError, ValueError, AttributeError, DeployError):
        return False
    if not all(isinstance(text, str) for text in texts) or None in kinds:
        return False
    # These speak of what serves, or may: without a release they say nothing.
    speaks = body["type"] == VERIFIED or body.get("phase") == INTENT or bool(body.get("forced"))
    known = body.get("phase") != INTENT or body["type"] in set(Verb)
    return known and not (speaks and not body.get("release"))


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key, [])
    if not isinstance(value, list):
        raise TypeError(key)
    return value


def _mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key) or {}
    if not isinstance(value, dict):
        raise TypeError(key)
    return value
