"""Which verifications count: whose signature is on them, and for what that key may speak. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.records.bodies import moment
from ci_lib.records.statement import misstated, parsed

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


def _never(public: str, payload: bytes, signature: str) -> bool:
    del public, payload, signature
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys that the policy names. Without one for a stack and environment, whatever is there counts."""

    keys: tuple[TrustedKey, ...] = ()
    holds: Holds = _never

    def demands_signature(self, stack: str, environment: str) -> bool:
        """Whether unsigned verifications of this stack and environment do not count."""
        return any(key.speaks_for(stack, environment) for key in self.keys)

    def flaw(self, stack: str, record: Record) -> str:
        """Why a verification in a stack's ledger does not count; empty when it does.

        One good signature is enough. Raises ``Refusal`` (CANNOT_DECIDE) for a signature of a trusted key
        that does not fit what it stands under: somebody has changed one of them.
        """
        environment = record.text("environment")
        if record.text("stack") != stack:
            return f"it speaks of stack {record.text('stack')[:60]!r}"
        if not self.demands_signature(stack, environment):
            return ""
        if not record.signatures:
            return "it is not signed"
        flaws = [self._flaw(stack, environment, record, signature) for signature in record.signatures]
        return "" if "" in flaws else flaws[0]

    def _flaw(self, stack: str, environment: str, record: Record, signature: Mapping[str, str]) -> str:
        keyid = signature["keyid"]
        named = [key for key in self.keys if key.keyid == keyid]
        if not named:
            return f"it is signed by {keyid}, which the policy does not name"
        bound = [key for key in named if key.speaks_for(stack, environment)]
        if not bound:
            return f"it is signed by {keyid}, which may not speak for {stack} in {environment}"
        if not self.holds(bound[0].public, record.payload, signature["sig"]):
            raise Refusal(
                f"the signature of record {record.id[:12]} does not fit what it says",
                hint="somebody changed the record or the signature: compare the ledger with its backup",
                reason=Reason.CANNOT_DECIDE,
            )
        flaws = [_unfit(key, record) for key in bound]
        return "" if "" in flaws else flaws[0]


def _unfit(key: TrustedKey, record: Record) -> str:
    """Why a record that a key really signed does not count nevertheless."""
    at = moment(record.text("time"))
    if key.revoked:
        return f"it is signed by {key.keyid}, which is revoked"
    if key.since is not None and at < key.since:
        return f"it is dated {at:%Y-%m-%d}, before {key.keyid} begins to count"
    if key.until is not None and at >= key.until:
        return f"it is dated {at:%Y-%m-%d}, after {key.keyid} has ceased to count"
    return misstated(parsed(record.payload), verifier=key.verifier)
