"""What the ledger says about images that were tried in an environment, and how the rule gets to read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One image passed, or failed, its checks in one environment.

    ``image`` is the image's name in the stack, ``release_id`` the release it ran in, ``at`` is in UTC,
    ``record_id`` and ``seq`` are those of the record it was read from. ``tag`` is for people alone.
    """

    record_id: str
    environment: str
    release_id: str
    image: str
    repository: str
    digest: str
    passed: bool
    at: datetime
    run_url: str
    seq: int
    tag: str = ""


class ProofReader(Protocol):
    """Where verifications come from.

    The rule trusts what it is handed: whoever implements this answers for its being genuine. Today that is
    a reader of the hash chain. Signed records need another one, which drops every record without a valid
    signature of a trusted key; the rule itself will not change.
    """

    def verifications(self, stack: str, environment: str) -> tuple[Verification, ...]:
        """What was verified of a stack in an environment, newest last.

        Raises ``Refusal`` with CANNOT_DECIDE when the ledger is unreachable, damaged or has a bad signature:
        no answer is never the same as no record.
        """
