"""Somebody who may write the ledger wants the gate to stumble, and to fall open or silent."""

from typing import Any

import pytest

from tests.attacks.support import forged, refused, signed_world, verification

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
