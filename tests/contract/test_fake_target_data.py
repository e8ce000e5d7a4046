"""Restore, rollback with data, and restore test: what they end as, write, and leave running on which data."""

from typing import Any

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.records import ledger
from ci_lib.records.chain import check
from tests.contract.fake_target import Killed, World
from tests.contract.test_fake_target import BACKUP, ends, with_v1
from tests.contract.test_fake_target_faults import with_later_data

AGREED = {"reason": "orders were deleted by hand", "approver": "bob"}


def name_of(world: World) -> str:
    return next(iter(world.cluster("staging").backups))


def restore(world: World, verb: Verb = Verb.RESTORE, **request: Any) -> Outcome:
    return world.play(verb, **{"backup": name_of(world), **AGREED, **request})


def data(world: World) -> str:
    return world.cluster("staging").data


def served(world: World) -> list[str]:
    """What a rollback could go back to, by the ledger."""
    return [item.release.version for item in ledger.deployed(check(world.store.read("shop")), "staging")]


def last_served(world: World) -> str:
    found = ledger.last_served(check(world.store.read("shop")), "staging")
    return found.version if found else ""


class TestRestore:
    def test_it_saves_what_there_is_stops_exchanges_starts_and_proves(self) -> None:
        world = with_later_data()
        world.applied.clear()
        outcome = restore(world)
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert world.applied == [
            *("backup", "stop", "restore_backup", "start", "await_serving", "check checks", "retain")
        ]
        assert (world.serves(), data(world)) == ("v2", "early")
        assert [kept for kept, _ in world.cluster("staging").backups.values()] == ["early", "later"]
        assert "orders were deleted by hand (approved by bob)" in outcome.overrides[0]

    def test_the_records_say_which_backup_why_and_who_agreed_and_the_release_stays(self) -> None:
        world = with_later_data()
        before = served(world)
        restore(world)
        intent, outcome = world.store.bodies()[-2:]
        for body in (intent, outcome):
            assert (body["type"], body["backup"]) == ("restore", name_of(world))
            assert (body["reason"], body["approver"]) == ("orders were deleted by hand", "bob")
        assert last_served(world) == "v2"
        assert served(world) == before
        assert world.store.history.splitlines()[-1].endswith(
            f"restore | v2 | success | data of backup {name_of(world)}: orders were deleted by hand"
        )

    @pytest.mark.parametrize("step", ["restore_backup", "start", "await_serving"])
    def test_a_failure_after_the_stop_brings_the_data_of_before_back(self, step: str) -> None:
        world = with_later_data()
        world.once[step] = StepFault("no", reason=Reason.RESTORE)
        outcome = restore(world)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert (world.serves(), data(world)) == ("v2", "later")

    def test_failing_checks_bring_the_data_back_and_do_not_make_the_release_bad(self) -> None:
        world = with_later_data()
        world.failing = {"v2"}
        outcome = restore(world)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert (world.serves(), data(world)) == ("v2", "later")
        assert not any(body.get("bad") for body in world.store.bodies())
        assert last_served(world) == "v2"

    def test_what_cannot_be_brought_back_needs_a_person_and_names_the_backup_that_can(self) -> None:
        world = with_later_data()
        world.faults["restore_backup"] = StepFault("no", reason=Reason.RESTORE)
        outcome = restore(world)
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert outcome.failure is not None
        assert f"restore --backup {list(world.cluster('staging').backups)[-1]}" in outcome.failure.hint
        assert world.serves() == "", "an application on half of its data does more harm than none"

    def test_a_damaged_backup_changes_nothing(self) -> None:
        world = with_later_data()
        world.broken = {name_of(world)}
        world.applied.clear()
        outcome = restore(world)
        ends(outcome, Status.FAILED, Reason.RESTORE, 3)
        assert world.applied == []
        assert (world.serves(), data(world)) == ("v2", "later")

    def test_a_safety_backup_that_fails_changes_nothing(self) -> None:
        world = with_later_data()
        world.faults["backup"] = StepFault("no room", reason=Reason.BACKUP)
        ends(restore(world), Status.FAILED, Reason.BACKUP, 3)
        assert (world.serves(), data(world)) == ("v2", "later")

    def test_twice_is_the_same_as_once(self) -> None:
        world = with_later_data()
        for _ in range(2):
            ends(restore(world), Status.PASSED, Reason.PASSED, 0)
            assert (world.serves(), data(world)) == ("v2", "early")

    @pytest.mark.parametrize("verb", [Verb.RESTORE, Verb.ROLLBACK])
    @pytest.mark.parametrize(
        ("request_", "said"),
        [
            ({"reason": "why"}, "--backup needs a reason"),
            ({"approver": ""}, "--backup needs --approver NAME"),
            ({"approver": "@Alice"}, "is the one who runs this"),
            ({"backup": "../../etc"}, "is not the name of a backup"),
            ({"only": ("api",)}, "--only and --last-good do not go with --backup"),
        ],
    )
    def test_without_a_reason_and_somebody_who_agrees_it_is_refused(
        self, verb: Verb, request_: dict[str, Any], said: str
    ) -> None:
        world = with_later_data()
        lines = world.store.read("shop")
        outcome = restore(world, verb, **request_)
        ends(outcome, Status.FAILED, Reason.USAGE, 2)
        assert outcome.failure is not None
        assert said in outcome.failure.cause
        assert world.store.read("shop") == lines

    def test_it_needs_a_name(self) -> None:
        ends(restore(with_later_data(), backup=""), Status.FAILED, Reason.USAGE, 2)

    def test_a_backup_that_is_not_there_is_told(self) -> None:
        outcome = restore(with_later_data(), backup="20200101T000000Z")
        ends(outcome, Status.FAILED, Reason.RESTORE, 3)

    def test_what_we_did_not_deploy_is_left_alone(self) -> None:
        world = with_later_data()
        world.cluster("staging").current = ""
        outcome = restore(world)
        assert outcome.green is False
        assert data(world) == "later"


class TestKilled:
    """People write into the restored data as soon as the application is let in; nothing takes that back."""

    @staticmethod
    def killed(tick: str, number: int = 0, failing: str = "") -> World:
        """A restore that was killed at the ``number``th ``tick``; since then somebody has written."""
        world = with_later_data()
        world.failing = {failing}
        world.ticks.clear()
        restore(world)
        stop_at = [at for at, name in enumerate(world.ticks) if name == tick][number]
        world = with_later_data()
        world.failing = {failing}
        world.ticks.clear()
        world.stop_at = stop_at
        with pytest.raises(Killed):
            restore(world)
        world.stop_at = None
        world.cluster("staging").data += ", and written since"
        return world

    @pytest.mark.parametrize("tick", ["before start", "after start", "before check", "before retain"])
    def test_once_the_application_was_let_in_the_restore_is_brought_to_its_end(self, tick: str) -> None:
        world = self.killed(tick)
        ends(world.play(Verb.FINALIZE), Status.PASSED, Reason.PASSED, 0)
        assert (world.serves(), data(world)) == ("v2", "early, and written since")

    def test_what_does_not_pass_then_needs_a_person_who_is_told_where_the_data_from_before_are(self) -> None:
        world = self.killed("before check", failing="v2")
        outcome = world.play(Verb.FINALIZE)
        ends(outcome, Status.PARTIAL, Reason.DATA_UNVERIFIED, 24)
        assert data(world) == "early, and written since"
        assert outcome.failure is not None
        assert f"restore --backup {list(world.cluster('staging').backups)[-1]}" in outcome.failure.hint

    def test_before_that_the_data_from_before_come_back(self) -> None:
        world = self.killed("after restore_backup")
        ends(world.play(Verb.FINALIZE), Status.ROLLED_BACK, Reason.RECOVERED, 20)
        assert (world.serves(), data(world)) == ("v2", "later")

    def test_on_the_way_back_the_data_from_before_come_back_once(self) -> None:
        world = self.killed("after start", number=1, failing="v2")
        world.failing = set()
        ends(world.play(Verb.FINALIZE), Status.ROLLED_BACK, Reason.RECOVERED, 20)
        assert (world.serves(), data(world)) == ("v2", "later, and written since")


class TestRollback:
    def test_the_release_of_the_backup_comes_with_its_data(self) -> None:
        world = with_later_data()
        world.applied.clear()
        outcome = restore(world, Verb.ROLLBACK)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (world.serves(), data(world)) == ("v1", "early")
        order = ["backup", "stop", "restore_backup", "switch", "await_serving", "check checks"]
        assert [step for step in world.applied if step in order] == order
        assert world.store.bodies()[-1]["backup"] == name_of(world)

    def test_another_version_may_be_named(self) -> None:
        world = with_later_data()
        world.deploy("v3")
        ends(restore(world, Verb.ROLLBACK, version="v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (world.serves(), data(world)) == ("v2", "early")

    def test_the_release_that_serves_gets_the_data_alone(self) -> None:
        world = with_later_data()
        ends(restore(world, Verb.ROLLBACK, version="v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (world.serves(), data(world)) == ("v2", "early")

    def test_failing_checks_bring_release_and_data_back(self) -> None:
        world = with_later_data()
        world.failing = {"v1"}
        outcome = restore(world, Verb.ROLLBACK)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert (world.serves(), data(world)) == ("v2", "later")
        assert outcome.rollback is not None
        assert outcome.rollback.version == "v2"

    def test_files_that_are_not_kept_any_more_are_told_with_what_to_do(self) -> None:
        world = with_later_data()
        cluster = world.cluster("staging")
        cluster.kept = {key: item for key, item in cluster.kept.items() if item.version == "v2"}
        outcome = restore(world, Verb.ROLLBACK)
        ends(outcome, Status.FAILED, Reason.PREFLIGHT, 3)
        assert outcome.failure is not None
        then = f"`restore --backup {name_of(world)}`"
        assert f"deploy v1 again from its commit, then {then}" in outcome.failure.hint
        assert data(world) == "later"


class TestRestoreTest:
    def test_it_tries_the_newest_and_writes_nothing_even_while_another_run_is_at_work(self) -> None:
        world = with_later_data()
        world.state().acquire("run-2", seconds=60)
        lines, effects = world.store.read("shop"), len(world.ticks)
        outcome = world.play(Verb.RESTORE_TEST)
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert (outcome.version, [row.name for row in outcome.checks]) == ("v1", ["hashes"])
        assert world.store.read("shop") == lines
        assert len(world.ticks) == effects

    def test_a_damaged_one_is_red(self) -> None:
        world = with_later_data()
        world.broken = {name_of(world)}
        lines = world.store.read("shop")
        ends(world.play(Verb.RESTORE_TEST), Status.FAILED, Reason.RESTORE_TEST, 4)
        assert world.store.read("shop") == lines

    def test_no_backup_at_all_is_red(self) -> None:
        ends(with_v1().play(Verb.RESTORE_TEST), Status.FAILED, Reason.RESTORE_TEST, 4)


def test_a_deploy_says_in_its_record_what_was_saved_and_two_in_a_second_have_two_names() -> None:
    world = with_v1(extra=BACKUP)
    world.deploy("v2")
    world.deploy("v3")
    names = list(world.cluster("staging").backups)
    assert len(set(names)) == 2
    assert [step["args"]["backup"] for step in world.deploy("v4").plan if step["kind"] == "backup"] == [
        list(world.cluster("staging").backups)[-1]
    ]
