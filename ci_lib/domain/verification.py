"""What the ledger says about images that were tried in an environment."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One image passed, or failed, its checks in one environment.

    ``image`` is the image's name in the stack, ``release_id`` the release it ran in, ``at`` is in UTC,
    ``record_id`` and ``seq`` are those of the record it was read from. ``flaw`` is why it does not count (not
    signed, revoked), empty when it does; ``keyid`` is the fingerprint of the key that signed it. ``people``
    have started the verification, ``signed_off`` are those who agreed that the image goes on, and when.
    ``tag`` is for people alone.
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
    flaw: str = ""
    keyid: str = ""
    people: tuple[str, ...] = ()
    signed_off: tuple[tuple[str, datetime], ...] = ()
