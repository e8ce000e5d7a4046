"""A signed world, and an attacker who may write into its ledger whatever they like."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ci_lib.domain.approval import Demand, Gate, Source
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Verb
from ci_lib.domain.store import Record
from ci_lib.engine.tools import Seal
from ci_lib.records import chain
from ci_lib.records.statement import approval as approval_statement
from ci_lib.records.statement import statement
from ci_lib.records.trust import Approver, Trust, TrustedKey
from ci_lib.signing.keys import Signer, fingerprint, holds, new_key, public_of
from tests.contract.fake_target import World, digest

VERIFIER = "https://ci.example/acme/shop/staging"
OURS, THEIRS = new_key(), new_key()
"""The key of the environment that verifies, and one that anybody may make."""

Change = Callable[[dict[str, Any]], None]


def key(private: str = OURS, **more: Any) -> TrustedKey:
    """A key of the policy; it speaks for staging unless ``more`` says otherwise."""
    public = public_of(private)
    given = {"keyid": fingerprint(public), "public": public, "verifier": VERIFIER}
    return TrustedKey(**{"environments": ("staging",), **given, **more})


def seal(private: str = OURS, verifier: str = VERIFIER) -> Seal:
    """Signs as the holder of a key would."""
    signer = Signer(private=private)
    return lambda body: signer.signed(statement(body, verifier=verifier))


def signed_world(**more: Any) -> World:
    """Staging signs, production believes its key alone, and v1 serves in both."""
    world = World(**more)
    world.trust = Trust(keys=(key(),), holds=holds)
    world.seals["staging"] = seal()
    assert world.deploy("v1").green
    assert world.promote("v1").green
    return world


def verification(world: World, version: str, **changes: Any) -> dict[str, Any]:
    """The body of a verification of a version that staging never saw, with these keys changed."""
    other = World(clock=world.clock)
    assert other.deploy("v0").green
    assert other.deploy(version).green
    (body,) = [body for body in other.store.bodies() if body["type"] == "verified"][-1:]
    return body | changes


def approval(
    world: World, version: str = "v2", *, private: str = THEIRS, gate: Gate = Gate.FORCE, **changes: Any
) -> Mapping[str, Any]:
    """Bob's signed approval for a version, as `approve` makes it, with these keys of its body changed."""
    digests = tuple(digest(f"{name}:{version}") for name in ("api", "web"))
    now = world.clock.now()
    body = world.tools("production").frame.approval(
        now,
        approver="bob",
        gate=gate,
        subjects=digests,
        reason="login is down, and staging takes an hour",
        until=now + timedelta(hours=4),
    )
    return Signer(private=private).signed(approval_statement(body | changes))


def guarded_world(**more: Any) -> World:
    """As `signed_world`; and to force a release, or skip its checks, takes a proof that somebody agreed."""
    world = signed_world(**more)
    public = public_of(THEIRS)
    bob = Approver(name="bob", keyid=fingerprint(public), public=public, environments=("production",))
    world.trust = replace(world.trust, approvers=(bob,))
    world.demand = Demand(gates=frozenset({Gate.FORCE, Gate.SKIP_CHECKS}), by=frozenset({Source.SIGNATURE}))
    return world


def by_digest(body: Mapping[str, Any]) -> dict[str, str]:
    """The images of a verification as ``--image`` takes them."""
    return {image["name"]: f"{image['repository']}@{image['digest']}" for image in body["release"]["images"]}


def forged(world: World, body: Mapping[str, Any], stack: str = "shop") -> None:
    """Append a well-formed line with this body, as anybody can who may write."""
    world.store.append(stack, body)


def rewritten(world: World, change: Callable[[bytes], bytes], stack: str = "shop") -> None:
    """Change the raw lines of a ledger and make its chain hold again, as anybody can who may write."""
    prev, lines = chain.GENESIS, []
    for seq, line in enumerate(change(world.store.ledgers[stack]).split(b"\n")[:-1]):
        rest = line[line.index(b',"id":"') :]
        lines.append(b'{"seq":%d,"prev":"%s"' % (seq, prev.encode()) + rest)
        prev = hashlib.sha256(lines[-1]).hexdigest()
    world.store.ledgers[stack] = b"".join(line + b"\n" for line in lines)


def records(world: World, stack: str = "shop") -> list[Record]:
    """All records, oldest first."""
    return list(chain.check(world.store.ledgers[stack]).newest_first())[::-1]


def again(record: Record) -> dict[str, Any]:
    """A signed record as a body that can be appended once more, signature and all."""
    return {"statement": json.loads(record.payload), "signatures": list(record.signatures)}


def refused(outcome: Outcome, world: World, exit_code: int, *words: str) -> None:
    """Production refused with these words, and nothing was touched there."""
    assert (outcome.verb, int(outcome.exit)) == (Verb.PROMOTE, exit_code), outcome
    assert outcome.failure is not None
    for word in words:
        assert word in outcome.failure.cause, outcome.failure.cause
    assert world.serves("production") == "v1"
