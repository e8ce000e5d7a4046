"""Plans for several hosts, made of the plans for each."""

from dataclasses import replace
from itertools import pairwise

from ci_lib.domain.images import Release
from ci_lib.domain.plan import Plan, Step, StepKind
from ci_lib.domain.running import Running
from ci_lib.plan.deploy import deploy
from ci_lib.plan.ground import Ground, HostGround
from ci_lib.plan.rollback import rollback
from tests.contract.fake_fleet import fleet_settings
from tests.unit.plan.test_plans import NEW, OLD, PLAIN, release, running

HOSTS = ("web1", "web2", "web3")


def ground(rollout: str = "batch: 1", **serving: Release | None) -> Ground:
    """Three hosts; `serving` names those that serve something else than OLD."""
    hosts = tuple(
        HostGround(
            name=name,
            candidate=PLAIN.candidate,
            running=there(name, served) if (served := serving.get(name, OLD)) else (),
            previous=served,
            good=True,
        )
        for name in HOSTS
    )
    return replace(PLAIN, settings=fleet_settings("staging", "", rollout, HOSTS), hosts=hosts)


def there(host: str, served: Release) -> tuple[Running, ...]:
    found = running(served)
    return tuple(replace(item, host=host, instance=f"{host}-{item.instance}") for item in found)


def of(plan: Plan, kind: StepKind) -> list[Step]:
    return [step for step in plan if step.kind is kind]


def hosts_of(plan: Plan, kind: StepKind) -> list[tuple[str, ...]]:
    return [step.hosts for step in of(plan, kind)]


def test_what_changes_nothing_that_runs_is_done_everywhere_and_then_batch_follows_batch() -> None:
    plan = deploy(ground("batch: 2"))
    for kind in (StepKind.PREFLIGHT, StepKind.PREPARE, StepKind.PULL):
        assert set(hosts_of(plan, kind)) == {HOSTS}
    assert hosts_of(plan, StepKind.SWITCH) == [("web1", "web2"), ("web3",)]
    first, second = (plan.index(step) for step in of(plan, StepKind.SWITCH))
    between = [step.kind for step in plan[first + 1 : second]]
    assert between == [StepKind.AWAIT_SERVING, StepKind.PROVE, StepKind.CHECK, StepKind.PROVE]
    assert [step.hosts for step in plan[-2:]] == [HOSTS, HOSTS], "proved once more, and kept"


def test_each_switch_goes_back_on_its_own_hosts_to_what_each_of_them_served() -> None:
    older = release("v0", "v0")
    plan = deploy(ground("batch: 3", web2=older, web3=None))
    switches = of(plan, StepKind.SWITCH)
    assert [step.hosts for step in switches] == [("web1",), ("web2",), ("web3",)]
    backs = [[(back.kind, back.hosts, back.release) for back in step.undo[:1]] for step in switches]
    assert backs == [
        [(StepKind.RESTORE, ("web1",), OLD)],
        [(StepKind.RESTORE, ("web2",), older)],
        [(StepKind.TAKE_DOWN, ("web3",), NEW)],
    ]
    assert [step.on(step.hosts[0]).args["previous"] for step in switches] == [OLD.id, older.id, ""]


def test_a_host_learns_nothing_of_what_another_one_has_to_know() -> None:
    (switch,) = of(deploy(ground("batch: 3")), StepKind.SWITCH)
    known = {host: switch.undo[0].on(host).args["known"] for host in HOSTS}
    assert known == {host: ["backend", "nginx", "worker"] for host in HOSTS}
    args = {host: switch.on(host).args for host in HOSTS}
    assert all("hosts" not in known for known in args.values())
    first = deploy(ground("batch: 3", web1=None, web2=None, web3=None))
    (switch,) = of(first, StepKind.SWITCH)
    assert [back.kind for back in switch.undo] == [StepKind.TAKE_DOWN]


def test_a_host_that_serves_the_release_is_left_alone() -> None:
    plan = deploy(ground(web1=NEW))
    assert hosts_of(plan, StepKind.SWITCH) == [("web2",), ("web3",)]
    assert hosts_of(plan, StepKind.PROVE)[-1] == HOSTS
    assert not of(deploy(ground(web1=NEW, web2=NEW, web3=NEW)), StepKind.SWITCH)


def test_a_step_may_last_as_long_as_the_hosts_that_wait_for_each_other() -> None:
    plan = deploy(ground("batch: 3, max_parallel: 2"))
    prepare = of(plan, StepKind.PREPARE)[0]
    assert prepare.time_limit == 2 * prepare.on("web1").time_limit


def test_with_batch_what_has_passed_is_kept_and_settled_at_once() -> None:
    plan = deploy(ground("on_host_failure: batch"))
    assert hosts_of(plan, StepKind.RETAIN) == [("web1",), ("web2",), ("web3",)]
    assert all(step.args["settles"] for step in of(plan, StepKind.RETAIN))
    assert not any("alone" in step.args for step in plan)
    for before, after in pairwise(of(plan, StepKind.SWITCH)):
        settled = plan[plan.index(before) : plan.index(after)]
        assert settled[-1].kind is StepKind.RETAIN


def test_with_none_each_step_of_a_batch_says_that_its_hosts_stand_alone() -> None:
    plan = deploy(ground("on_host_failure: none, batch: 2"))
    alone = {step.kind for step in plan if step.args.get("alone")}
    assert alone == {
        *(StepKind.SWITCH, StepKind.AWAIT_SERVING, StepKind.PROVE, StepKind.CHECK, StepKind.RETAIN)
    }


def test_a_rollback_goes_the_same_way_and_remembers_what_was_left() -> None:
    plan = rollback(replace(ground("batch: 3"), snapshot=NEW.id))
    (switch,) = of(plan, StepKind.SWITCH)
    assert all(switch.on(host).args["leaving"] for host in HOSTS)


def test_a_plan_for_several_hosts_survives_the_journal_and_can_be_narrowed() -> None:
    plan = deploy(ground("batch: 3"))
    assert tuple(Step.from_json(step.as_json()) for step in plan) == plan
    switch = of(plan, StepKind.SWITCH)[0]
    narrowed = switch.among({"web2", "web9"})
    assert narrowed is not None
    assert (narrowed.hosts, narrowed.name) == (("web2",), "switch on web2")
    assert switch.among({"web9"}) is None


def test_many_hosts_are_counted_and_not_all_named() -> None:
    args = {"hosts": {f"web{number}": {} for number in range(1, 21)}, "each": 1.0}
    assert Step(kind=StepKind.SWITCH, args=args).name == "switch on web1, web2, web3 and 17 more"
