"""Somebody who may run releases forces one in that nobody approved, or more than was approved."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ci_lib.domain.approval import Approval, Demand, Gate, Source
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.records.bodies import stamp
from ci_lib.records.statement import plain
from tests.attacks.support import (
    OURS,
    THEIRS,
    approval,
    forged,
    guarded_world,
    records,
    refused,
    seal,
    verification,
)
from tests.contract.fake_fleet import fleet_with
from tests.contract.fake_target import Killed, World, cannot_decide, digest

WHY = "login is down and cannot wait"


@pytest.fixture
def world() -> World:
    return guarded_world()


def force(world: World, version: str = "v2", **more: Any) -> Outcome:
    return world.promote(version, **{"force": version, "reason": WHY} | more)


def test_what_somebody_else_approved_is_forced_in_and_named(world: World) -> None:
    forged(world, approval(world))
    outcome = force(world)
    assert outcome.green
    assert outcome.overrides == (f"forced past the verified-image rule: {WHY} (approved by bob)",)
    (intent,) = [record for record in records(world) if record.body.get("approvals")]
    assert intent.body["approvals"][0]["approver"] == "bob"


def test_nobody_forces_what_nobody_approved(world: World) -> None:
    refused(force(world), world, 12, "needs an approval that is proved")


def test_a_name_that_is_typed_is_no_proof(world: World) -> None:
    refused(force(world, approver="bob"), world, 12, "needs an approval that is proved")


def test_an_approval_is_used_once(world: World) -> None:
    forged(world, approval(world))
    assert force(world).green
    assert world.play(Verb.ROLLBACK, "production", version="v1").green
    refused(force(world), world, 12, "it was used at")


def test_an_approval_is_used_up_by_a_release_that_failed(world: World) -> None:
    forged(world, approval(world))
    world.failing.add("v2")
    assert not force(world).green
    world.failing.clear()
    refused(force(world), world, 12, "it was used at")


def _ticks() -> int:
    """How many things a forced release does, each of which may be its last."""
    world = guarded_world()
    forged(world, approval(world))
    before = len(world.ticks)
    assert force(world).green
    return len(world.ticks) - before


@pytest.mark.parametrize("tick", range(_ticks()))
def test_a_forced_release_that_was_killed_keeps_its_override_and_has_used_its_approval(tick: int) -> None:
    world = guarded_world()
    forged(world, approval(world))
    world.stop_at = len(world.ticks) + tick
    with suppress(Killed):
        force(world)
    world.stop_at = None
    world.dead.add("run-1")
    world.play(Verb.FINALIZE, "production", owner="run-2")
    used = any(body.get("approvals") for body in world.store.bodies())
    if world.serves("production") == "v2":
        assert used
        shown = world.play(Verb.BACKUP, "production", owner="run-2").overrides
        assert [text for text in shown if "v2 was forced in" in text]
    if used:
        assert not force(world, owner="run-3").green or world.serves("production") == "v2"


def test_a_copy_of_a_used_approval_is_the_same_one(world: World) -> None:
    given = approval(world)
    forged(world, given)
    assert force(world).green
    assert world.play(Verb.ROLLBACK, "production", version="v1").green
    forged(world, given)
    refused(force(world), world, 12, "it was used at")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subjects": ["sha256:" + "a" * 64]}, "for another release"),
        ({"gate": "backup"}, "it is for backup"),
        ({"reason": "because"}, "fewer than 20 characters"),
        ({"approver": "carol"}, "not signed with a key that the policy gives to 'carol'"),
        ({"environment": "staging"}, "needs an approval"),
        ({"stack": "blog"}, "it speaks of stack 'blog'"),
    ],
)
def test_an_approval_of_something_else_does_not_fit(
    world: World, changes: dict[str, Any], said: str
) -> None:
    forged(world, approval(world, **changes))
    refused(force(world), world, 12, said)


def test_one_image_of_two_is_not_the_whole_release(world: World) -> None:
    (first, _) = plain(approval(world))["subjects"]
    forged(world, approval(world, subjects=[first]))
    refused(force(world), world, 12, "not for all of this one")


def test_an_approval_ends(world: World) -> None:
    forged(world, approval(world))
    world.clock.sleep(4 * 3600)
    refused(force(world), world, 12, "it ended at")


def test_no_approval_is_good_for_longer_than_a_day(world: World) -> None:
    until = world.clock.now() + timedelta(hours=25)
    forged(world, approval(world, until=stamp(until)))
    refused(force(world), world, 12, "longer than a day")


def test_an_approval_from_the_future_does_not_fit(world: World) -> None:
    now = world.clock.now()
    changes = {"time": stamp(now + timedelta(hours=2)), "until": stamp(now + timedelta(hours=5))}
    forged(world, approval(world, **changes))
    refused(force(world), world, 12, "in the future")


def test_nobody_approves_of_what_they_run_themselves(world: World) -> None:
    forged(world, approval(world))
    world.actor = "@Bob"
    refused(force(world), world, 12, "bob is the one who runs this")


def test_an_approval_that_is_not_signed_does_not_count(world: World) -> None:
    forged(world, plain(approval(world)))
    refused(force(world), world, 12, "it is not signed")


def test_the_key_that_verifies_does_not_approve(world: World) -> None:
    forged(world, approval(world, private=OURS))
    refused(force(world), world, 12, "not signed with a key that the policy gives to 'bob'")


def test_the_key_that_approves_does_not_verify(world: World) -> None:
    forged(world, seal(THEIRS)(verification(world, "v2")))
    refused(world.promote("v2"), world, 10)


def test_an_approval_whose_words_were_changed_decides_nothing(world: World) -> None:
    given = approval(world, subjects=["sha256:" + "a" * 64])
    other = approval(world)
    forged(world, {"statement": other["statement"], "signatures": given["signatures"]})
    refused(force(world), world, 11, "does not fit what it says")


def test_a_proof_that_the_policy_does_not_take_is_none(world: World) -> None:
    world.agreed.append(reviewed(world))
    refused(force(world), world, 12, "the policy does not take a forge")


def test_a_review_of_this_run_is_a_proof_where_the_policy_takes_it(world: World) -> None:
    world.demand = replace(world.demand, by=frozenset({Source.FORGE}))
    world.agreed.append(reviewed(world, approver="alice"))
    refused(force(world), world, 12, "alice is the one who runs this")
    world.agreed.append(reviewed(world))
    assert force(world).green


def reviewed(world: World, approver: str = "bob") -> Approval:
    given = {"id": "review-1", "environment": "production", "where": "run 7"}
    return Approval(source=Source.FORGE, approver=approver, **given)


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_revoked_in_one_entry_approves_by_no_other(world: World, first: bool) -> None:
    (bob,) = world.trust.approvers
    lost = replace(bob, revoked=True, environments=("staging",))
    world.trust = replace(world.trust, approvers=(lost, bob) if first else (bob, lost))
    forged(world, approval(world))
    refused(force(world), world, 12, "needs an approval that is proved")


def test_skipping_the_checks_takes_a_proof_as_well(world: World) -> None:
    assert world.deploy("v2").green
    given = {"skip_checks": True, "reason": WHY, "approver": "bob"}
    refused(world.promote("v2", **given), world, 12, "--skip-checks needs an approval")
    forged(world, approval(world, gate=Gate.SKIP_CHECKS))
    assert world.promote("v2", **given).green


def test_without_the_ledger_nobody_can_tell_whether_an_approval_was_used(world: World) -> None:
    assert world.deploy("v2").green
    assert world.promote("v2").green
    world.store.fault = cannot_decide()
    given = {"last_good": True, "skip_checks": True, "reason": WHY, "approver": "bob"}
    outcome = world.play(Verb.ROLLBACK, "production", **given)
    assert int(outcome.exit) == 11
    assert world.serves("production") == "v2"
    assert world.play(Verb.ROLLBACK, "production", last_good=True).green


def test_what_was_forced_in_is_shown_until_it_is_verified(world: World) -> None:
    forged(world, approval(world))
    assert force(world).green
    later = world.play(Verb.BACKUP, "production")
    assert [text for text in later.overrides if "v2 was forced in at" in text and WHY in text]
    assert world.deploy("v2").green
    assert world.play(Verb.BACKUP, "production").overrides == ()


def test_a_sign_off_takes_a_second_person() -> None:
    world = guarded_world()
    assert world.deploy("v2").green
    world.sign_off = True
    refused(world.promote("v2"), world, 10, "signed off by nobody since it passes")
    bob = world.trust.approvers[0]
    alice = replace(bob, name="alice", environments=("staging",))
    world.trust = replace(world.trust, approvers=(alice, replace(bob, environments=("staging",))))
    forged(world, approval(world, gate=Gate.SIGN_OFF, environment="staging", approver="alice"))
    refused(world.promote("v2"), world, 10, "signed off by alice, and it takes somebody else than alice")
    forged(world, approval(world, gate=Gate.SIGN_OFF, environment="staging"))
    assert world.promote("v2").green


def test_a_sign_off_from_before_it_passed_says_nothing() -> None:
    world = guarded_world()
    world.sign_off = True
    bob = replace(world.trust.approvers[0], environments=("staging",))
    world.trust = replace(world.trust, approvers=(bob,))
    forged(world, approval(world, gate=Gate.SIGN_OFF, environment="staging"))
    world.clock.sleep(60)
    assert world.deploy("v2").green
    refused(world.promote("v2"), world, 10, "signed off by nobody since it passes")


def test_a_sign_off_by_a_file_is_one_where_the_policy_takes_files() -> None:
    world = guarded_world()
    assert world.deploy("v2").green
    world.sign_off = True
    given = {"gate": Gate.SIGN_OFF, "at": world.clock.now()}
    for wrong in (
        filed(world, **given | {"environment": "production"}),
        filed(world, **given | {"gate": Gate.FORCE}),
        filed(world, **given | {"subjects": frozenset({digest("api:v1"), digest("web:v1")})}),
        filed(world, **given | {"flaw": "CODEOWNERS does not name bob"}),
        filed(world, **given | {"until": world.clock.now()}),
        filed(world, **given | {"at": None}),
    ):
        world.demand = Demand(gates=frozenset({Gate.FORCE}), by=frozenset({Source.FILE}))
        world.agreed[:] = [wrong]
        refused(world.promote("v2"), world, 10, "signed off by nobody since it passes")
    world.agreed[:] = [filed(world, **given)]
    world.demand = replace(world.demand, by=frozenset({Source.SIGNATURE}))
    refused(world.promote("v2"), world, 10, "signed off by nobody since it passes")
    world.demand = replace(world.demand, by=frozenset({Source.FILE}))
    assert world.promote("v2").green


def filed(world: World, **given: Any) -> Approval:
    subjects = frozenset({digest("api:v2"), digest("web:v2")})
    usual = {"id": "file-1", "approver": "bob", "environment": "staging", "where": "a.yml"}
    return Approval(source=Source.FILE, **usual | {"subjects": subjects} | given)


def test_a_review_of_the_run_that_promotes_is_a_sign_off_of_what_passed_before() -> None:
    world = guarded_world()
    before = world.clock.now()
    world.clock.sleep(60)
    assert world.deploy("v2").green
    world.sign_off = True
    world.demand = Demand(gates=frozenset({Gate.FORCE}), by=frozenset({Source.FORGE}))
    by_bob, by_alice = reviewed(world), replace(reviewed(world, "alice"), at=world.clock.now())
    for wrong in (replace(by_bob, at=before), by_bob, by_alice):
        world.agreed[:] = [wrong]
        refused(world.promote("v2"), world, 10, "signed off by nobody since it passes")
    world.agreed[:] = [replace(by_bob, at=world.clock.now())]
    assert world.promote("v2").green


def test_what_was_forced_in_is_shown_again_when_somebody_goes_back_to_it(world: World) -> None:
    forged(world, approval(world))
    assert force(world).green
    assert world.deploy("v3").green
    assert world.promote("v3").green
    assert world.play(Verb.ROLLBACK, "production", version="v2").green
    assert [text for text in world.play(Verb.BACKUP, "production").overrides if "v2 was forced in" in text]


def test_what_was_forced_in_is_not_said_of_the_release_that_it_replaced(world: World) -> None:
    forged(world, approval(world))
    assert force(world).green
    assert world.play(Verb.ROLLBACK, "production", version="v1").green
    assert world.play(Verb.BACKUP, "production").overrides == ()


@pytest.mark.parametrize(("mode", "sick"), [("batch", "web2"), ("none", "web1")])
def test_what_was_forced_in_and_stays_on_one_host_is_shown_as_well(mode: str, sick: str) -> None:
    fleet = fleet_with("v1", rollout=f"batch: {1 if mode == 'batch' else 2}, on_host_failure: {mode}")
    assert fleet.promote("v1").green
    fleet.sick = {(sick, "v2")}
    outcome = force(fleet, approver="bob")
    assert outcome.reason is Reason.MIXED
    assert sorted(fleet.on_each("production")) == ["v1", "v1", "v2"]
    (shown,) = fleet.promote("v1").overrides
    assert "v2 was forced in at" in shown
    assert WHY in shown
    assert fleet.on_each("production") == ["v1", "v1", "v1"]
    assert fleet.promote("v1").overrides == ()
