"""Approvals: somebody else has agreed that a gate is opened, and there is a proof of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LONGEST = timedelta(hours=24)
"""How long an approval may be good for: who has to think longer should be asked again."""

MIN_REASON = 20
"""Characters that the reason of an approval, or of what opens a gate, must have: less says nothing later."""


class Gate(StrEnum):
    """What can be agreed to. SIGN_OFF: that a verified release goes on; the others open what is shut.

    TAKE_DOWN is a verb, the rest of these are called like their options.
    """

    FORCE = "force"
    SKIP_CHECKS = "skip-checks"
    SCHEMA = "schema"
    BACKUP = "backup"
    TAKE_DOWN = "take-down"
    SIGN_OFF = "sign-off"

    @property
    def called(self) -> str:
        """The gate as a person meets it."""
        return str(self) if self is Gate.TAKE_DOWN else f"--{self}"


class Source(StrEnum):
    """What proves an approval: a signature in the ledger, a file of a protected branch, a review."""

    SIGNATURE = "signature"
    FILE = "file"
    FORGE = "forge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval as it was found; whether it fits is for ``engine/approvals.py`` to say.

    ``id`` tells it from all others, so that it can be used up. ``gate`` is None, and ``subjects`` empty, for
    one that is bound to this very run and so to all that it does. ``subjects`` are digests, or the name of a
    backup. ``where`` is what a person looks at: a record, a commit, a URL. ``flaw`` is why it does not count,
    empty when it does.
    """

    id: str
    source: Source
    approver: str
    environment: str
    gate: Gate | None = None
    subjects: frozenset[str] = frozenset()
    reason: str = ""
    at: datetime | None = None
    until: datetime | None = None
    where: str = ""
    flaw: str = ""

    def as_json(self) -> dict[str, str]:
        """The form used in records."""
        return {
            "id": self.id,
            "source": str(self.source),
            "approver": self.approver,
            "reason": self.reason,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the policy wants proved in an environment: which gates, and by what."""

    gates: frozenset[Gate] = frozenset()
    by: frozenset[Source] = frozenset()


def same_person(one: str, other: str) -> bool:
    """Names of users are the same in capitals, and with the ``@`` of a mention."""
    return one.strip().removeprefix("@").casefold() == other.strip().removeprefix("@").casefold()
