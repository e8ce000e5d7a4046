"""Which verifications count: whose signature is on them, and for what that key may speak. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.records.bodies import APPROVAL, moment
from ci_lib.records.statement import misapproved, misstated

Holds = Callable[[str, bytes, str], bool]
"""Whether a signature (public key as PEM, what was signed, signature) holds; see ``signing.keys.holds``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key and what it may speak for; ``stacks`` empty means all.

    Verifications count from ``since`` to before ``until``. Their times are the signer's own words, so a key
    that was lost is ``revoked``, and nothing of it counts any more.
    """

    keyid: str
    public: str
    verifier: str
    environments: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    revoked: bool = False

    def speaks_for(self, stack: str, environment: str) -> bool:
        """Whether it is bound to this stack and environment."""
        return environment in self.environments and (not self.stacks or stack in self.stacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """A person whose key may sign approvals, and for what; ``stacks`` empty means all."""

    name: str
    keyid: str
    public: str
    environments: tuple[str, ...]
    stacks: tuple[str, ...] = ()
    revoked: bool = False

    def speaks_for(self, stack: str, environment: str) -> bool:
        """Whether this person may approve for this stack and environment."""
        return environment in self.environments and (not self.stacks or stack in self.stacks)


def _never(public: str, payload: bytes, signature: str) -> bool:
    del public, payload, signature
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys that the policy names. Without one for a stack and environment, whatever is there counts."""

    keys: tuple[TrustedKey, ...] = ()
    approvers: tuple[Approver, ...] = ()
    asks: bool = False
    """Whether it has a say in approvals: one that is asked for none has none."""
    holds: Holds = _never

    def demands_signature(self, stack: str, environment: str) -> bool:
        """Whether unsigned verifications of this stack and environment do not count."""
        return any(key.speaks_for(stack, environment) for key in self.keys)

    def flaw(self, stack: str, record: Record) -> str:
        """Why a verification or an approval in a stack's ledger does not count; empty when it does.

        One good signature is enough. Raises ``Refusal`` (CANNOT_DECIDE) for a signature of a trusted key
        that does not fit what it stands under: somebody has changed one of them.
        """
        environment = record.text("environment")
        if record.text("stack") != stack:
            return f"it speaks of stack {record.text('stack')[:60]!r}"
        if record.text("type") == APPROVAL:
            return self._unapproved(stack, environment, record)
        if not self.demands_signature(stack, environment):
            return ""
        if not record.signatures:
            return "it is not signed"
        flaws = [self._flaw(stack, environment, record, signature) for signature in record.signatures]
        return "" if "" in flaws else flaws[0]

    def _unapproved(self, stack: str, environment: str, record: Record) -> str:
        """Why an approval does not count: it takes the signature of the very person that it names."""
        name, lost = record.text("approver"), {person.keyid for person in self.approvers if person.revoked}
        for seal in record.signatures:
            for person in self.approvers:
                if (person.keyid, person.name) != (seal["keyid"], name) or person.keyid in lost:
                    continue
                if not person.speaks_for(stack, environment):
                    return f"{name} may not approve for {stack} in {environment}"
                if not self.holds(person.public, record.payload, seal["sig"]):
                    raise _unfitting(record)
                return misapproved(record.statement)
        return f"it is not signed with a key that the policy gives to {name[:60]!r}"

    def _flaw(self, stack: str, environment: str, record: Record, signature: Mapping[str, str]) -> str:
        keyid = signature["keyid"]
        named = [key for key in self.keys if key.keyid == keyid]
        if not named:
            return f"it is signed by {keyid}, which the policy does not name"
        if any(key.revoked for key in named):  # wherever else it is named
            return f"it is signed by {keyid}, which is revoked"
        bound = [key for key in named if key.speaks_for(stack, environment)]
        if not bound:
            return f"it is signed by {keyid}, which may not speak for {stack} in {environment}"
        if not self.holds(bound[0].public, record.payload, signature["sig"]):
            raise _unfitting(record)
        flaws = [_unfit(key, record) for key in bound]
        return "" if "" in flaws else flaws[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusts:
    """What several policies say together: what one of them does not believe does not count."""

    parts: tuple[Trust, ...] = ()

    @property
    def approvers(self) -> tuple[Approver, ...]:
        """The persons whom all that have a say in it know."""
        asked = [part.approvers for part in self.parts if part.asks]
        return tuple(one for one in asked[0] if all(one in people for people in asked)) if asked else ()

    def flaw(self, stack: str, record: Record) -> str:
        """Why a verification or an approval does not count; see ``Trust.flaw``."""
        approval = record.text("type") == APPROVAL
        asked = [part for part in self.parts if part.asks or not approval]
        flaws = [part.flaw(stack, record) for part in asked or [Trust()]]
        return next(filter(None, flaws), "")


def _unfitting(record: Record) -> Refusal:
    return Refusal(
        f"the signature of record {record.id[:12]} does not fit what it says",
        hint="somebody changed the record or the signature: compare the ledger with its backup",
        reason=Reason.CANNOT_DECIDE,
    )


def _unfit(key: TrustedKey, record: Record) -> str:
    """Why a record that a key really signed does not count nevertheless."""
    at = moment(record.text("time"))
    if key.since is not None and at < key.since:
        return f"it is dated {at:%Y-%m-%d}, before {key.keyid} begins to count"
    if key.until is not None and at >= key.until:
        return f"it is dated {at:%Y-%m-%d}, after {key.keyid} has ceased to count"
    return misstated(record.statement, verifier=key.verifier)
