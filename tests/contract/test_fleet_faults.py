"""A run on three hosts is killed before, in and after every single effect; afterwards all agree again.

As in `test_fake_target_faults.py`, each story is played once to count its effects, and then once for each.
"""

from collections.abc import Callable, Iterator

import pytest

from ci_lib.domain.errors import Cancelled
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.recover import unfinished
from tests.contract.fake_fleet import HOSTS, FleetWorld, broken, fleet_with
from tests.contract.fake_target import Killed
from tests.contract.snapshots import Played

Story = Callable[[FleetWorld], Outcome]
OLD, NEW = ["v1"] * 3, ["v2"] * 3
LONGEST = 3800
"""Seconds after which no lease is left."""


def deploy(world: FleetWorld) -> Outcome:
    return world.deploy("v2")


def failing(world: FleetWorld) -> Outcome:
    world.sick = {("web3", "v2")}
    return world.deploy("v2")


def mixed() -> FleetWorld:
    world = fleet_with("v1", rollout="on_host_failure: batch")
    world.sick = {("web2", "v2")}
    world.deploy("v2")
    world.sick.clear()
    world.rollout = "batch: 1"
    return world


def with_v1() -> FleetWorld:
    return fleet_with("v1")


def with_v1_ticks() -> list[str]:
    """The effects of a deploy over v1."""
    world = with_v1()
    world.ticks.clear()
    deploy(world)
    return world.ticks


STORIES: dict[str, tuple[Callable[[], FleetWorld], Story, list[list[str]]]] = {
    "first deploy": (FleetWorld, lambda world: world.deploy("v1"), [[""] * 3, OLD]),
    "deploy": (with_v1, deploy, [OLD, NEW]),
    "deploy of two at once": (lambda: fleet_with("v1", rollout="batch: 2"), deploy, [OLD, NEW]),
    "deploy that fails on the last host": (with_v1, failing, [OLD]),
    "rollback": (
        lambda: fleet_with("v1", "v2"),
        lambda world: world.play(Verb.ROLLBACK, last_good=True),
        [OLD, NEW],
    ),
    "deploy over a mixed start": (mixed, deploy, [["v2", "v1", "v1"], NEW]),
    "batch after batch": (
        lambda: fleet_with("v1", rollout="on_host_failure: batch"),
        deploy,
        [OLD, ["v2", "v1", "v1"], ["v2", "v2", "v1"], NEW],
    ),
    "each for itself": (
        lambda: fleet_with("v1", rollout="batch: 2, on_host_failure: none"),
        lambda world: (world.faults_on.update({("web1", "switch"): broken()}), world.deploy("v2"))[1],
        [OLD, ["v1", "v2", "v1"]],
    ),
}
"""What each story may end as, host by host; nothing else, whatever happens."""


PLAYED = Played()


def begun(name: str) -> FleetWorld:
    """The world in which a story begins, with no tick yet."""
    start = STORIES[name][0]
    world = PLAYED.copy(start, start)
    world.ticks.clear()
    return world


def positions() -> Iterator[object]:
    for name, (_, story, _) in STORIES.items():
        world = begun(name)
        story(world)
        for number, tick in enumerate(world.ticks):
            yield pytest.param(name, number, id=f"{name}-{number}-{tick}")


EVERYWHERE = tuple(positions())
HERE_AND_THERE = EVERYWHERE[::4]
"""Enough to meet each kind of step of each story."""


def interrupted(
    name: str, number: int, by: type[BaseException] = Killed
) -> tuple[FleetWorld, list[list[str]], Outcome | None]:
    """The story up to this tick, what it may end as, and its outcome where it was not killed."""
    world, outcome = PLAYED.copy((name, number, by), lambda: _interrupted(name, number, by))
    return world, STORIES[name][2], outcome


def _interrupted(name: str, number: int, by: type[BaseException]) -> tuple[FleetWorld, Outcome | None]:
    world, story = begun(name), STORIES[name][1]
    world.stop_at, world.stop_with = number, by
    try:
        return world, story(world)
    except Killed:
        return world, None


def healed(world: FleetWorld) -> FleetWorld:
    world.sick.clear()
    world.faults_on.clear()
    return world


def known_state(world: FleetWorld) -> None:
    """Nothing is open, nothing is held, every intent has an end, and each host remembers what it serves."""
    state = world.state()
    assert state.peek() is None
    assert not unfinished(state.journal())
    bodies = world.store.bodies()
    intents = [body for body in bodies if body["phase"] == "intent"]
    ended = {body["ref"] for body in bodies if body.get("ref")}
    assert len(ended) == len(intents)
    for host in HOSTS:
        cluster = world.cluster("staging", host)
        current = cluster.kept.get(cluster.current)
        assert (current.version if current else "") == world.serves_on(host)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_finalize_brings_all_hosts_to_where_they_belong(name: str, number: int) -> None:
    world, allowed, _ = interrupted(name, number)
    first = world.play(Verb.FINALIZE)
    assert world.on_each() in allowed
    agree = len(set(world.on_each())) == 1
    if first.reason in (Reason.DEPLOYED, Reason.RECOVERED):
        assert [row.version for row in first.hosts] == world.on_each()
        assert agree or "mixed start" in name
    assert first.reason is not Reason.MIXED or not agree
    assert first.reason is not Reason.ROLLBACK_FAILED, first.failure
    lines = world.store.read("shop")
    assert (world.play(Verb.FINALIZE).status) is Status.PASSED
    assert world.store.read("shop") == lines
    known_state(world)


@pytest.mark.parametrize(("name", "number"), HERE_AND_THERE)
def test_after_a_kill_anywhere_the_next_deploy_ends_green_on_all_hosts(name: str, number: int) -> None:
    world, _, _ = interrupted(name, number)
    world.dead = {"run-1"}
    outcome = healed(world).deploy("v9", owner="run-2")
    assert outcome.exit is Exit.OK, outcome.failure
    assert world.on_each() == ["v9"] * 3
    known_state(world)


@pytest.mark.parametrize(("name", "number"), HERE_AND_THERE)
def test_a_cancellation_anywhere_tells_of_each_host_and_is_cleared_up(name: str, number: int) -> None:
    world, allowed, outcome = interrupted(name, number, Cancelled)
    assert outcome is not None
    assert (outcome.reason, outcome.exit) == (Reason.CANCELLED, 130)
    switched = "before switch" in world.ticks
    assert outcome.status is (Status.UNKNOWN if switched else Status.FAILED)
    known = [row for row in outcome.hosts if row.status is Status.UNCHANGED and row.version]
    assert all(world.serves_on(row.name) == row.version for row in known)
    world.play(Verb.FINALIZE)
    assert world.on_each() in allowed
    assert healed(world).deploy("v9", owner="run-2").exit is Exit.OK
    known_state(world)


@pytest.mark.parametrize(("name", "number"), HERE_AND_THERE)
def test_a_kill_of_the_clearing_up_itself_is_cleared_up_by_the_next(name: str, number: int) -> None:
    """One position in five of the recovery, each time another one."""
    world, allowed, _ = interrupted(name, number)
    for stop in range(number % 5, 60, 5):
        world.stop_at = len(world.ticks) + stop
        try:
            world.play(Verb.FINALIZE)
            break
        except Killed:
            continue
    world.stop_at = None
    world.play(Verb.FINALIZE)
    assert world.on_each() in allowed
    world.clock.sleep(LONGEST)
    assert healed(world).deploy("v9", owner="run-2").exit is Exit.OK
    known_state(world)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("number", range(len(with_v1_ticks())))
def test_a_host_that_goes_at_any_moment_is_the_only_one_that_may_differ(
    number: int, host: str
) -> None:
    world = with_v1()
    world.ticks.clear()

    def unplug(_: str) -> None:
        if len(world.ticks) > number:
            world.gone.add(host)

    world.watch = unplug
    outcome = deploy(world)
    others = {world.serves_on(other) for other in HOSTS if other != host}
    if outcome.green:
        assert others == {"v2"}
        return
    assert others == {"v1"}
    told = [row.name for row in outcome.hosts if row.status is Status.PARTIAL]
    if world.serves_on(host) == "v1":
        assert told in ([], [host])
    else:
        assert told == [host]
        assert (outcome.status, outcome.reason) == (Status.PARTIAL, Reason.ROLLBACK_FAILED)
