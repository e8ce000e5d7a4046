"""The real engine on a target that is unlike Compose: what every verb ends as, writes, and leaves running."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark, Outcome
from ci_lib.domain.plan import StepKind
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.engine import flow
from ci_lib.engine.recover import unfinished
from ci_lib.engine.standing import standing
from ci_lib.engine.tools import Request
from ci_lib.ports.protocols import Ran, TimedOut, Unreachable
from ci_lib.records import ledger
from ci_lib.records.chain import check
from ci_lib.report.verdict import verdict
from tests.contract.fake_target import DATABASES, FakeTarget, Killed, World, cannot_decide, digest, image
from tests.fakes import quiet

HOOKS = """\
    hooks:
      before_switch: [[./before]]
      after_verify: [[./after]]
      on_failure: [[./alarm]]
"""
VERIFY = "    verify: [{name: deep, type: tcp, port: 8000}]\n"
BACKUP = "    backup: {enabled: true}\n"


def ends(outcome: Outcome, status: Status, reason: Reason, code: int) -> None:
    assert (outcome.status, outcome.reason, int(outcome.exit)) == (status, reason, code), (
        outcome.failure
    )


def kinds(world: World, environment: str = "staging") -> list[tuple[str, str, str]]:
    return [
        (body["type"], body["phase"], str(body.get("status") or body.get("result") or ""))
        for body in world.store.bodies()
        if body["environment"] == environment
    ]


def with_v1(**kind: Any) -> World:
    world = World(**kind)
    world.deploy("v1")
    world.applied.clear()
    return world


class TestDeploy:
    def test_it_goes_through_its_phases_in_order_and_waits_for_the_target(self) -> None:
        world = World(extra=HOOKS + BACKUP)
        world.deploy("v1")
        world.applied.clear()
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.applied == [
            *(
                "prepare",
                "pull api",
                "pull web",
                "backup",
                "switch",
                "await_serving",
                "check checks",
                "retain",
            )
        ]
        assert [step.name for step in outcome.steps] == [
            *("preflight", "prepare", "pull api", "pull web", "backup", "hook before_switch", "switch"),
            *("await_serving", "prove", "check", "prove", "retain", "hook after_verify"),
        ]
        assert [name for name, _ in world.hooked] == ["./before", "./after"] * 2
        assert world.clock.slept, "the target answers late, so somebody had to wait"

    def test_the_intent_is_recorded_before_anything_happens_and_the_outcome_refers_to_it(self) -> None:
        world = World()
        outcome = world.deploy("v1")
        assert kinds(world) == [
            ("deploy", "intent", ""),
            ("deploy", "outcome", "deployed"),
            ("verified", "outcome", "PASSED"),
        ]
        intent, ended, _ = outcome.records
        assert world.store.bodies()[1]["ref"] == intent
        assert world.ticks.index("appended deploy intent") < world.ticks.index("before prepare")
        assert outcome.ledger_head
        assert len(outcome.record_lines) == 3
        assert ended != intent

    def test_the_first_one_that_fails_is_taken_down(self) -> None:
        world = World(failing={"v1"})
        ends(world.deploy("v1"), Status.ROLLED_BACK, Reason.TAKEN_DOWN, 20)
        assert world.serves() == ""

    def test_one_whose_checks_fail_comes_back_and_is_remembered_as_bad(self) -> None:
        world = with_v1(failing={"v2"})
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.serves() == "v1"
        assert outcome.rollback is not None
        assert outcome.rollback.version == "v1"
        assert outcome.packet is not None
        assert outcome.packet.services[0].lines == "fatal"
        assert [body.get("bad") for body in world.store.bodies()][-2:] == [True, None]
        assert kinds(world)[-1] == ("verified", "outcome", "FAILED")

    def test_one_that_never_gets_healthy_comes_back(self) -> None:
        world = with_v1(unhealthy={digest("api:v2")})
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert outcome.failure is not None
        assert outcome.failure.step == "await_serving"
        assert world.serves() == "v1"

    def test_one_that_restarts_while_it_is_checked_comes_back(self) -> None:
        world = with_v1()
        world.restarting = True
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert outcome.failure is not None
        assert "restarted or replaced while the checks ran" in outcome.failure.cause

    def test_a_service_that_ended_well_by_itself_does_not_serve(self) -> None:
        world = with_v1()
        world.cluster("staging").crashed = {"worker"}
        outcome = world.play(Verb.POST_VERIFY)
        ends(outcome, Status.FAILED, Reason.CHECKS, 4)
        assert outcome.failure is not None
        assert "worker is exited" in outcome.failure.cause

    def test_a_service_that_is_meant_to_end_may(self) -> None:
        world = with_v1(extra="    compose: {one_shot: [worker]}\n")
        world.cluster("staging").crashed = {"worker"}
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)

    def test_one_that_serves_already_is_proved_and_checked_but_not_switched(self) -> None:
        world = with_v1()
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        assert world.applied == ["check checks"]

    def test_one_that_serves_already_and_fails_its_checks_stays_and_is_red(self) -> None:
        world = with_v1(failing=set())
        world.failing = {"v1"}
        ends(world.deploy("v1"), Status.FAILED, Reason.CHECKS, 4)
        assert world.serves() == "v1"
        assert kinds(world)[-1] == ("verified", "outcome", "FAILED")

    def test_other_files_with_the_same_images_are_another_release(self) -> None:
        world = with_v1()
        world.files = "files 2"
        ends(world.deploy("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_what_is_not_named_carries_its_digest_forward(self) -> None:
        world = with_v1()
        world.tags["web:v1"] = digest("somewhere else now")
        outcome = world.deploy("v2", only=("api",))
        assert outcome.version == "api:v2,web:v1"
        assert outcome.changes[1].image.digest == digest("web:v1")
        assert world.asked[-1] == "ghcr.io/acme/api:v2"

    @pytest.mark.parametrize(
        ("step", "fault", "reason"),
        [
            ("prepare", StepFault("no room", reason=Reason.STOPPED), Reason.STOPPED),
            ("pull web", StepFault("gone", reason=Reason.PULL), Reason.PULL),
            ("backup", StepFault("no database", reason=Reason.BACKUP), Reason.BACKUP),
            ("pull api", TimedOut("too late"), Reason.UNREACHABLE),
        ],
    )
    def test_a_failure_before_the_switch_changes_nothing(
        self, step: str, fault: Exception, reason: Reason
    ) -> None:
        world = with_v1(extra=BACKUP)
        world.faults[step] = fault
        outcome = world.deploy("v2")
        ends(outcome, Status.FAILED, reason, 3)
        assert "switch" not in world.applied
        assert outcome.rollback is None
        assert outcome.packet is None
        assert kinds(world)[-1] == ("deploy", "outcome", "failed")
        assert not any(body.get("bad") for body in world.store.bodies())

    def test_a_secret_in_what_a_program_said_reaches_neither_ledger_nor_view(self) -> None:
        world = with_v1(extra=HOOKS)
        world.hooks["./before"] = Ran(code=1, stderr="no: password is hunter2 " + "x" * 100_000)
        outcome = world.deploy("v2")
        assert outcome.failure is not None
        assert "hunter2" in outcome.failure.cause, "masked again where it is shown"
        assert b"hunter2" not in world.store.read("shop")
        assert "password is ***" in world.store.history
        assert len(world.store.read("shop").splitlines()[-1]) < 10_000

    def test_a_failed_preflight_changes_nothing_and_says_value_and_bound(self) -> None:
        world = with_v1()
        world.preflight = (CheckResult(name="disk", mark=Mark.FAILED, value="3 %", bound="20 %"),)
        outcome = world.deploy("v2")
        ends(outcome, Status.FAILED, Reason.PREFLIGHT, 3)
        assert outcome.failure is not None
        assert outcome.failure.cause == "disk: 3 %, wanted 20 %"
        assert world.applied == []

    def test_what_a_release_must_have_ready_is_told_together_with_the_targets_own_checks(self) -> None:
        world = with_v1()
        world.preflight = (CheckResult(name="disk", mark=Mark.FAILED, value="3 %", bound="20 %"),)
        world.listed = (
            CheckResult(name="draft", mark=Mark.FAILED, value="none", bound="a file"),
            CheckResult(name="setting KEY", mark=Mark.WARNED, value="set", bound="good for longer"),
        )
        for verb in (Verb.PREFLIGHT, Verb.DEPLOY):
            outcome = world.play(verb, version="v2")
            ends(outcome, Status.FAILED, Reason.PREFLIGHT, 3)
            assert outcome.failure is not None
            assert outcome.failure.cause == "disk: 3 %, wanted 20 %; draft: none, wanted a file"
            told = {"DEPLOY_VERSION": "v2", "DEPLOY_PREVIOUS_VERSION": "v1"}
            assert told.items() <= world.listed_for[-1].items()
        assert world.applied == []

    def test_a_rollback_is_not_held_up_by_what_a_release_must_have_ready(self) -> None:
        world = with_v1()
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        world.listed = (CheckResult(name="draft", mark=Mark.FAILED, value="none", bound="a file"),)
        ends(world.play(Verb.ROLLBACK, version="v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)

    @pytest.mark.parametrize("end", [Ran(code=1, stderr="no"), TimedOut("too long")])
    def test_a_failed_hook_before_the_switch_changes_nothing(self, end: Ran | Exception) -> None:
        world = with_v1(extra=HOOKS)
        world.hooks["./before"] = end
        ends(world.deploy("v2"), Status.FAILED, Reason.HOOK, 3)
        assert "switch" not in world.applied
        assert world.hooked[-1][0] == "./alarm"
        assert world.hooked[-1][1]["DEPLOY_STATUS"] == "failed"

    @pytest.mark.parametrize("end", [Ran(code=1, stderr="no"), Unreachable("gone")])
    def test_a_failed_hook_afterwards_is_a_note(self, end: Ran | Exception) -> None:
        world = with_v1(extra=HOOKS)
        world.hooks["./after"] = world.hooks["./alarm"] = end
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert any("hook after_verify" in note for note in outcome.notes)

    def test_a_failed_hook_on_failure_is_a_note_too(self) -> None:
        world = with_v1(extra=HOOKS, failing={"v2"})
        world.hooks["./alarm"] = Unreachable("gone")
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert any("on_failure" in note for note in outcome.notes)

    def test_a_failed_retain_is_a_note_since_the_release_serves(self) -> None:
        world = with_v1()
        world.faults["retain"] = StepFault("disk full")
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert "retain failed: disk full" in outcome.notes

    def test_a_switch_that_fails_goes_back_but_is_not_held_against_the_release(self) -> None:
        world = with_v1()
        world.faults["switch"] = StepFault("port in use")
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.serves() == "v1"
        assert not any(body.get("bad") for body in world.store.bodies())
        assert kinds(world)[-1][0] == "deploy"

    def test_a_host_that_is_gone_is_not_held_against_the_release_either(self) -> None:
        world = with_v1()
        world.faults["await_serving"] = Unreachable("no route")
        ends(world.deploy("v2"), Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert not any(
            body.get("bad") or body.get("result") == "FAILED" for body in world.store.bodies()
        )

    @pytest.mark.parametrize("step", ["restore", "await_serving"])
    def test_a_way_back_that_fails_needs_a_person(self, step: str) -> None:
        world = with_v1(failing={"v2"}) if step == "restore" else with_v1()
        world.faults[step] = StepFault("no way")
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert outcome.rollback is not None
        assert not outcome.rollback.proved
        assert outcome.rollback.cause == f"{step}: no way"

    def test_a_failure_packet_that_cannot_be_had_hides_nothing(self) -> None:
        world = with_v1(failing={"v2"}, blind=ValueError("odd log"))
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert any("odd log" in note for note in outcome.notes)

    def test_a_defect_after_the_switch_is_told_and_undone(self) -> None:
        world = with_v1()
        world.faults["switch"] = KeyError("x")
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert outcome.failure is not None
        assert outcome.failure.cause == "a defect of deploy-actions: KeyError: 'x'"
        assert any(kind == "text" and "Traceback" in text for kind, text in world.reporter.said)

    def test_a_defect_before_the_switch_has_an_exit_code_of_its_own(self) -> None:
        world = with_v1()
        world.faults["pull api"] = KeyError("x")
        ends(world.deploy("v2"), Status.FAILED, Reason.BUG, 70)

    def test_what_ran_before_is_adopted_recorded_and_gone_back_to(self) -> None:
        world = World(failing={"v1"})
        old = Release(images=(image("api", "v0"), image("web", "v0")), adopted=True)
        world.cluster("staging").live = old
        ends(world.deploy("v1"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.serves() == "v0"
        assert kinds(world)[:2] == [("adopted", "outcome", ""), ("deploy", "intent", "")]

    def test_a_target_that_lacks_a_step_of_the_way_back_is_refused_before_anything_is_written(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FakeTarget, "supports", FakeTarget.supports - {StepKind.TAKE_DOWN})
        world = World()
        outcome = world.deploy("v1")
        ends(outcome, Status.FAILED, Reason.CONFIG, 2)
        assert world.store.bodies() == []

    def test_an_image_that_deploy_yml_has_forgotten_does_not_stand_in_the_way_back(self) -> None:
        world = with_v1(failing={"v2"})
        cluster = world.cluster("staging")
        gone = image("api", "v1")
        old = next(iter(cluster.kept.values()))
        before = Release(
            images=(*old.images, type(gone)(name="old", repository="r", digest=gone.digest)),
            files=old.files,
        )
        cluster.kept, cluster.current = {before.id: before}, before.id
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)


class TestVerified:
    def test_only_what_somebody_requires_is_verified(self) -> None:
        world = with_v1()
        world.promote("v1")
        assert ("verified", "outcome", "PASSED") not in kinds(world, "production")

    def test_a_verify_section_leaves_the_verdict_to_post_verify(self) -> None:
        world = with_v1(extra=VERIFY)
        assert "verified" not in {kind for kind, _, _ in kinds(world)}
        outcome = world.play(Verb.POST_VERIFY, version="v1")
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert kinds(world)[-1] == ("verified", "outcome", "PASSED")
        assert world.applied[-1] == "check checks+verify"

    def test_skipped_checks_verify_nothing_and_are_shown(self) -> None:
        world = with_v1()
        outcome = world.deploy(
            "v2", skip_checks=True, reason="the registry of checks is down", approver="bob"
        )
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert kinds(world)[-1] == ("deploy", "outcome", "deployed")
        assert outcome.overrides == (
            "checks skipped: the registry of checks is down (approved by bob)",
        )
        assert world.store.bodies()[-1]["skipped"].endswith("(approved by bob)")
        assert world.promote("v2").reason is Reason.NOT_VERIFIED

    def test_a_newer_pass_clears_the_bad_mark(self) -> None:
        world = with_v1(failing={"v2"})
        world.deploy("v2")
        world.failing = set()
        refused = world.play(Verb.ROLLBACK, version="v2")
        assert refused.reason is Reason.USAGE, "it never served"
        world.deploy("v2")
        world.deploy("v3")
        ends(world.play(Verb.ROLLBACK, version="v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_a_bad_release_that_came_in_without_checks_stays_bad(self) -> None:
        world = with_v1(failing={"v2"})
        world.deploy("v2")
        world.deploy("v2", skip_checks=True, reason="it must run now, really", approver="bob")
        world.failing = set()
        world.deploy("v3")
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        assert outcome.version == "v1"
        ends(world.play(Verb.ROLLBACK, version="v2"), Status.REFUSED, Reason.POLICY, 12)


class TestPromote:
    def test_the_verified_digest_runs_whoever_moved_the_tag(self) -> None:
        world = with_v1()
        world.tags["api:v1"] = digest("evil")
        world.asked.clear()
        outcome = world.promote("v1")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert outcome.changes[0].image.digest == digest("api:v1")
        assert world.asked == []

    def test_what_was_not_verified_is_refused_and_recorded(self) -> None:
        world = with_v1()
        ends(world.promote("v2"), Status.REFUSED, Reason.NOT_VERIFIED, 10)
        assert kinds(world, "production") == [("promote", "outcome", "refused")]
        assert world.serves("production") == ""

    def test_what_failed_since_is_refused(self) -> None:
        world = with_v1()
        world.failing = {"v1"}
        world.play(Verb.POST_VERIFY)
        ends(world.promote("v1"), Status.REFUSED, Reason.NOT_VERIFIED, 10)

    def test_what_is_too_old_is_refused(self) -> None:
        world = with_v1()
        world.clock.sleep(31 * 86400)
        ends(world.promote("v1"), Status.REFUSED, Reason.NOT_VERIFIED, 10)

    def test_without_requires_there_is_nothing_to_promote(self) -> None:
        ends(World().play(Verb.PROMOTE, "staging", version="v1"), Status.FAILED, Reason.USAGE, 2)

    @pytest.mark.parametrize("verb", [Verb.PROMOTE, Verb.DEPLOY])
    def test_in_ci_the_version_is_mandatory(self, verb: Verb) -> None:
        world = with_v1()
        ends(world.play(verb, "production", provider="github"), Status.FAILED, Reason.USAGE, 2)
        ends(world.play(verb, "production", provider="local"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_what_failed_here_is_refused_until_it_is_verified_once_more(self) -> None:
        world = with_v1()
        ends(world.promote("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        world.deploy("v2")
        world.failing = {"v2"}
        ends(world.promote("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        world.failing = set()
        ends(world.promote("v2"), Status.REFUSED, Reason.POLICY, 12)
        ends(world.play(Verb.POST_VERIFY), Status.PASSED, Reason.PASSED, 0)
        ends(world.promote("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_a_refusal_tells_what_failed_from_what_was_never_tried(self) -> None:
        world = with_v1(failing={"v2"})
        world.deploy("v2")
        for version, said in (("v2", "failed its checks in staging"), ("v9", "was never verified")):
            outcome = world.promote(version)
            ends(outcome, Status.REFUSED, Reason.NOT_VERIFIED, 10)
            assert outcome.failure is not None
            assert said in outcome.failure.cause

    def test_the_newest_verified_is_not_one_that_was_bad_here(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.failing = {"v2"}
        ends(world.promote("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        ends(world.promote("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        world.failing = set()
        assert world.play(Verb.PROMOTE, "production").version == "v1"

    def test_force_lets_just_that_version_through_and_is_recorded(self) -> None:
        world = with_v1()
        wrong = world.promote("v2", force="v3", reason="production is down now")
        ends(wrong, Status.FAILED, Reason.USAGE, 2)
        ends(world.promote("v2", force="v2"), Status.FAILED, Reason.USAGE, 2)
        outcome = world.promote("v2", force="v2", reason="production is down now")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert outcome.overrides == ("forced past the verified-image rule: production is down now",)
        assert [body.get("forced") for body in world.store.bodies()][-2:] == ["production is down now"] * 2

    def test_force_where_nothing_is_required_is_refused(self) -> None:
        ends(
            World().deploy("v1", force="v1", reason="just because I am able to"),
            Status.FAILED,
            Reason.USAGE,
            2,
        )

    @pytest.mark.parametrize("approver", ["", "alice", "@Alice "])
    def test_skipping_checks_needs_a_reason_and_somebody_else(self, approver: str) -> None:
        world = World()
        said = world.deploy("v1", skip_checks=True, reason="a good and long reason", approver=approver)
        ends(said, Status.FAILED, Reason.USAGE, 2)
        ends(world.deploy("v1", skip_checks=True, approver="bob"), Status.FAILED, Reason.USAGE, 2)
        assert world.ticks == []


class TestRollback:
    def test_last_good_is_the_newest_other_release_that_served_here(self) -> None:
        world = with_v1()
        world.deploy("v2")
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert (outcome.verb, outcome.version, world.serves()) == (Verb.ROLLBACK, "v1", "v1")
        assert kinds(world)[-2:] == [("rollback", "intent", ""), ("rollback", "outcome", "deployed")]

    def test_last_good_goes_further_back_each_time(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.deploy("v3")
        assert [world.play(Verb.ROLLBACK, last_good=True).version for _ in range(2)] == ["v2", "v1"]
        ends(world.play(Verb.ROLLBACK, last_good=True), Status.FAILED, Reason.USAGE, 2)
        ends(world.play(Verb.ROLLBACK, version="v3"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_one_image_can_go_back_alone(self) -> None:
        world = with_v1()
        world.deploy("v2")
        outcome = world.play(Verb.ROLLBACK, version="v1", only=("web",))
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.serves() == "api:v2,web:v1"

    def test_it_sees_what_another_run_did_while_it_waited_for_the_lock(self) -> None:
        world = with_v1()
        world.deploy("v2")
        seen: list[str] = []

        def meanwhile(tick: str) -> None:
            if tick == "acquire" and not seen:
                seen.append(tick)
                world.state().tick = world.tick
                world.deploy("v3")

        world.state().tick = meanwhile
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        assert (outcome.previous_version, outcome.version) == ("v3", "v2")

    def test_there_must_be_something_to_go_back_to(self) -> None:
        ends(with_v1().play(Verb.ROLLBACK, last_good=True), Status.FAILED, Reason.USAGE, 2)

    def test_files_that_are_not_kept_any_more_stop_it(self) -> None:
        world = with_v1()
        old = world.cluster("staging").current
        world.deploy("v2")
        del world.cluster("staging").kept[old]
        ends(world.play(Verb.ROLLBACK, version="v1"), Status.FAILED, Reason.PREFLIGHT, 3)

    @pytest.mark.parametrize("damaged", [False, True])
    def test_last_good_works_without_a_ledger(self, damaged: bool) -> None:
        world = with_v1()
        world.deploy("v2")
        world.store.fault = cannot_decide()
        lines = world.store.ledgers["shop"]
        if damaged:
            world.store.fault = None
            world.store.ledgers["shop"] = lines.replace(b"alice", b"mallo", 1)
            world.store.append = _refuses  # type: ignore[method-assign,assignment]  # the fake is told what to do
        ends(world.play(Verb.ROLLBACK, version="v1"), Status.REFUSED, Reason.CANNOT_DECIDE, 11)
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.serves() == "v1"
        world.store.fault = None
        world.store.ledgers["shop"] = lines
        if damaged:
            del world.store.append  # type: ignore[method-assign]  # the fake is told what to do
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        late = [body for body in world.store.bodies() if body.get("late")]
        assert [(body["type"], body["status"], body["version"]) for body in late] == [
            ("rollback", "deployed", "v1")
        ]

    def test_without_a_ledger_last_good_goes_further_back_each_time_too(self) -> None:
        world = with_v1()
        for version in ("v2", "v3", "v4"):
            world.deploy(version)
        world.store.fault = cannot_decide()
        assert [world.play(Verb.ROLLBACK, last_good=True).version for _ in range(3)] == ["v3", "v2", "v1"]
        ends(world.play(Verb.ROLLBACK, last_good=True), Status.FAILED, Reason.USAGE, 2)
        assert world.serves() == "v1"

    def test_what_was_left_counts_again_without_a_ledger_once_it_was_switched_to(self) -> None:
        world = with_v1()
        for version in ("v2", "v3"):
            world.deploy(version)
        world.play(Verb.ROLLBACK, version="v1")
        world.play(Verb.ROLLBACK, version="v3")
        world.deploy("v4")
        world.store.fault = cannot_decide()
        assert [world.play(Verb.ROLLBACK, last_good=True).version for _ in range(2)] == ["v3", "v2"]

    def test_a_rollback_that_came_back_by_itself_has_left_nothing(self) -> None:
        world = with_v1()
        for version in ("v2", "v3"):
            world.deploy(version)
        world.failing.add("v1")
        ends(world.play(Verb.ROLLBACK, version="v1"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        world.deploy("v4")
        world.store.fault = cannot_decide()
        assert world.play(Verb.ROLLBACK, last_good=True).version == "v3"

    def test_without_a_ledger_it_still_clears_up_first_and_owes_both_records(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.ticks.clear()
        world.stop_at, world.stop_with = world_ticks_until(World(), "half served"), Cancelled
        ends(world.deploy("v3"), Status.UNKNOWN, Reason.CANCELLED, 130)
        world.store.fault = cannot_decide()
        ends(world.play(Verb.ROLLBACK, last_good=True), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.serves() == "v1"
        world.store.fault = None
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        late = [(body["type"], body["status"]) for body in world.store.bodies() if body.get("late")]
        assert late == [("deploy", "rolled_back"), ("rollback", "deployed")]


def world_ticks_until(world: World, name: str) -> int:
    """How many effects a deploy over another has before the named one."""
    world.deploy("v1")
    world.ticks.clear()
    world.deploy("v2")
    return world.ticks.index(name)


def _refuses(*_: object) -> None:
    raise cannot_decide()


class TestPostVerify:
    def test_a_failure_is_recorded_and_nothing_is_changed_back(self) -> None:
        world = with_v1(failing=set())
        world.failing = {"v1"}
        ends(world.play(Verb.POST_VERIFY), Status.FAILED, Reason.CHECKS, 4)
        assert kinds(world)[-1] == ("verified", "outcome", "FAILED")
        assert world.serves() == "v1"

    def test_it_goes_back_where_that_is_asked_for(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.failing = {"v2"}
        outcome = world.play(Verb.POST_VERIFY, rollback_on_failure=True)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.serves() == "v1"
        assert world.store.bodies()[-4]["bad"] is True

    def test_nobody_comes_in_between_the_verdict_and_the_way_back(self) -> None:
        world = with_v1()
        world.deploy("v2")
        world.failing = {"v2"}
        world.ticks.clear()
        world.play(Verb.POST_VERIFY, rollback_on_failure=True)
        assert world.ticks.index("before switch") < world.ticks.index("released")

    def test_the_team_is_told_once_and_after_the_way_back(self) -> None:
        world = World(extra=HOOKS)
        world.deploy("v1")
        world.deploy("v2")
        world.failing = {"v2"}
        world.hooked.clear()
        world.ticks.clear()
        world.play(Verb.POST_VERIFY, rollback_on_failure=True)
        assert [(name, facts["DEPLOY_STATUS"]) for name, facts in world.hooked if name == "./alarm"] == [
            ("./alarm", "rolled_back")
        ]
        assert world.ticks[-1] == "before hook ./alarm", "the lock is free by then"

    def test_it_marks_as_good_what_was_deployed_without_checks(self) -> None:
        world = with_v1()
        world.deploy("v2", skip_checks=True, reason="it must run now, really", approver="bob")
        cluster = world.cluster("staging")
        assert cluster.current not in cluster.good
        ends(world.play(Verb.POST_VERIFY), Status.PASSED, Reason.PASSED, 0)
        assert cluster.current in cluster.good

    def test_it_needs_a_person_where_there_is_no_way_back(self) -> None:
        world = with_v1()
        world.failing = {"v1"}
        outcome = world.play(Verb.POST_VERIFY, rollback_on_failure=True)
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)

    def test_a_host_that_does_not_answer_is_no_verdict(self) -> None:
        world = with_v1()
        before = kinds(world)

        def gone(*_: object) -> tuple[CheckResult, ...]:
            raise Unreachable("no route")

        tools = world.tools("staging")
        outcome = flow.post_verify(Request(verb=Verb.POST_VERIFY), replace(tools, check=gone))
        ends(outcome, Status.FAILED, Reason.UNREACHABLE, 3)
        assert not [kind for kind in kinds(world)[len(before) :] if kind[0] == "verified"]

    def test_something_else_that_serves_is_refused(self) -> None:
        world = with_v1()
        world.deploy("v2")
        ends(world.play(Verb.POST_VERIFY, version="v1"), Status.FAILED, Reason.CHANGED, 4)
        cluster = world.cluster("staging")
        cluster.current = next(key for key, item in cluster.kept.items() if item.version == "v1")
        ends(world.play(Verb.POST_VERIFY), Status.FAILED, Reason.CHANGED, 4)

    def test_nothing_that_serves_is_refused(self) -> None:
        ends(World().play(Verb.POST_VERIFY), Status.FAILED, Reason.CHANGED, 4)


class TestTheOthers:
    def test_a_backup_is_one_step_and_leaves_records(self) -> None:
        world = with_v1()
        ends(world.play(Verb.BACKUP), Status.PASSED, Reason.PASSED, 0)
        assert world.applied == ["backup"]
        assert kinds(world)[-1] == ("backup", "outcome", "passed")
        world.faults["backup"] = StepFault("no room", reason=Reason.BACKUP)
        ends(world.play(Verb.BACKUP), Status.FAILED, Reason.BACKUP, 3)

    def test_provisioning_is_a_step_for_each_server_and_leaves_records(self) -> None:
        world = with_v1(extra=DATABASES)
        outcome = world.play(Verb.PROVISION)
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert world.applied == ["provision db", "provision maria"]
        assert kinds(world)[-2:] == [("provision", "intent", ""), ("provision", "outcome", "passed")]
        assert "has its own database" in verdict(outcome, str)
        world.faults["provision maria"] = StepFault("access denied", reason=Reason.PROVISION)
        failed = world.play(Verb.PROVISION)
        ends(failed, Status.FAILED, Reason.PROVISION, 3)
        assert verdict(failed, str) == "shop staging: not every database is as it should be"
        assert world.serves() == "v1"

    def test_nothing_is_provisioned_where_nothing_is_configured_or_serves(self) -> None:
        ends(with_v1().play(Verb.PROVISION), Status.FAILED, Reason.CONFIG, 2)
        ends(World(extra=DATABASES).play(Verb.PROVISION), Status.FAILED, Reason.CHANGED, 4)

    def test_a_target_that_cannot_provision_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = with_v1(extra=DATABASES)
        monkeypatch.setattr(FakeTarget, "supports", FakeTarget.supports - {StepKind.PROVISION})
        outcome = world.play(Verb.PROVISION)
        ends(outcome, Status.FAILED, Reason.CONFIG, 2)
        assert outcome.failure is not None
        assert "cannot do: provision" in outcome.failure.cause
        assert world.applied == []

    def test_a_provisioning_that_was_cut_short_is_not_told_as_if_nothing_had_happened(self) -> None:
        for kind in (Killed, Cancelled):
            world = with_v1(extra=DATABASES)
            world.ticks.clear()
            world.stop_with = kind
            world.stop_at = 6
            with suppress(Killed):
                outcome = world.play(Verb.PROVISION)
                assert verdict(outcome, str) == (
                    "shop staging: cancelled; what was done stays, and another run goes on"
                )
            assert "before provision db" in world.ticks
            finalized = world.play(Verb.FINALIZE)
            assert "an interrupted provision of v1 ended half-way; run it again" in finalized.notes
            cause = world.store.bodies()[-1]["failure"]["cause"]
            assert cause == "the run was killed; what it had done stays, and another one goes on"

    def test_preflight_judges_and_writes_nothing_at_all(self) -> None:
        world = with_v1()
        lines, effects = world.store.read("shop"), len(world.ticks)
        ends(world.play(Verb.PREFLIGHT, version="v2"), Status.PASSED, Reason.PASSED, 0)
        ends(
            world.play(Verb.PREFLIGHT, "production", version="v9"),
            Status.REFUSED,
            Reason.NOT_VERIFIED,
            10,
        )
        world.state().acquire("run-2", seconds=60)
        outcome = world.play(Verb.PREFLIGHT, version="v2")
        ends(outcome, Status.FAILED, Reason.PREFLIGHT, 3)
        assert outcome.failure is not None
        assert "lock: held by run-2, wanted free" in outcome.failure.cause
        assert world.store.read("shop") == lines
        assert len(world.ticks) == effects + 2, "the two of the lock above"

    def test_finalize_without_anything_left_is_green_and_silent(self) -> None:
        world = with_v1()
        lines = world.store.read("shop")
        for _ in range(2):
            ends(world.play(Verb.FINALIZE), Status.PASSED, Reason.PASSED, 0)
        assert world.store.read("shop") == lines

    def test_finalize_leaves_alone_what_another_run_is_at(self) -> None:
        world = with_v1()
        world.state().acquire("run-2", seconds=60)
        outcome = world.play(Verb.FINALIZE)
        ends(outcome, Status.PASSED, Reason.PASSED, 0)
        assert "left alone" in outcome.notes[0]

    def test_finalize_waits_for_a_command_that_is_still_at_work(self) -> None:
        world = with_v1()
        world.ticks.clear()
        world.stop_at, world.stop_with = world_ticks_until(World(), "half served"), Cancelled
        world.deploy("v2")
        world.state().busy = True
        ends(world.play(Verb.FINALIZE), Status.FAILED, Reason.STATE, 3)
        world.state().busy = False
        ends(world.play(Verb.FINALIZE), Status.ROLLED_BACK, Reason.RECOVERED, 20)
        assert world.serves() == "v1"


class TestLedgerGone:
    def test_at_the_beginning_nothing_is_touched(self) -> None:
        world = with_v1()
        world.store.fault = cannot_decide()
        ends(world.deploy("v2"), Status.REFUSED, Reason.CANNOT_DECIDE, 11)
        assert world.applied == []

    def test_at_the_intent_nothing_is_changed_and_the_lock_is_given_back(self) -> None:
        world = with_v1()
        world.store.append = _refuses  # type: ignore[method-assign,assignment]  # the fake is told what to do
        ends(world.deploy("v2"), Status.REFUSED, Reason.CANNOT_DECIDE, 11)
        assert world.applied == []
        assert world.state().peek() is None
        assert not unfinished(world.state().journal())

    def test_at_the_outcome_the_next_run_records_it_late_and_once(self) -> None:
        world = with_v1()
        _goes_after(world, 1)
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.RECORD, 24)
        assert any("the next run records it" in note for note in outcome.notes)
        _comes_back(world)
        ends(world.deploy("v2", owner="run-2"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        late = [body["type"] for body in world.store.bodies() if body.get("late")]
        assert late == ["deploy", "verified"]
        assert world.applied.count("switch") == 1
        ends(world.promote("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.store.history.count("| deploy | v2 | success |") == 3

    def test_a_record_that_was_written_though_its_answer_was_lost_is_not_written_again(self) -> None:
        world = with_v1()
        _goes_after(world, 1, lost=True)
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.RECORD, 24)
        _comes_back(world)
        written = len(world.store.bodies())
        ends(world.play(Verb.FINALIZE), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert len(world.store.bodies()) == written
        assert not any(body.get("late") for body in world.store.bodies())
        assert world.store.history.count("| deploy | v2 | success |") == 1
        ends(world.promote("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_what_another_run_recorded_meanwhile_is_not_recorded_late_once_more(self) -> None:
        world = with_v1()
        _goes_after(world, 1)
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.RECORD, 24)
        _comes_back(world)
        before = len(world.store.bodies())
        others: list[Outcome] = []

        def takes_over(tick: str) -> None:
            """The ledger was read, and the records are about to be written."""
            assert tick.startswith("append deploy outcome")
            world.store.tick = quiet
            world.state().expire()
            others.append(world.deploy("v9", owner="run-3"))

        world.store.tick = takes_over
        ends(world.play(Verb.FINALIZE), Status.REFUSED, Reason.LOST_LOCK, 13)
        assert [outcome.reason for outcome in others] == [Reason.DEPLOYED]
        added = world.store.bodies()[before:]
        assert [body["type"] for body in added if body.get("late")] == ["deploy", "verified"]
        assert [bool(body.get("late")) for body in added[:3]] == [True, True, False]
        served = ledger.last_served(check(world.store.read("shop")), "staging")
        assert served is not None
        assert (served.version, world.serves()) == ("v9", "v9"), "the newest record is of what serves"

    def test_a_red_outcome_keeps_its_reason_and_is_recorded_late_with_its_bad_mark(self) -> None:
        world = with_v1(failing={"v2"})
        _goes_after(world, 1)
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        _comes_back(world)
        effects = list(world.applied)
        ends(world.play(Verb.FINALIZE), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.applied == effects, "it had come back already"
        assert [body.get("bad") for body in world.store.bodies() if body.get("late")] == [True, None]

    def test_a_damaged_ledger_stops_everything(self) -> None:
        world = with_v1()
        world.store.ledgers["shop"] = world.store.ledgers["shop"].replace(b"alice", b"mallo", 1)
        for verb in (Verb.DEPLOY, Verb.POST_VERIFY, Verb.PREFLIGHT, Verb.BACKUP):
            ends(world.play(verb, version="v2"), Status.REFUSED, Reason.CANNOT_DECIDE, 11)
        assert world.applied == []


def _goes_after(world: World, count: int, *, lost: bool = False) -> None:
    """The ledger is written to so many times more, and is gone then.

    ``lost``: it takes what comes after that too, and it is the answer that is lost.
    """
    real = type(world.store).append
    left = [count]

    def append(stack: str, *bodies: Any, still: Any = None) -> Any:
        if not left[0]:
            if lost:
                real(world.store, stack, *bodies)
            raise cannot_decide()
        left[0] -= 1
        return real(world.store, stack, *bodies)

    world.store.append = append  # type: ignore[method-assign]  # the fake is told what to do


def _comes_back(world: World) -> None:
    del world.store.append  # type: ignore[method-assign]  # the fake is told what to do


class TestATargetThatKeepsNothing:
    def test_a_release_that_passed_stays_when_its_run_is_killed_in_the_last_hook(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(FakeTarget, "supports", FakeTarget.supports - {StepKind.RETAIN})
        world = World(extra=HOOKS)
        world.deploy("v1")
        _on(world, "before hook ./after", _killed)
        with pytest.raises(Killed):
            world.deploy("v2")
        ends(world.play(Verb.FINALIZE), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.serves() == "v2"


def _killed() -> None:
    raise Killed


def test_whoever_clears_up_tells_which_version_and_digests_ran_before() -> None:
    """By its digest the forge is told of which commit what serves again is."""
    world = with_v1()
    (v1,) = world.cluster("staging").kept.values()
    _on(world, "after switch", _killed)
    with pytest.raises(Killed):
        world.deploy("v2")
    outcome = world.play(Verb.FINALIZE)
    ends(outcome, Status.ROLLED_BACK, Reason.RECOVERED, 20)
    assert (outcome.version, outcome.previous_version) == ("v2", "v1")
    assert {change.image.name: change.previous_digest for change in outcome.changes} == {
        image.name: image.digest for image in v1.images
    }


class TestTheLock:
    def test_a_lock_lost_on_the_way_stops_the_run_before_its_next_change(self) -> None:
        world = with_v1()
        _on(world, "after pull api", lambda: _steal(world))
        outcome = world.deploy("v2")
        ends(outcome, Status.REFUSED, Reason.LOST_LOCK, 13)
        assert world.applied[-1] == "pull web"
        assert world.serves() == "v1"

    def test_a_lock_lost_after_the_switch_leaves_the_way_back_to_its_new_holder(self) -> None:
        world = with_v1()
        _on(world, "after switch", lambda: _steal(world))
        ends(world.deploy("v2"), Status.UNKNOWN, Reason.LOST_LOCK, 13)
        assert "restore" not in world.applied
        world.state().lease = None
        assert world.deploy("v3", owner="run-2").exit == 0

    def test_the_lock_is_waited_for(self) -> None:
        world = with_v1()
        world.state().acquire("run-2", seconds=30)
        ends(world.deploy("v2"), Status.REFUSED, Reason.LOCKED, 13)
        ends(world.deploy("v2", lock_wait=60.0), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_a_run_that_is_at_work_is_not_called_interrupted(self) -> None:
        world = with_v1()
        seen: list[str] = []
        _on(
            world,
            "before switch",
            lambda: seen.extend(
                f"{row.name}: {row.value}" for row in standing(world.tools("staging", "run-2"))
            ),
        )
        world.deploy("v2")
        assert seen == ["lock: held by run-1", "last run: came to its end"]

    def test_a_lock_whose_owner_is_dead_is_taken_over(self) -> None:
        world = with_v1()
        world.state().acquire("run-2", seconds=3600)
        world.dead = {"run-2"}
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)

    def test_a_lock_that_cannot_be_given_back_changes_nothing_about_the_outcome(self) -> None:
        world = with_v1()
        _on(world, "noted end", lambda: _goes(world))
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert any(kind == "warn" and "given back" in text for kind, text in world.reporter.said)

    def test_a_host_that_goes_in_the_middle_needs_a_person_and_is_cleared_up_later(self) -> None:
        world = with_v1()
        world.faults["await_serving"] = Unreachable("no route to host")
        _on(world, "after switch", lambda: _goes(world))
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        world.faults.clear()
        world.state().fault = None
        world.clock.sleep(1100)
        ends(world.play(Verb.FINALIZE), Status.ROLLED_BACK, Reason.RECOVERED, 20)
        assert world.serves() == "v1"

    def test_a_host_that_goes_before_the_switch_changed_nothing(self) -> None:
        world = with_v1()
        _on(world, "after pull web", lambda: _goes(world))
        outcome = world.deploy("v2")
        ends(outcome, Status.FAILED, Reason.UNREACHABLE, 3)
        assert outcome.rollback is None
        world.state().fault = None
        world.clock.sleep(1100)
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert sum(1 for body in world.store.bodies() if body.get("ref")) == 3

    def test_a_host_that_goes_at_the_journals_beginning_leaves_a_closed_intent(self) -> None:
        world = with_v1()
        _on(world, "appended deploy intent", lambda: _goes(world))
        ends(world.deploy("v2"), Status.FAILED, Reason.UNREACHABLE, 3)
        bodies = world.store.bodies()
        assert bodies[-1]["ref"]
        assert bodies[-1]["phase"] == "outcome"
        assert bodies[-2]["phase"] == "intent"


def _on(world: World, name: str, act: Any) -> None:
    """Do something the first time that an effect of this name is seen."""
    seen: list[str] = []

    def tick(this: str) -> None:
        if this == name and not seen:
            seen.append(this)
            act()

    world.tick = tick  # type: ignore[method-assign]  # the fake is told what to do
    world.state().tick = world.store.tick = tick


def _steal(world: World) -> None:
    state = world.state()
    state.lease = None
    assert state.acquire("run-2", seconds=600) is not None


def _goes(world: World) -> None:
    world.state().fault = Unreachable("no route to host")


class TestViews:
    def test_the_playbooks_queries_find_their_lines(self) -> None:
        world = with_v1(failing={"v2"})
        world.deploy("v2")
        world.failing = set()
        world.promote("v1")
        lines = world.store.history.splitlines()
        assert [line[20:] for line in lines] == [
            "| shop | staging | deploy | v1 | success |",
            "| shop | staging | deploy | v2 | fail | check: ready: HTTP 500, wanted HTTP 200",
            "| shop | staging | rollback | v1 | success | automatic, after v2 failed",
            "| shop-prod | prod | deploy | v1 | success |",
        ]
        assert world.store.verified == {"shop": "v1\n"}
