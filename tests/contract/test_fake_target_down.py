"""Taking a stack down: what it ends as, what it writes, and what can be done afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from ci_lib.domain.approval import Demand, Gate, Source
from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import CheckResult, Mark, Outcome
from ci_lib.domain.plan import Step
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.engine import flow
from ci_lib.engine.tools import Request
from ci_lib.records import ledger
from ci_lib.records.chain import check
from ci_lib.report.verdict import verdict
from tests.contract.fake_fleet import HOSTS, fleet_with
from tests.contract.fake_target import FakeTarget, World
from tests.contract.test_fake_target import ends, with_v1
from tests.contract.test_migrations import HEADS, REVERSIBLE

AGREED = {"reason": "the shop moves to another city", "approver": "bob"}


def take_down(world: World, version: str = "v1", environment: str = "staging", **request: Any) -> Outcome:
    return world.play(Verb.TAKE_DOWN, environment, version=version, **request)


def last_served(world: World, environment: str = "staging") -> str:
    found = ledger.last_served(check(world.store.read("shop")), environment)
    return found.version if found else ""


def migrated() -> World:
    """Staging and production have v2, whose migration each of them has had."""
    world = World(extra=REVERSIBLE, heads=HEADS | {"v3": "s3"})
    for version in ("v1", "v2"):
        world.deploy(version)
        world.promote(version)
    return world


def down() -> World:
    world = with_v1()
    take_down(world)
    world.applied.clear()
    return world


class TestGoingDown:
    def test_everything_goes_and_that_is_proved_and_recorded(self) -> None:
        world = with_v1()
        outcome = take_down(world)
        ends(outcome, Status.PASSED, Reason.DOWN, 0)
        assert [step.name for step in outcome.steps] == ["preflight", "take_down", "prove"]
        assert (world.serves(), last_served(world)) == ("", "")
        assert world.store.history.splitlines()[-1].endswith("| take-down | v1 | success |")
        assert verdict(outcome, str) == "shop staging is down: v1 was taken down, its data stay"

    def test_a_second_time_there_is_nothing_to_do(self) -> None:
        world = down()
        lines = world.store.read("shop")
        outcome = take_down(world)
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert "nothing was running" in outcome.notes
        assert world.store.read("shop") == lines

    def test_another_version_than_the_one_named_is_left_alone(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.applied.clear()
        outcome = take_down(world, "v1")
        ends(outcome, Status.FAILED, Reason.CHANGED, 4)
        assert (world.serves(), world.applied) == ("v2", [])

    @pytest.mark.parametrize("version", ["", " "])
    def test_without_a_version_nothing_is_taken_down(self, version: str) -> None:
        """A job hands on an empty one where a variable has no value."""
        world = with_v1()
        world.applied.clear()
        ends(take_down(world, version), Status.FAILED, Reason.USAGE, 2)
        assert (world.serves(), world.applied) == ("v1", [])

    def test_a_place_that_is_empty_while_the_ledger_names_a_release_is_the_wrong_one(self) -> None:
        world = with_v1()
        world.clusters.clear()
        outcome = take_down(world)
        ends(outcome, Status.FAILED, Reason.CHANGED, 4)
        assert outcome.failure is not None
        assert "v1 should be" in outcome.failure.cause
        assert last_served(world) == "v1"

    def test_what_the_target_has_against_it_stops_it_while_all_runs(self) -> None:
        world = with_v1()
        row = CheckResult(name="projects there", mark=Mark.FAILED, value="web of other", bound="shop alone")
        world.removable = (row,)
        world.applied.clear()
        ends(take_down(world), Status.FAILED, Reason.PREFLIGHT, 3)
        assert (world.serves(), world.applied) == ("v1", [])
        world.removable = (replace(row, mark=Mark.WARNED),)
        outcome = take_down(world)
        ends(outcome, Status.PASSED, Reason.DOWN, 0)
        assert outcome.preflight == world.removable

    def test_what_was_not_deployed_by_us_is_left_alone(self) -> None:
        world = World()
        world.deploy("v0")
        cluster = world.cluster("staging")
        old = next(iter(cluster.kept.values()))
        cluster.live, cluster.current = type(old)(images=old.images, adopted=True), ""
        outcome = take_down(world, cluster.live.version)
        ends(outcome, Status.FAILED, Reason.CHANGED, 4)
        assert world.serves() == cluster.live.version

    def test_a_failure_brings_it_back_and_does_not_make_the_release_bad(self) -> None:
        world = with_v1()
        world.once["take_down"] = StepFault("the engine does not answer")
        outcome = take_down(world)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert (world.serves(), last_served(world)) == ("v1", "v1")
        assert not any(body.get("bad") for body in world.store.bodies())
        assert verdict(outcome, str).startswith("shop staging runs v1 again: taking it down failed")

    def test_what_does_not_go_away_is_no_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = with_v1()
        monkeypatch.setattr(FakeTarget, "_take_down", lambda self, step: None)
        outcome = take_down(world)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert outcome.failure is not None
        assert "still there after" in outcome.failure.cause
        assert world.store.history.splitlines()[-1].endswith("automatic, after taking it down failed")
        assert not any(body.get("bad") for body in world.store.bodies())

    def test_what_is_started_again_at_once_is_no_success(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = with_v1()
        taken = FakeTarget._take_down

        def restarted(self: FakeTarget, step: Step) -> None:
            taken(self, step)
            looks = iter((False, True))
            observe = self.observe
            self.observe = lambda: observe() if next(looks, True) else ()  # type: ignore[method-assign]
            self._cluster.live = self._cluster.desired = step.release

        monkeypatch.setattr(FakeTarget, "_take_down", restarted)
        ends(take_down(world), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)

    def test_what_cannot_be_brought_back_needs_a_person(self) -> None:
        world = with_v1()
        world.faults["take_down"] = world.faults["restore"] = StepFault("the engine does not answer")
        outcome = take_down(world)
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert "it did not come back" in verdict(outcome, str)

    def test_on_several_hosts_all_of_them_go_or_none(self) -> None:
        world = fleet_with("v1")
        outcome = take_down(world)
        ends(outcome, Status.PASSED, Reason.DOWN, 0)
        assert world.on_each() == ["", "", ""]
        assert [(row.status, row.version) for row in outcome.hosts] == [(Status.PASSED, "")] * 3
        world.deploy("v2")
        world.faults_on[("web2", "take_down")] = StepFault("the engine does not answer")
        outcome = take_down(world, "v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.on_each() == ["v2", "v2", "v2"]

    def test_a_host_that_has_nothing_does_not_hold_up_the_others(self) -> None:
        world = fleet_with("v1")
        world.hosts = (*HOSTS, "web4")
        outcome = take_down(world)
        ends(outcome, Status.PASSED, Reason.DOWN, 0)
        assert world.on_each() == ["", "", "", ""]
        assert [row.name for row in outcome.hosts] == list(HOSTS)


class TestAfterwards:
    def test_the_last_good_release_is_the_one_that_was_taken_down(self) -> None:
        world = down()
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (world.serves(), last_served(world)) == ("v1", "v1")

    def test_the_same_version_can_be_deployed_again(self) -> None:
        world = down()
        ends(world.deploy("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.serves() == "v1"

    def test_a_part_of_it_cannot_be_brought_back_alone(self) -> None:
        world = down()
        ends(world.play(Verb.ROLLBACK, version="v1", only=("api",)), Status.FAILED, Reason.USAGE, 2)
        ends(world.play(Verb.ROLLBACK, last_good=True), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_its_data_are_saved_before_another_release_gets_them(self) -> None:
        """While nothing runs nobody can be asked for a dump, so it is brought back first."""
        world = migrated()
        take_down(world, "v2", "production", **AGREED)
        world.deploy("v3")
        refused = world.promote("v3")
        ends(refused, Status.FAILED, Reason.BACKUP, 3)
        assert refused.failure is not None
        assert "rollback --version v2" in refused.failure.hint
        assert world.serves("production") == ""
        ends(world.play(Verb.ROLLBACK, "production", version="v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        before = len(world.cluster("production").backups)
        ends(world.promote("v3"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert len(world.cluster("production").backups) == before + 1

    def test_the_same_release_gets_its_data_again_without_a_backup(self) -> None:
        world = migrated()
        take_down(world, "v2", "production", **AGREED)
        ends(world.promote("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_a_deploy_that_fails_leaves_it_down(self) -> None:
        world = down()
        world.failing = {"v2"}
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.TAKEN_DOWN, 20)
        assert (world.serves(), last_served(world)) == ("", "")

    def test_that_nothing_runs_is_no_drift_and_that_something_does_is_one(self) -> None:
        world = down()
        ends(world.play(Verb.DRIFT), Status.PASSED, Reason.PASSED, 0)
        cluster = world.cluster("staging")
        cluster.live = next(iter(cluster.kept.values()))
        ends(world.play(Verb.DRIFT), Status.FAILED, Reason.DRIFT, 4)

    def test_what_was_verified_there_stays_verified(self) -> None:
        ends(down().promote("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_there_is_nothing_to_verify(self) -> None:
        ends(down().play(Verb.POST_VERIFY, version="v1"), Status.FAILED, Reason.CHANGED, 4)


class TestProduction:
    def promoted(self) -> World:
        world = with_v1()
        world.promote("v1")
        return world

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({}, "take-down of production needs a reason"),
            ({"reason": "too short", "approver": "bob"}, "take-down of production needs a reason"),
            ({"reason": AGREED["reason"]}, "take-down of production needs --approver NAME"),
            ({"reason": AGREED["reason"], "approver": "@Alice"}, "is the one who runs this"),
        ],
    )
    def test_it_takes_a_reason_and_somebody_else(self, given: dict[str, str], words: str) -> None:
        world = self.promoted()
        outcome = take_down(world, environment="production", **given)
        ends(outcome, Status.FAILED, Reason.USAGE, 2)
        assert outcome.failure is not None
        assert words in outcome.failure.cause
        assert world.serves("production") == "v1"

    def test_both_are_recorded_and_shown(self) -> None:
        world = self.promoted()
        outcome = take_down(world, environment="production", **AGREED)
        ends(outcome, Status.PASSED, Reason.DOWN, 0)
        for body in world.store.bodies()[-2:]:
            assert (body["type"], body["reason"], body["approver"]) == ("take-down", *AGREED.values())
        assert outcome.overrides == (f"taken down: {AGREED['reason']} (approved by bob)",)
        assert world.store.history.splitlines()[-1].endswith(
            f"| take-down | v1 | success | {AGREED['reason']}"
        )

    def test_a_policy_can_want_the_agreement_proved(self) -> None:
        demand = Demand(gates=frozenset({Gate.TAKE_DOWN}), by=frozenset({Source.SIGNATURE}))
        world = self.promoted()
        world.demand = demand
        outcome = take_down(world, environment="production", **AGREED)
        ends(outcome, Status.REFUSED, Reason.POLICY, 12)
        assert outcome.failure is not None
        assert "approve --gate take-down" in outcome.failure.hint
        assert verdict(outcome, str) == "shop production was not taken down: refused by policy"
        assert world.serves("production") == "v1"

    def test_a_policy_is_not_held_off_by_the_tier_that_deploy_yml_names(self) -> None:
        world = with_v1()
        demand = Demand(gates=frozenset({Gate.TAKE_DOWN}), by=frozenset({Source.SIGNATURE}))
        tools = replace(world.tools("staging"), demand=demand)
        request = Request(verb=Verb.TAKE_DOWN, version="v1", reason=AGREED["reason"])
        ends(flow.take_down(request, tools), Status.REFUSED, Reason.POLICY, 12)
        ends(flow.take_down(replace(request, reason=""), tools), Status.FAILED, Reason.USAGE, 2)
        assert world.serves() == "v1"
