"""What runs against what was deployed last, on a target that is not Compose."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.outcome import CheckResult, Mark, Outcome
from ci_lib.domain.reasons import Reason, Status, Verb
from ci_lib.domain.running import Health, Running
from ci_lib.ports.protocols import Unreachable
from ci_lib.report.verdict import verdict
from tests.contract.fake_target import Cluster, FakeTarget, Killed, World, cannot_decide, image
from tests.contract.test_fake_target import ends, with_v1

Change = Callable[[Running], tuple[Running, ...]]


def look(world: World, environment: str = "staging", **request: float) -> Outcome:
    """Compare, and demand that nothing was changed and nothing recorded by that."""
    cluster, state, bodies = world.cluster(environment), world.state(environment), None
    kept, lease, journal = dict(cluster.kept), state.lease, state.lines[:]
    if world.store.fault is None:
        bodies = world.store.bodies()
    world.applied.clear()
    outcome = world.play(Verb.DRIFT, environment, owner="watcher", **request)
    assert world.applied == []
    assert cluster.kept == kept
    assert (state.lease, state.lines) == (lease, journal)
    assert bodies is None or world.store.bodies() == bodies
    return outcome


def wrong(outcome: Outcome) -> dict[str, str]:
    return {row.name: row.value for row in outcome.checks if row.mark is Mark.FAILED}


def drifted(world: World, *names: str) -> None:
    outcome = look(world)
    ends(outcome, Status.FAILED, Reason.DRIFT, 4)
    assert tuple(wrong(outcome)) == names
    assert outcome.failure is not None
    assert "nothing was changed" in outcome.failure.hint


def test_what_was_deployed_and_left_alone_has_not_drifted() -> None:
    outcome = look(with_v1())
    ends(outcome, Status.PASSED, Reason.PASSED, 0)
    assert outcome.version == "v1"
    assert outcome.checks[0].value == outcome.checks[0].bound
    assert {row.name for row in outcome.checks} == {
        "release",
        *(f"image of {service}" for service in ("backend", "worker", "nginx")),
        *(f"instances of {service}" for service in ("backend", "worker", "nginx")),
    }
    assert verdict(outcome, str) == "shop staging is as it was deployed"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_came_back_after_a_failure_is_what_should_run(version: str) -> None:
    world = with_v1()
    if version == "v2":
        world.deploy("v2")
    world.failing.add("v3")
    assert not world.deploy("v3").green
    outcome = look(world)
    ends(outcome, Status.PASSED, Reason.PASSED, 0)
    assert outcome.version == version


def test_a_first_release_that_was_taken_down_should_not_run() -> None:
    world = World()
    world.failing.add("v1")
    assert not world.deploy("v1").green
    assert world.serves() == "", "this target takes a while"
    ends(look(world), Status.PASSED, Reason.PASSED, 0)


def test_where_nothing_was_ever_deployed_that_is_said() -> None:
    outcome = look(World())
    ends(outcome, Status.PASSED, Reason.PASSED, 0)
    assert outcome.notes == ("nothing is to run here, and nothing does",)
    assert verdict(outcome, str) == "shop staging: nothing is to run here, and nothing does"


def test_what_runs_and_was_never_deployed_has_drifted() -> None:
    world = World()
    first = with_v1().cluster("staging").live
    world.clusters["staging"] = Cluster(live=first)
    drifted(world, "containers of backend", "containers of nginx", "containers of worker")


def test_another_image_is_told_for_each_service_that_runs_it() -> None:
    world = with_v1()
    by_hand = with_v1()
    by_hand.deploy("v2", only=("api",))
    world.cluster("staging").live = by_hand.cluster("staging").live
    drifted(world, "image of backend", "image of worker")
    assert wrong(look(world))["image of backend"] == image("api", "v2").pinned


def test_another_release_than_the_recorded_one_is_told() -> None:
    world = with_v1()
    elsewhere = with_v1()
    elsewhere.deploy("v2")
    world.clusters["staging"].kept |= elsewhere.cluster("staging").kept
    world.clusters["staging"].current = elsewhere.cluster("staging").current
    assert tuple(wrong(look(world))) == ("release",)


def test_what_stopped_and_what_is_gone_is_told() -> None:
    world = with_v1()
    world.cluster("staging").crashed.add("nginx")
    drifted(world, "instances of nginx")
    world.cluster("staging").live = None
    drifted(world, "instances of backend", "instances of nginx", "instances of worker")


def with_instances(monkeypatch: pytest.MonkeyPatch, change: Change, **kind: str) -> Outcome:
    """Compare after what runs in ``nginx`` was replaced by what ``change`` makes of it."""
    observe = FakeTarget.observe

    def observed(target: FakeTarget) -> tuple[Running, ...]:
        found = observe(target)
        return tuple(new for old in found for new in (change(old) if old.workload == "nginx" else (old,)))

    world = with_v1(**kind)
    monkeypatch.setattr(FakeTarget, "observe", observed)
    return look(world)


def test_a_stopped_instance_beside_one_that_runs_and_one_too_many_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(item: Running) -> tuple[Running, ...]:
        return item, replace(item, instance="other", health=Health.EXITED)

    assert wrong(with_instances(monkeypatch, stopped)) == {"instances of nginx": "1 running, 1 stopped"}
    monkeypatch.undo()
    doubled = with_instances(monkeypatch, lambda item: (item, replace(item, instance="other")))
    assert wrong(doubled) == {"instances of nginx": "2 running"}


def test_an_unhealthy_instance_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = with_instances(monkeypatch, lambda item: (replace(item, health=Health.UNHEALTHY),))
    ends(outcome, Status.PASSED, Reason.PASSED, 0)
    assert {(row.name, row.value) for row in outcome.checks if row.mark is Mark.WARNED} == {
        ("instances of nginx", "1 running, unhealthy")
    }


def test_containers_that_no_service_has_are_told_by_service_or_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def more(item: Running) -> tuple[Running, ...]:
        named = replace(item, workload="debug", instance="1")
        nameless = replace(item, workload="", instance="f00dfeedf00dfeed")
        return item, named, nameless

    outcome = with_instances(monkeypatch, more)
    assert wrong(outcome) == {"containers of debug": "1 there", "containers of f00dfeedf00d": "1 there"}


@pytest.mark.parametrize(
    ("made", "failed"),
    [
        ((), {"instances of db": "0 running"}),
        ((Health.HEALTHY,), {}),
        ((Health.NONE, Health.NONE), {}),
        ((Health.HEALTHY, Health.EXITED), {"instances of db": "1 running, 1 stopped"}),
    ],
)
def test_of_a_service_that_is_not_managed_some_have_to_run(
    made: tuple[Health, ...], failed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = FakeTarget.resolve
    monkeypatch.setattr(
        FakeTarget, "resolve", lambda target, wanted: replace(resolve(target, wanted), unmanaged={"db"})
    )

    def more(item: Running) -> tuple[Running, ...]:
        return item, *(replace(item, workload="db", health=health) for health in made)

    assert wrong(with_instances(monkeypatch, more)) == failed


@pytest.mark.parametrize(
    ("codes", "failed"), [((0,), {}), ((), {}), ((3,), {"instances of nginx": "ended with 3"})]
)
def test_a_service_that_does_its_work_once_has_to_have_ended_well_or_to_be_gone(
    codes: tuple[int, ...], failed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(item: Running) -> tuple[Running, ...]:
        return tuple(replace(item, health=Health.EXITED, exit_code=code) for code in codes)

    assert wrong(with_instances(monkeypatch, ended, extra="    compose: {one_shot: [nginx]}\n")) == failed


def test_a_release_that_is_not_kept_any_more_is_told_instead_of_compared() -> None:
    world = with_v1()
    world.cluster("staging").kept.clear()
    outcome = look(world)
    ends(outcome, Status.FAILED, Reason.DRIFT, 4)
    assert {"release", "kept release"} <= set(wrong(outcome))


def test_a_row_of_the_target_counts_and_a_warning_does_not() -> None:
    world = with_v1()
    row = CheckResult(name="file nginx.conf", mark=Mark.FAILED, value="changed", bound="as deployed")
    world.drifted = (row,)
    drifted(world, "file nginx.conf")
    world.drifted = (CheckResult(name="x", mark=Mark.WARNED, value="y", bound="z"),)
    ends(look(world), Status.PASSED, Reason.PASSED, 0)


def test_a_ledger_that_cannot_be_read_decides_nothing() -> None:
    world = with_v1()
    world.store.fault = cannot_decide()
    outcome = look(world)
    ends(outcome, Status.REFUSED, Reason.CANNOT_DECIDE, 11)
    assert verdict(outcome, str) == "shop staging cannot be compared: the ledger is unreachable or damaged"


def test_a_host_that_does_not_answer_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    world = with_v1()

    def gone(_: object) -> None:
        raise Unreachable("web1 does not answer")

    monkeypatch.setattr("tests.contract.fake_target.FakeTarget.observe", gone)
    outcome = look(world)
    ends(outcome, Status.FAILED, Reason.UNREACHABLE, 3)
    assert verdict(outcome, str) == "shop staging was not compared with what was deployed"


def test_a_run_at_work_is_no_drift_and_can_be_waited_for() -> None:
    world = with_v1()
    state = world.state()
    assert state.acquire("run-2", seconds=100) is not None
    ends(look(world), Status.REFUSED, Reason.LOCKED, 13)
    ends(look(world, lock_wait=30), Status.REFUSED, Reason.LOCKED, 13)
    ends(look(world, lock_wait=200), Status.PASSED, Reason.PASSED, 0)


def test_a_run_that_was_killed_is_no_drift_and_has_to_be_cleared_up_first() -> None:
    world = with_v1()
    world.stop_at = world.ticks.index("acquired") + len(world.ticks) + 12
    with pytest.raises(Killed):
        world.deploy("v2")
    world.dead.add("run-1")
    ends(look(world), Status.FAILED, Reason.STATE, 3)
    assert world.play(Verb.FINALIZE).status is not Status.UNKNOWN
    ends(look(world), Status.PASSED, Reason.PASSED, 0)


@pytest.mark.parametrize("during", ["still there", "gone again"])
def test_a_run_that_began_meanwhile_makes_the_comparison_void(
    during: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = with_v1()
    observe: Callable[..., object] = World.tools(world, "staging").target.observe

    def busy(_: object) -> object:
        monkeypatch.undo()
        if during == "gone again":
            world.deploy("v2")
        else:
            world.state().acquire("run-2", seconds=100)
        return observe()

    monkeypatch.setattr("tests.contract.fake_target.FakeTarget.observe", busy)
    ends(world.play(Verb.DRIFT, owner="watcher"), Status.REFUSED, Reason.LOCKED, 13)


def test_looking_asks_for_no_lock() -> None:
    world = with_v1()
    world.state().fault = Refusal("nobody may write", reason=Reason.STATE)
    ends(look(world), Status.PASSED, Reason.PASSED, 0)
