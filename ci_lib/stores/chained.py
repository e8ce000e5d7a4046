"""New records, chained to the end of a ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from ci_lib.domain.store import Record
from ci_lib.records import chain


def chained(bodies: Sequence[Mapping[str, Any]], *, seq: int, prev: str) -> tuple[Record, ...]:
    """The bodies as records; ``seq`` and ``prev`` are those of the first line to come."""
    records: list[Record] = []
    for number, body in enumerate(bodies, seq):
        records.append(chain.decode(chain.encode(body, seq=number, prev=prev)[:-1]))
        prev = records[-1].line
    return tuple(records)
