"""Several hosts of one environment: what is promised of one holds for each of them."""

import pytest

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.ports.protocols import Unreachable
from tests.contract.fake_fleet import HOSTS, FleetWorld, broken, fleet_with
from tests.contract.fake_target import image
from tests.contract.test_fake_target import ends

HINT = "look at web2, whose release is not known"
MIGRATION = """\
    migration: {tool: command, service: backend, policy: forward-only, status: [status], apply: [apply]}
    backup: {enabled: false}
"""


def rows(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(row.name, str(row.status), row.version) for row in outcome.hosts]


def on(world: FleetWorld, kind: str) -> list[str]:
    return [host for host, done in world.done if done == kind]


class TestDeploy:
    def test_it_prepares_everywhere_and_switches_one_batch_after_the_other(self) -> None:
        world = fleet_with("v1")
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.on_each() == ["v2", "v2", "v2"]
        assert [step.name for step in outcome.steps] == [
            *("preflight on web1, web2, web3", "prepare on web1, web2, web3"),
            *("pull api on web1, web2, web3", "pull web on web1, web2, web3"),
            *(
                f"{name} on {host}"
                for host in HOSTS
                for name in ("switch", "await_serving", "prove", "check", "prove")
            ),
            *("prove on web1, web2, web3", "retain on web1, web2, web3"),
        ]
        assert rows(outcome) == [(host, "deployed", "v2") for host in HOSTS]

    def test_a_batch_is_switched_together(self) -> None:
        world = fleet_with("v1", rollout='batch: "50%"')
        outcome = world.deploy("v2")
        switched = [step.name for step in outcome.steps if step.name.startswith("switch")]
        assert switched == ["switch on web1, web2", "switch on web3"]

    def test_checks_run_on_each_host_and_are_named_with_it(self) -> None:
        outcome = fleet_with("v1").deploy("v2")
        assert [check.name for check in outcome.checks] == [f"ready on {host}" for host in HOSTS]

    def test_what_serves_on_every_host_is_unchanged(self) -> None:
        world = fleet_with("v1")
        outcome = world.deploy("v1")
        ends(outcome, Status.UNCHANGED, Reason.UNCHANGED, 0)
        assert not on(world, "switch")
        assert rows(outcome) == [(host, "unchanged", "v1") for host in HOSTS]

    def test_an_env_file_that_changes_on_one_host_makes_another_release(self) -> None:
        world = fleet_with("v1")
        world.services["web2"] = "another .env"
        outcome = world.deploy("v1")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)
        back = world.play(Verb.ROLLBACK, last_good=True)
        ends(back, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert back.release_id != outcome.release_id

    def test_a_host_that_joins_gets_the_release_and_the_others_are_left_alone(self) -> None:
        world = fleet_with("v1")
        world.hosts = (*HOSTS, "web4")
        outcome = world.deploy("v1")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert on(world, "switch") == ["web4"]
        assert rows(outcome)[2:] == [("web3", "unchanged", "v1"), ("web4", "deployed", "v1")]

    def test_one_that_joins_is_taken_down_again_when_it_fails(self) -> None:
        world = fleet_with("v1")
        world.hosts = (*HOSTS, "web4")
        world.sick = {("web4", "v1")}
        outcome = world.deploy("v1")
        assert (outcome.status, outcome.exit) == (Status.ROLLED_BACK, 20)
        assert world.on_each() == ["v1", "v1", "v1", ""]
        assert rows(outcome)[3] == ("web4", "rolled_back", "")

    @pytest.mark.parametrize("failing", [False, True])
    def test_what_ran_before_is_adopted_on_each_host(self, failing: bool) -> None:
        world = FleetWorld(failing={"v1"} if failing else set())
        for host, version in (("web1", "v0"), ("web2", "old"), ("web3", "")):
            images = (image("api", version), image("web", version))
            cluster = world.cluster("staging", host)
            cluster.live = Release(images=images, adopted=True) if version else None
        outcome = world.deploy("v1")
        assert outcome.exit == (20 if failing else 0), outcome.failure
        assert world.on_each() == (["v0", "old", ""] if failing else ["v1"] * 3)

    def test_a_migration_runs_once_whatever_the_number_of_hosts(self) -> None:
        world = fleet_with("v1", extra=MIGRATION, heads={"v1": "s1", "v2": "s2"})
        world.called.clear()
        ends(world.deploy("v2"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert [word for word in world.called if word.startswith("apply")] == ["apply v2 staged"]

    def test_a_migration_alone_says_what_the_hosts_still_serve(self) -> None:
        world = fleet_with("v1", extra=MIGRATION, heads={"v1": "s1", "v2": "s2"})
        outcome = world.play(Verb.MIGRATE, version="v2")
        ends(outcome, Status.PASSED, Reason.MIGRATED, 0)
        assert rows(outcome) == [(host, "passed", "v1") for host in HOSTS]
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_a_migration_whose_database_every_host_has_is_refused(self) -> None:
        world = FleetWorld(needs=("db",))
        outcome = world.deploy("v1")
        ends(outcome, Status.FAILED, Reason.CONFIG, 2)
        assert outcome.failure is not None
        assert "the migration needs db, and each of 3 hosts has one of its own" in outcome.failure.cause


class TestAHostFails:
    @pytest.mark.parametrize("kind", ["prepare", "pull"])
    def test_before_the_switch_nothing_is_changed_and_the_host_is_named(self, kind: str) -> None:
        world = fleet_with("v1")
        world.faults_on[("web2", kind)] = broken()
        outcome = world.deploy("v2")
        assert (outcome.status, outcome.exit) == (Status.FAILED, 3)
        assert outcome.failure is not None
        assert outcome.failure.cause == "web2: it broke"
        assert world.on_each() == ["v1", "v1", "v1"]
        assert rows(outcome) == [
            *(("web1", "unchanged", "v1"), ("web2", "failed", "v1"), ("web3", "unchanged", "v1"))
        ]

    @pytest.mark.parametrize("kind", ["switch", "await_serving", "check"])
    @pytest.mark.parametrize("host", HOSTS)
    @pytest.mark.parametrize("batch", ["1", "2", "3"])
    def test_at_any_step_of_the_rollout_every_host_goes_back(
        self, batch: str, host: str, kind: str
    ) -> None:
        world = fleet_with("v1", rollout=f"batch: {batch}")
        if kind == "switch":
            world.faults_on[(host, "switch")] = broken()
        elif kind == "check":
            world.refusing = {(host, "v2")}
        else:
            world.sick = {(host, "v2")}
        outcome = world.deploy("v2")
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert outcome.failure is not None
        assert host in outcome.failure.cause
        assert world.on_each() == ["v1", "v1", "v1"]
        reached = HOSTS[: -(-(HOSTS.index(host) + 1) // int(batch)) * int(batch)]
        assert rows(outcome) == [
            (name, "rolled_back" if name in reached else "unchanged", "v1") for name in HOSTS
        ]
        ends(world.deploy("v1"), Status.UNCHANGED, Reason.UNCHANGED, 0)

    def test_one_that_dies_when_a_later_batch_is_at_work_takes_all_back(self) -> None:
        world = fleet_with("v1")
        world.unplugged_after = {("web1", "await_serving")}
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert world.on_each()[1:] == ["v1", "v1"]

    def test_a_release_that_fails_its_checks_is_bad_though_another_host_is_gone_as_well(self) -> None:
        world = fleet_with("v1", rollout="batch: 3")
        world.refusing = {("web3", "v2")}
        world.faults_on[("web1", "switch")] = Unreachable("web1 cannot be reached")
        assert world.deploy("v2").exit == 20
        world.faults_on.clear()
        world.deploy("v2")
        assert world.store.bodies()[-2].get("bad") is True

    def test_a_failed_first_release_is_taken_down_everywhere(self) -> None:
        world = FleetWorld(sick={("web2", "v1")})
        ends(world.deploy("v1"), Status.ROLLED_BACK, Reason.TAKEN_DOWN, 20)
        assert world.on_each() == ["", "", ""]

    def test_the_packet_is_of_the_host_that_failed(self) -> None:
        world = fleet_with("v1")
        world.sick = {("web2", "v2")}
        outcome = world.deploy("v2")
        assert outcome.packet is not None
        assert [logs.service for logs in outcome.packet.services] == ["web2: backend"]


class TestGoingBackFails:
    @pytest.mark.parametrize("batch", ["1", "3"])
    @pytest.mark.parametrize("kind", ["restore", "await_serving"])
    def test_the_others_still_go_back_and_only_that_host_is_named(self, kind: str, batch: str) -> None:
        world = fleet_with("v1", rollout=f"batch: {batch}")
        world.sick = {("web3", "v2")} | ({("web2", "v1")} if kind == "await_serving" else set())
        if kind == "restore":
            world.faults_on[("web2", "restore")] = broken("the disk is full")
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert [world.serves_on("web1"), world.serves_on("web3")] == ["v1", "v1"]
        assert [row.name for row in outcome.hosts if row.status is Status.PARTIAL] == ["web2"]
        assert outcome.failure is not None
        assert outcome.failure.hint.startswith(HINT)
        assert outcome.rollback is not None
        assert "web2" in outcome.rollback.cause
        assert "web1:" not in outcome.rollback.cause
        (recorded,) = [body["by_host"] for body in world.store.bodies()[-2:] if "by_host" in body]
        assert [row["status"] for row in recorded] == ["rolled_back", "partial", "rolled_back"]

    def test_an_unplugged_host_is_named_and_the_next_run_brings_it_to_the_others(self) -> None:
        world = fleet_with("v1")
        world.unplugged_after = {("web2", "switch")}
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert world.on_each() == ["v1", "v2", "v1"]
        assert rows(outcome) == [
            ("web1", "rolled_back", "v1"),
            ("web2", "partial", ""),
            ("web3", "unchanged", "v1"),
        ]
        stopped = world.deploy("v3")
        ends(stopped, Status.FAILED, Reason.UNREACHABLE, 3)
        world.gone.clear()
        world.unplugged_after.clear()
        world.done.clear()
        ends(world.deploy("v1"), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert on(world, "switch") == ["web2"]
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_the_others_go_back_though_the_host_of_the_journal_is_the_one_that_is_gone(self) -> None:
        world = fleet_with("v1")
        world.faults_on[("web3", "switch")] = broken()

        def unplug(tick: str) -> None:
            if tick == "noted start" and world.on_each()[:2] == ["v2", "v2"]:
                world.gone.add("web1")
                world.state().fault = Unreachable("host web1 cannot be reached")

        world.watch = unplug
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.ROLLBACK_FAILED, 24)
        assert world.on_each() == ["v2", "v1", "v1"]
        assert [row.name for row in outcome.hosts if row.status is Status.PARTIAL] == ["web1"]
        world.gone.clear()
        world.state().fault = None
        world.faults_on.clear()
        ended = world.play(Verb.FINALIZE)
        assert ended.exit == 20, ended.failure
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_when_the_first_host_is_down_at_the_start_nothing_is_changed(self) -> None:
        world = fleet_with("v1")
        world.gone = {"web1"}
        world.state().fault = Unreachable("host web1 cannot be reached")
        ends(world.deploy("v2"), Status.FAILED, Reason.UNREACHABLE, 3)
        assert world.on_each() == ["v1", "v1", "v1"]


class TestWhoGoesBack:
    def test_with_batch_the_batches_that_passed_stay(self) -> None:
        world = fleet_with("v1", rollout="on_host_failure: batch")
        world.sick = {("web2", "v2")}
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.MIXED, 24)
        assert world.on_each() == ["v2", "v1", "v1"]
        assert rows(outcome) == [
            ("web1", "deployed", "v2"),
            ("web2", "rolled_back", "v1"),
            ("web3", "unchanged", "v1"),
        ]
        assert outcome.failure is not None
        assert outcome.failure.hint.startswith("web1 serves v2, the others v1")
        (recorded,) = [body["by_host"] for body in world.store.bodies()[-2:] if "by_host" in body]
        assert [bool(row["note"]) for row in recorded] == [False, True, False]

    def test_with_batch_and_a_failure_in_the_first_one_everything_is_as_it_was(self) -> None:
        world = fleet_with("v1", rollout="on_host_failure: batch")
        world.sick = {("web1", "v2")}
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.on_each() == ["v1", "v1", "v1"]

    @pytest.mark.parametrize("kind", ["switch", "await_serving", "check"])
    def test_with_none_the_others_of_the_batch_go_on_and_no_other_batch_begins(self, kind: str) -> None:
        world = fleet_with("v1", rollout="batch: 2, on_host_failure: none")
        if kind == "switch":
            world.faults_on[("web1", "switch")] = broken()
        elif kind == "check":
            world.refusing = {("web1", "v2")}
        else:
            world.sick = {("web1", "v2")}
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.MIXED, 24)
        assert world.on_each() == ["v1", "v2", "v1"]
        assert rows(outcome) == [
            ("web1", "rolled_back", "v1"),
            ("web2", "deployed", "v2"),
            ("web3", "unchanged", "v1"),
        ]
        assert "retain" in [kind for host, kind in world.done if host == "web2"]

    def test_with_none_a_second_host_may_fail_later(self) -> None:
        world = fleet_with("v1", rollout="batch: 3, on_host_failure: none")
        world.faults_on[("web1", "switch")] = broken()
        world.refusing = {("web3", "v2")}
        outcome = world.deploy("v2")
        ends(outcome, Status.PARTIAL, Reason.MIXED, 24)
        assert world.on_each() == ["v1", "v2", "v1"]

    def test_with_none_all_hosts_may_fail_and_everything_is_as_it_was(self) -> None:
        world = fleet_with("v1", rollout="batch: 3, on_host_failure: none")
        world.failing = {"v2"}
        ends(world.deploy("v2"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.on_each() == ["v1", "v1", "v1"]


def mixed() -> FleetWorld:
    """web1 serves v2, the others v1."""
    world = fleet_with("v1", rollout="on_host_failure: batch")
    world.sick = {("web2", "v2")}
    world.deploy("v2")
    world.sick.clear()
    world.done.clear()
    assert world.on_each() == ["v2", "v1", "v1"]
    return world


class TestAMixedStart:
    def test_the_release_is_brought_to_those_that_lack_it(self) -> None:
        world = mixed()
        outcome = world.deploy("v2")
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert on(world, "switch") == ["web2", "web3"]
        assert world.on_each() == ["v2", "v2", "v2"]
        assert rows(outcome)[0] == ("web1", "unchanged", "v2")

    def test_a_release_that_fails_brings_each_host_back_to_its_own(self) -> None:
        world = mixed()
        world.rollout = "batch: 3"
        world.sick = {("web3", "v3")}
        ends(world.deploy("v3"), Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.on_each() == ["v2", "v1", "v1"]

    def test_the_last_good_one_is_the_one_that_served_everywhere(self) -> None:
        world = mixed()
        outcome = world.play(Verb.ROLLBACK, last_good=True)
        ends(outcome, Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert outcome.version == "v1"
        assert on(world, "switch") == ["web1"]
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_the_last_good_one_is_no_older_one_where_the_first_host_is_the_one_that_went_back(self) -> None:
        world = fleet_with("v0", "v1", rollout="batch: 3, on_host_failure: none")
        world.sick = {("web1", "v2")}
        world.deploy("v2")
        assert world.on_each() == ["v1", "v2", "v2"]
        assert world.play(Verb.ROLLBACK, last_good=True).version == "v1"
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_a_part_of_a_release_is_refused(self) -> None:
        outcome = mixed().deploy("v3", only=("api",))
        ends(outcome, Status.FAILED, Reason.USAGE, 2)
        assert outcome.failure is not None
        assert "web1 v2, web2 v1, web3 v1" in outcome.failure.cause

    def test_a_part_of_a_release_is_refused_where_a_host_is_new_and_serves_nothing(self) -> None:
        world = fleet_with("v1", hosts=("web1", "web2"))
        world.hosts = ("web1", "web2", "web3")
        outcome = world.deploy("v2", only=("api",))
        ends(outcome, Status.FAILED, Reason.USAGE, 2)
        assert outcome.failure is not None
        assert "web3 nothing" in outcome.failure.cause
        assert world.on_each() == ["v1", "v1", ""]

    def test_post_verify_refuses_to_speak_of_it(self) -> None:
        outcome = mixed().play(Verb.POST_VERIFY)
        ends(outcome, Status.FAILED, Reason.CHANGED, 4)


class TestOtherVerbs:
    def test_post_verify_looks_at_every_host(self) -> None:
        world = fleet_with("v1")
        ends(world.play(Verb.POST_VERIFY), Status.PASSED, Reason.PASSED, 0)
        world.refusing = {("web3", "v1")}
        outcome = world.play(Verb.POST_VERIFY)
        ends(outcome, Status.FAILED, Reason.CHECKS, 4)
        assert rows(outcome)[2] == ("web3", "failed", "v1")

    def test_post_verify_can_take_every_host_back(self) -> None:
        world = fleet_with("v1", "v2")
        world.refusing = {("web3", "v2")}
        outcome = world.play(Verb.POST_VERIFY, rollback_on_failure=True)
        ends(outcome, Status.ROLLED_BACK, Reason.ROLLED_BACK, 20)
        assert world.on_each() == ["v1", "v1", "v1"]
        assert rows(outcome) == [(host, "deployed", "v1") for host in HOSTS]

    def test_a_rollback_goes_over_the_hosts_in_batches(self) -> None:
        world = fleet_with("v1", "v2")
        ends(world.play(Verb.ROLLBACK, last_good=True), Status.DEPLOYED, Reason.DEPLOYED, 0)
        assert world.on_each() == ["v1", "v1", "v1"]

    def test_a_release_that_one_host_does_not_keep_is_none_to_go_back_to(self) -> None:
        world = fleet_with("v1", "v2")
        world.cluster("staging", "web2").kept.popitem()
        first = next(iter(world.cluster("staging", "web1").kept))
        world.cluster("staging", "web2").kept.pop(first, None)
        outcome = world.play(Verb.ROLLBACK, version="v1")
        ends(outcome, Status.FAILED, Reason.PREFLIGHT, 3)
        assert outcome.failure is not None
        assert "not kept on every host" in outcome.failure.cause

    @pytest.mark.parametrize("verb", [Verb.BACKUP, Verb.RESTORE_TEST, Verb.RESTORE])
    def test_backups_are_refused(self, verb: Verb) -> None:
        backup = {"backup": "20260102T030405Z"} if verb is not Verb.BACKUP else {}
        why = {"reason": "orders were deleted by hand", "approver": "bob"} if verb is Verb.RESTORE else {}
        outcome = fleet_with("v1").play(verb, **backup, **why)
        ends(outcome, Status.FAILED, Reason.CONFIG, 2)
        assert outcome.failure is not None
        assert "hosts" in outcome.failure.cause

    def test_preflight_looks_at_every_host(self) -> None:
        world = fleet_with("v1")
        world.gone = {"web3"}
        ends(world.play(Verb.PREFLIGHT, version="v2"), Status.FAILED, Reason.UNREACHABLE, 3)
