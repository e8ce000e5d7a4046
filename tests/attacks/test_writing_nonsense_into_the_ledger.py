"""Somebody who may write the ledger wants the gate to stumble, and to fall open or silent."""

import hashlib
from typing import Any

import pytest

from ci_lib.domain.reasons import Reason, Verb
from ci_lib.records import chain
from tests.attacks.support import (
    by_digest,
    forged,
    guarded_world,
    refused,
    signed_world,
    verification,
)

PARTS: list[dict[str, Any]] = [
    {"type": None},
    {"time": "yesterday"},
    {"time": None},
    {"environment": ["staging"], "seen": '"environment":"staging"'},
    {"release": "v2"},
    {"release": {"images": "v2"}},
    {"release": {"images": [{"name": "api"}], "files": "", "services": ""}},
    {"release": {"images": [], "files": "", "services": ""}},
    {"checks": "none"},
    {"stack": None},
    {"result": None},
    {"result": ["PASSED"]},
    {"ci": None},
    {"tool": None},
]


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_record_of_an_odd_shape_lets_nothing_in_and_is_no_defect(part: dict[str, Any]) -> None:
    world = signed_world()
    forged(world, verification(world, "v2") | part)
    outcome = world.promote("v2")
    refused(outcome, world, int(outcome.exit))
    assert int(outcome.exit) in (10, 11), outcome


@pytest.mark.parametrize("digests", [None, 7, [7], "sha256:" + "a" * 64])
def test_a_revocation_of_an_odd_shape_is_no_defect(digests: Any) -> None:
    world = signed_world()
    forged(world, verification(world, "v2") | {"type": "revoked", "digests": digests})
    forged(world, verification(world, "v2") | {"type": "revoked"})
    outcome = world.promote("v2")
    assert int(outcome.exit) in (10, 11), outcome


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_a_record_of_an_odd_shape_about_what_is_verified_is_no_defect_either(part: dict[str, Any]) -> None:
    world = signed_world()
    assert world.deploy("v2").green
    forged(world, verification(world, "v2", time="2026-01-01T00:00:00Z") | part)
    outcome = world.promote("", images=by_digest(verification(world, "v2")))
    assert int(outcome.exit) in (0, 10, 11), outcome


ODD: list[dict[str, Any]] = [
    {"type": "deploy", "phase": "outcome", "status": "deployed", "forced": "because", "release": None},
    {"type": "deploy", "phase": "intent", "release": None},
    {"type": "nonsense", "phase": "intent"},
    {"type": "deploy", "phase": "intent", "approvals": ["r1"]},
    {"type": "deploy", "phase": "intent", "approvals": 7},
    {"type": "approval", "phase": "outcome", "time": "2026-01-30", "subjects": []},
    {"type": "approval", "phase": "outcome", "until": "2026-01-30", "gate": "force", "subjects": []},
    {"ci": "x"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_no_line_makes_a_run_end_in_a_defect(odd: dict[str, Any], environment: str) -> None:
    world = guarded_world()
    assert world.deploy("v2").green
    forged(world, verification(world, "v2", environment=environment) | odd)
    for outcome in (
        world.promote("v2"),
        world.promote("v3", force="v3", reason="login is down and cannot wait"),
        world.play(Verb.ROLLBACK, "production", last_good=True),
    ):
        assert outcome.reason is not Reason.BUG, outcome


@pytest.mark.parametrize(
    "body",
    [b"{broken}", b'{"a":"\xff"}', b"{" + b'"a":{' * 50_000 + b"}" * 50_001, b'{"a":' + b"9" * 5000 + b"}"],
    ids=["no JSON", "no UTF-8", "deep", "long number"],
)
def test_a_body_that_cannot_be_read_is_damage(body: bytes) -> None:
    world = signed_world()
    known = chain.check(world.store.ledgers["shop"])
    head = b'{"seq":%d,"prev":"%s","id":"%s","body":' % (
        *(len(known.lines), known.head.encode(), hashlib.sha256(body).hexdigest().encode()),
    )
    world.store.ledgers["shop"] += head + body + b"}\n"
    assert int(world.promote("v1").exit) == 11
    assert world.play(Verb.ROLLBACK, "production", last_good=True).reason is not Reason.BUG
