"""Somebody who may write the ledger tells of a release that never served, and waits for a rollback."""

from typing import Any

import pytest

from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Verb
from tests.attacks.support import forged, signed_world
from tests.contract.fake_target import World

EVIL = {"name": "web", "repository": "evil.example/x", "tag": "v0", "digest": "sha256:" + "e" * 64}


@pytest.fixture
def world() -> World:
    made = signed_world()
    assert made.deploy("v2").green
    assert made.promote("v2").green
    body = [
        one for one in made.store.bodies()
        if one["environment"] == "production" and one.get("status") == "deployed"
    ][-1]
    images = [image for image in body["release"]["images"] if image["name"] != "web"]
    forged(made, body | {"version": "v0", "release": body["release"] | {"images": [*images, EVIL]}})
    return made


@pytest.mark.parametrize("request_", [{"last_good": True}, {"version": "v0"}, {"version": "web:v0"}], ids=str)
@pytest.mark.parametrize("only", [(), ("web",)])
def test_a_rollback_brings_in_nothing_that_the_host_does_not_remember(
    world: World, request_: dict[str, Any], only: tuple[str, ...]
) -> None:
    outcome: Outcome = world.play(Verb.ROLLBACK, "production", only=only, **request_)
    live = world.cluster("production").live
    assert live is not None
    assert not [image for image in live.images if image.repository == EVIL["repository"]], outcome
