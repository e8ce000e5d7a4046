"""Finding the policy and what follows from it: whom to believe, and who signs here."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ci_lib.cli.console import Session
from ci_lib.config.models import Signing
from ci_lib.config.policy import PLACE, VARIABLE, KeyRule, Policy, day, load_policy
from ci_lib.domain.approval import Demand, Gate, Source
from ci_lib.domain.errors import ConfigFault, Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.engine.tools import Seal
from ci_lib.ports.protocols import Host, NotFound, PortFault, UnknownHostKey
from ci_lib.records.trust import Approver, Trust, TrustedKey

NO_POLICY = Policy(version=1)
"""What counts where nobody has written a policy: deploy.yml alone."""


def read_policy(session: Session, host: Host) -> Policy:
    """The policy on the records' ``host``, else the CI's; an empty one where there is neither.

    What lies on the host counts alone: who edits a workflow can set a variable. Raises ``Refusal``
    (CANNOT_DECIDE) for one that cannot be read or understood.
    """
    where, text = f"{PLACE} on {host.name}", session.env.get(VARIABLE, "")
    try:
        text = host.read(PLACE).decode()
    except NotFound:
        where = VARIABLE
    except UnknownHostKey:
        raise
    except (PortFault, UnicodeDecodeError) as error:
        raise _undecided(f"the policy in {where} cannot be read: {error}") from error
    if not text.strip():
        return NO_POLICY
    try:
        return load_policy(text, name=where)
    except ConfigFault as error:
        raise _undecided(f"the policy cannot be used:\n{error.message}", error.hint) from error


def trust_of(policy: Policy) -> Trust:
    """The keys of a policy; raises ``Refusal`` (CANNOT_DECIDE) for a text that is no key."""
    if not policy.keys and not policy.approvers:
        return Trust()
    from ci_lib.signing.keys import holds

    people = tuple(
        Approver(
            name=rule.name,
            keyid=_keyid(rule.public_key, rule.name),
            public=rule.public_key,
            environments=rule.environments,
            stacks=rule.stacks,
            revoked=rule.revoked,
        )
        for rule in policy.approvers
    )
    return Trust(keys=tuple(_key(rule) for rule in policy.keys), approvers=people, holds=holds)


def demand_of(policy: Policy, environment: str) -> Demand:
    """What the policy wants proved of those who open gates of an environment."""
    place = policy.environments.get(environment)
    if place is None or place.approvals is None:
        return Demand()
    gates = frozenset(Gate(name) for name in place.approvals.gates)
    return Demand(gates=gates, by=frozenset(Source(name) for name in place.approvals.by))


def _keyid(public: str, whose: str) -> str:
    from ci_lib.signing.keys import fingerprint

    try:
        return fingerprint(public)
    except ConfigFault as error:
        raise _undecided(f"the policy's key of {whose}: {error.message}", error.hint) from error


def _key(rule: KeyRule) -> TrustedKey:
    return TrustedKey(
        keyid=_keyid(rule.public_key, rule.verifier),
        public=rule.public_key,
        verifier=rule.verifier,
        environments=rule.environments,
        stacks=rule.stacks,
        since=day(rule.not_before) if rule.not_before else None,
        until=day(rule.not_after) + timedelta(days=1) if rule.not_after else None,
        revoked=rule.revoked,
    )


def seal_of(session: Session, signing: Signing | None) -> Seal | None:
    """Signs with the environment's key; None where nothing is signed.

    Raises ``ConfigFault`` when the key is missing or is none: before anything was changed.
    """
    if signing is None:
        return None
    from ci_lib.records.statement import statement
    from ci_lib.signing.keys import Signer

    signer = Signer(private=session.secret(signing.key_env))

    def seal(body: Mapping[str, Any]) -> Mapping[str, Any]:
        return signer.signed(statement(body, verifier=signing.verifier))

    return seal


def _undecided(message: str, hint: str = "") -> Refusal:
    fallback = "without the policy nobody can tell what counts: mend it, or the way to it"
    return Refusal(message, hint=hint or fallback, reason=Reason.CANNOT_DECIDE)
