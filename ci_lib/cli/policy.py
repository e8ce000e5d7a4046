"""Finding the policy and what follows from it: whom to believe, and who signs here."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from ci_lib.cli.console import Session
from ci_lib.config.models import Signing
from ci_lib.config.policy import (
    PLACE,
    VARIABLE,
    Approvals,
    Files,
    KeyRule,
    Policy,
    day,
    load_policy,
)
from ci_lib.domain.approval import Demand, Gate, Source
from ci_lib.domain.errors import ConfigFault, Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.engine.tools import Seal
from ci_lib.ports.protocols import Host, NotFound, PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records.trust import Approver, Trust, TrustedKey, Trusts


def found_policies(session: Session, hosts: Iterable[Host]) -> tuple[Policy, ...]:
    """Every policy there is: on each of the hosts, and in the CI's variable.

    All of them count, and each can only demand more: deploy.yml says which hosts these are, and who edits a
    workflow can set a variable. Raises ``Refusal`` (CANNOT_DECIDE) for one that cannot be read or understood,
    and ``PortFault`` for a host that does not answer.
    """
    found = [policy for host in hosts if (policy := _of_host(host)) is not None]
    if text := session.env.get(VARIABLE, ""):
        found.append(_loaded(text, VARIABLE))
    return tuple(found)


def _of_host(host: Host) -> Policy | None:
    where = f"{PLACE} on {host.name}"
    try:
        return _loaded(host.read(PLACE).decode(), where)
    except NotFound:
        return None
    except (Unreachable, TimedOut, UnknownHostKey):
        raise
    except (PortFault, UnicodeDecodeError) as error:
        raise _undecided(f"the policy in {where} cannot be read: {error}") from error


def _loaded(text: str, where: str) -> Policy:
    """An empty text is a mistake as any other: a disk was full, or somebody was interrupted."""
    try:
        return load_policy(text, name=where)
    except ConfigFault as error:
        raise _undecided(f"the policy cannot be used:\n{error.message}", error.hint) from error


def trusts_of(policies: Iterable[Policy]) -> Trusts:
    """Whom all policies believe; raises ``Refusal`` (CANNOT_DECIDE) for a text that is no key."""
    return Trusts(parts=tuple(trust_of(policy) for policy in policies))


def files_of(policies: Iterable[Policy], environment: str) -> Files | None:
    """Where approvals by file are; None where the policies that ask for approvals do not agree on it."""
    asking = [policy for policy in policies if _approvals(policy, environment) is not None]
    found = {policy.files for policy in asking}
    return found.pop() if len(found) == 1 else None


def _approvals(policy: Policy, environment: str) -> Approvals | None:
    place = policy.environments.get(environment)
    return place.approvals if place else None


def trust_of(policy: Policy) -> Trust:
    """The keys of a policy; raises ``Refusal`` (CANNOT_DECIDE) for a text that is no key."""
    asks = bool(policy.approvers) or any(
        place.approvals or (place.requires and place.requires.sign_off)
        for place in policy.environments.values()
    )
    if not policy.keys and not policy.approvers:
        return Trust(asks=asks)
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
    return Trust(keys=tuple(_key(rule) for rule in policy.keys), approvers=people, asks=asks, holds=holds)


def demand_of(policies: Iterable[Policy], environment: str) -> Demand:
    """What the policies want proved of those who open gates of an environment, by what all of them take."""
    found = [asked for policy in policies if (asked := _approvals(policy, environment)) is not None]
    if not found:
        return Demand()
    gates = frozenset(Gate(name) for asked in found for name in asked.gates)
    by = frozenset.intersection(*(frozenset(Source(name) for name in asked.by) for asked in found))
    return Demand(gates=gates, by=by)


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
