"""Migrations by the real engine: in their place, from the new image, judged by where the schema stands."""

from typing import Any

import pytest

from ci_lib.domain.outcome import Mark, Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.ports.protocols import Ran, TimedOut
from tests.contract.fake_target import Killed, World, cannot_decide, digest

MIGRATION = """\
    migration:
      {tool: command, service: backend, policy: POLICY, status: [status], apply: [apply], down: [down]}
    backup: {databases: [{type: postgres, service: db}]}
"""
HEADS = {"v1": "s1", "v2": "s2", "v3": "s2"}
FORWARD = MIGRATION.replace("POLICY", "forward-only")
REVERSIBLE = MIGRATION.replace("POLICY", "reversible")
COMPATIBLE = REVERSIBLE.replace("policy", "compatible: true, policy")
AGREED: dict[str, Any] = {"reason": "the new column confuses the reports", "approver": "bob"}


def world(extra: str = FORWARD, **kind: Any) -> World:
    """v1 serves in staging, on s1."""
    made = World(extra=extra, heads=dict(HEADS), **kind)
    assert made.deploy("v1").status is Status.DEPLOYED
    made.applied.clear()
    made.called.clear()
    return made


def ends(outcome: Outcome, status: Status, reason: Reason, code: int) -> None:
    assert (outcome.status, outcome.reason, int(outcome.exit)) == (status, reason, code), outcome.failure


def cause(outcome: Outcome) -> str:
    assert outcome.failure is not None
    return f"{outcome.failure.cause} | {outcome.failure.hint}"


class TestPlace:
    def test_the_schema_is_migrated_from_the_new_image_before_the_switch(self) -> None:
        made = world()
        outcome = made.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.called == ["status v2 staged", "apply v2 staged", "status v2 staged"]
        assert made.ticks.index("after apply") < made.ticks.index("before switch")
        assert outcome.schema is not None
        assert (outcome.schema.before.label, outcome.schema.after) == ("s1", outcome.schema.after)
        assert made.schemas["staging"] == "s2"

    def test_nothing_pending_changes_nothing_and_is_recorded_all_the_same(self) -> None:
        made = world()
        made.deploy("v2")
        made.called.clear()
        outcome = made.deploy("v3")
        assert made.called == ["status v3 staged"]
        assert outcome.schema is not None
        assert not outcome.schema.changed
        assert made.store.bodies()[-2]["schema"]["after"]["current"] == ["s2"]

    def test_a_release_that_serves_already_is_migrated_where_its_schema_was_lost(self) -> None:
        made = world()
        made.schemas["staging"] = "s0"
        outcome = made.deploy("v1")
        ends(outcome, Status.UNCHANGED, Reason.MIGRATED, 0)
        assert made.called == ["status v1", "apply v1", "status v1"]

    def test_the_database_of_a_first_deploy_is_started_before_anything_else(self) -> None:
        made = World(extra=FORWARD, heads=dict(HEADS), needs=("db",))
        outcome = made.deploy("v1")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert [step.name for step in outcome.steps] == [
            *("preflight", "prepare", "pull api", "pull web", "switch", "await_serving", "migrate"),
            *("start", "await_serving", "prove", "check", "prove", "retain"),
        ]
        assert made.called[:2] == ["status v1", "apply v1"]

    def test_images_that_hold_no_migrations_are_deployed_without_one(self) -> None:
        made = world()
        made.deploy("v2", only=("web",))
        assert made.called == []


class TestFailure:
    def test_a_migration_that_fails_leaves_schema_and_release_as_they_were(self) -> None:
        made = world()
        made.migrating["apply"] = Ran(code=1, stderr="ProgrammingError: no such table\nsee the manual")
        outcome = made.deploy("v2")
        ends(outcome, Status.FAILED, Reason.MIGRATION, 3)
        assert "ProgrammingError: no such table" in cause(outcome)
        assert "still stands at s1" in cause(outcome)
        assert made.serves() == "v1"
        assert "switch" not in made.applied

    def test_one_that_stops_half_way_needs_a_person(self) -> None:
        made = world()
        made.migrating["apply"], made.torn = Ran(code=1, stderr="gone away"), True
        outcome = made.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert "stands at s2-half" in cause(outcome)
        assert made.serves() == "v1"

    def test_one_after_which_nobody_can_tell_needs_a_person(self) -> None:
        made = world()
        made.faults["apply"] = TimedOut("the host is gone")
        made.gone = True
        outcome = made.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert "cannot be read" in cause(outcome)
        assert made.store.bodies()[-1]["schema"]["after"] is None

    def test_one_that_ends_well_and_applied_nothing_is_not_believed(self) -> None:
        made = world()
        made.idle = True
        outcome = made.deploy("v2")
        ends(outcome, Status.FAILED, Reason.MIGRATION, 3)
        assert "ended well" in cause(outcome)

    def test_an_unmoved_revision_proves_nothing_where_ddl_is_not_taken_back(self) -> None:
        made = world(whole=False)
        made.faults["apply"] = TimedOut("alembic upgrade head took longer than 600 s")
        outcome = made.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert "takes DDL back" in cause(outcome)

    def test_a_first_deploy_that_stops_half_way_is_taken_down_and_told_as_that(self) -> None:
        made = World(extra=FORWARD, heads=dict(HEADS), needs=("db",), torn=True)
        made.migrating["apply"] = Ran(code=1, stderr="gone away")
        outcome = made.deploy("v1")
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert made.serves() == ""

    def test_a_dependency_that_is_away_changes_nothing_about_the_order_once_something_serves(self) -> None:
        made = world(FORWARD.replace("databases", "enabled: true, databases"), needs=("redis",))
        made.applied.clear()
        outcome = made.deploy("v2")
        names = [step.name for step in outcome.steps]
        assert names.index("backup") < names.index("migrate") < names.index("switch")

    def test_a_lock_that_somebody_holds_is_told_as_such(self) -> None:
        made = world()
        made.migrating["apply"] = Ran(code=1, stderr="Error: canceling statement due to lock timeout")
        assert "somebody holds a lock" in cause(made.deploy("v2"))

    def test_a_failed_release_comes_back_and_the_schema_stays(self) -> None:
        made = world(failing={"v2"})
        outcome = made.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert made.schemas["staging"] == "s2"
        assert "the schema stays at s2: v1 served on it before the switch" in outcome.notes

    def test_a_run_that_is_killed_while_it_migrates_is_found_out(self) -> None:
        made = world()
        made.torn, made.migrating["apply"] = True, Ran(code=1)
        made.stop_at = None
        start = len(made.ticks)
        copy = world()
        copy.deploy("v2")
        offset = copy.ticks.index("after apply", start) - start
        made.stop_at = start + offset
        with pytest.raises(Killed):
            made.deploy("v2")
        outcome = made.play(Verb.FINALIZE)
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert "killed while it migrated" in cause(outcome)
        assert made.serves() == "v1"


class TestRehearsal:
    def test_production_takes_what_was_migrated_in_staging(self) -> None:
        made = world()
        made.deploy("v2")
        outcome = made.promote("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.schemas["production"] == "s2"

    def test_production_refuses_a_migration_that_nobody_rehearsed(self) -> None:
        made = World(heads=dict(HEADS))
        made.deploy("v1")
        made.extra = FORWARD
        outcome = made.promote("v1")
        ends(outcome, Status.REFUSED, Reason.NOT_REHEARSED, 10)
        assert "never rehearsed in staging" in cause(outcome)
        assert made.called == []
        made.deploy("v1")
        ends(made.promote("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_other_migrations_under_the_same_digest_are_refused(self) -> None:
        made = world()
        made.deploy("v2")
        made.heads["v2"] = "s9"
        outcome = made.promote("v2")
        ends(outcome, Status.REFUSED, Reason.POLICY, 12)
        assert made.schemas.get("production", "s0") == "s0"

    def test_single_images_without_migrations_need_no_rehearsal(self) -> None:
        made = World(heads=dict(HEADS))
        made.deploy("v1")
        made.promote("v1")
        made.extra = FORWARD
        made.tags["web:v2"] = digest("web:v2")
        made.deploy("v2", only=("web",))
        assert made.play(Verb.PROMOTE, "production", version="v2", only=("web",)).exit == 0

    def test_what_is_forced_needs_no_rehearsal(self) -> None:
        made = world()
        outcome = made.promote("v2", force="v2", reason="the customer cannot wait for staging")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)


class TestBackup:
    def test_in_production_a_backup_is_made_first_if_anything_is_pending(self) -> None:
        made = world()
        made.promote("v1")
        made.deploy("v2")
        made.applied.clear()
        outcome = made.promote("v2")
        assert made.applied.index("backup before the migration") < made.applied.index("switch")
        made.deploy("v3")
        made.applied.clear()
        outcome = made.promote("v3")
        (skipped,) = [step for step in outcome.steps if step.mark is Mark.SKIPPED]
        assert (skipped.name, skipped.notes) == ("backup before the migration", ("no migration is pending",))
        assert "backup before the migration" not in made.applied

    def test_a_question_that_is_not_answered_does_not_save_the_backup(self) -> None:
        made = world()
        made.promote("v1")
        made.deploy("v2")
        made.applied.clear()
        made.once["status"] = TimedOut("a blip")
        assert made.promote("v2").status is Status.DEPLOYED
        assert "backup before the migration" in made.applied

    def test_staging_makes_none_by_itself(self) -> None:
        made = world()
        made.deploy("v2")
        assert not [name for name in made.applied if name.startswith("backup")]


class TestVerb:
    def test_the_schema_alone_leaves_what_serves(self) -> None:
        made = world()
        outcome = made.play(Verb.MIGRATE, version="v2")
        ends(outcome, Status.PASSED, Reason.MIGRATED, 0)
        assert (made.serves(), made.schemas["staging"]) == ("v1", "s2")
        ends(made.play(Verb.MIGRATE, version="v2"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        ends(made.play(Verb.POST_VERIFY), Status.PASSED, Reason.PASSED, 0)

    def test_without_a_migration_in_the_configuration_it_says_so(self) -> None:
        made = World()
        ends(made.play(Verb.MIGRATE, version="v1"), Status.FAILED, Reason.CONFIG, 2)

    def test_a_database_that_is_not_there_yet_is_not_started_by_it(self) -> None:
        made = World(extra=FORWARD, heads=dict(HEADS), needs=("db",))
        outcome = made.play(Verb.MIGRATE, version="v1")
        ends(outcome, Status.FAILED, Reason.STOPPED, 3)
        assert "db" in cause(outcome)


class TestRollback:
    def back(self, made: World, **more: Any) -> Outcome:
        made.deploy("v2")
        made.called.clear()
        return made.play(Verb.ROLLBACK, version="v1", **more)

    def test_forward_only_leaves_the_schema_and_says_what_to_do(self) -> None:
        made = world()
        outcome = self.back(made)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (made.called, made.schemas["staging"]) == ([], "s2")
        assert any("forward-only" in note and "mend it forward" in note for note in outcome.notes)

    def test_a_compatible_release_just_goes(self) -> None:
        outcome = self.back(world(COMPATIBLE))
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert any("declared compatible" in note for note in outcome.notes)

    def test_a_reversible_schema_wants_a_decision(self) -> None:
        made = world(REVERSIBLE)
        outcome = self.back(made)
        ends(outcome, Status.REFUSED, Reason.POLICY, 12)
        assert "--schema down --approver NAME" in cause(outcome)
        ends(made.play(Verb.ROLLBACK, version="v1", schema="keep"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.schemas["staging"] == "s2"

    @pytest.mark.parametrize("missing", ["reason", "approver"])
    def test_taking_it_back_needs_somebody_who_agrees(self, missing: str) -> None:
        outcome = self.back(world(REVERSIBLE), schema="down", **(AGREED | {missing: ""}))
        ends(outcome, Status.FAILED, Reason.USAGE, 2)

    def test_it_is_taken_back_by_the_release_that_serves_before_that_goes(self) -> None:
        made = world(REVERSIBLE)
        outcome = self.back(made, schema="down", **AGREED)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.called == ["status v2", "down v2", "status v2"]
        assert (made.serves(), made.schemas["staging"]) == ("v1", "s1")
        assert any("schema taken back" in text for text in outcome.overrides)

    def test_a_rollback_that_fails_brings_schema_and_release_forth_again(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.failing = {"v1"}
        outcome = made.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert (made.serves(), made.schemas["staging"]) == ("v2", "s2")

    def test_there_is_no_way_back_where_none_was_declared(self) -> None:
        ends(self.back(world(), schema="down", **AGREED), Status.FAILED, Reason.USAGE, 2)

    def test_the_way_back_of_post_verify_never_touches_the_schema(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.failing = {"v2"}
        outcome = made.play(Verb.POST_VERIFY, rollback_on_failure=True)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert made.schemas["staging"] == "s2"

    def test_data_of_a_backup_bring_their_own_schema_along(self) -> None:
        made = world(REVERSIBLE)
        made.play(Verb.BACKUP)
        made.deploy("v2")
        (name,) = made.cluster("staging").backups
        outcome = made.play(Verb.ROLLBACK, backup=name, **AGREED)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.serves() == "v1"
        made.deploy("v2")
        ends(made.play(Verb.ROLLBACK, version="v1"), Status.REFUSED, Reason.POLICY, 12)

    def test_where_the_schema_stands_is_not_known_once_data_were_put_back(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.play(Verb.BACKUP)
        (name,) = made.cluster("staging").backups
        ends(made.play(Verb.RESTORE, backup=name, **AGREED), Status.PASSED, Reason.PASSED, 0)
        ends(made.play(Verb.ROLLBACK, version="v1"), Status.REFUSED, Reason.POLICY, 12)
        outcome = made.play(Verb.ROLLBACK, version="v1", schema="keep")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert any("is not recorded" in note for note in outcome.notes)

    def test_a_restore_that_changed_nothing_leaves_what_is_known(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.play(Verb.BACKUP)
        (name,) = made.cluster("staging").backups
        made.broken.add(name)
        assert made.play(Verb.RESTORE, backup=name, **AGREED).exit == 3
        outcome = made.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)
        assert (outcome.status, made.schemas["staging"]) == (Status.DEPLOYED, "s1")

    def test_down_is_refused_where_it_cannot_be_gone(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        assert made.play(Verb.ROLLBACK, version="v1", schema="keep").status is Status.DEPLOYED
        late = made.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)
        ends(late, Status.REFUSED, Reason.POLICY, 12)
        assert "does not know the way down from s2" in cause(late)
        unknown = World(extra=REVERSIBLE, heads=dict(HEADS))
        unknown.extra = "    backup: {enabled: false}\n"
        unknown.deploy("v1")
        unknown.extra = REVERSIBLE
        unknown.deploy("v2")
        refused = unknown.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)
        ends(refused, Status.REFUSED, Reason.POLICY, 12)

    def test_single_images_are_asked_about_their_schema_too(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2", only=("web",))
        made.deploy("v2")
        ends(made.play(Verb.ROLLBACK, version="v1", only=("api",)), Status.REFUSED, Reason.POLICY, 12)
        ends(made.play(Verb.ROLLBACK, last_good=True), Status.REFUSED, Reason.POLICY, 12)

    def test_the_data_are_saved_before_their_schema_is_taken_back_in_production(self) -> None:
        made = world(REVERSIBLE)
        made.promote("v1")
        made.deploy("v2")
        made.promote("v2")
        made.applied.clear()
        outcome = made.play(Verb.ROLLBACK, "production", version="v1", schema="down", **AGREED)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert made.applied.index("backup") < made.applied.index("switch")

    def test_a_way_down_that_stopped_half_way_needs_a_person_whatever_came_back(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.migrating["down"], made.torn = Ran(code=1, stderr="gone away"), True
        outcome = made.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)
        ends(outcome, Status.PARTIAL, Reason.HALF_MIGRATED, 24)
        assert made.serves() == "v2"

    def test_without_a_ledger_nobody_is_asked(self) -> None:
        made = world(REVERSIBLE)
        made.deploy("v2")
        made.store.fault = cannot_decide()
        outcome = made.play(Verb.ROLLBACK, last_good=True)
        assert (outcome.exit, made.serves()) == (0, "v1")
