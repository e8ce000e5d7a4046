"""A run is killed before, in and after every single effect; the next run finds its way from there.

The positions are not listed by hand: each story is played once to count its effects, and then once for each.
"""

from collections.abc import Callable, Iterator

import pytest

from ci_lib.domain.errors import Cancelled, StepFault
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.recover import unfinished
from ci_lib.records import schemas
from ci_lib.records.chain import check
from tests.contract.fake_target import DATABASES, Killed, World, image
from tests.contract.snapshots import Played
from tests.contract.test_migrations import AGREED, HEADS, REVERSIBLE

Story = Callable[[World], Outcome]


def empty() -> World:
    return World()


def with_v1() -> World:
    world = World()
    world.deploy("v1")
    return world


def with_databases() -> World:
    world = World(extra=DATABASES)
    world.deploy("v1")
    return world


def with_v1_and_v2() -> World:
    world = with_v1()
    world.deploy("v2")
    return world


def with_strangers() -> World:
    world = World()
    world.cluster("staging").live = Release(
        images=(image("api", "v0"), image("web", "v0")), adopted=True
    )
    return world


def _failing(world: World, version: str) -> Outcome:
    world.failing = {version}
    return world.deploy(version)


def _bad_verify(world: World) -> Outcome:
    world.failing = {"v2"}
    return world.play(Verb.POST_VERIFY, rollback_on_failure=True)


def migrating() -> World:
    world = World(extra=REVERSIBLE, heads=dict(HEADS))
    world.deploy("v1")
    return world


def migrated() -> World:
    world = migrating()
    world.deploy("v2")
    return world


def without_database() -> World:
    return World(extra=REVERSIBLE, heads=dict(HEADS), needs=("db",))


def _schema_down(world: World) -> Outcome:
    return world.play(Verb.ROLLBACK, version="v1", schema="down", **AGREED)


def _stuck(world: World) -> Outcome:
    world.once["take_down"] = StepFault("the engine does not answer")
    return world.play(Verb.TAKE_DOWN, version="v1")


def with_later_data() -> World:
    """v1 and its data are in a backup; v2 serves since, and its data are later ones."""
    world = with_v1()
    world.play(Verb.BACKUP)
    world.deploy("v2")
    world.cluster("staging").data = "later"
    return world


def _restored(world: World, verb: Verb, failing: str = "") -> Outcome:
    (name,) = world.cluster("staging").backups
    world.failing = {failing}
    return world.play(verb, backup=name, reason="orders were deleted by hand", approver="bob")


LONGEST = 3800
"""Seconds after which no lease is left: a step's time limit, and what the lease outlives it by."""

DATA: dict[str, set[tuple[str, str]]] = {
    "restore": {("v2", "later"), ("v2", "early")},
    "restore that fails": {("v2", "later"), ("v2", "early")},
    "rollback with data": {("v2", "later"), ("v1", "early")},
    "rollback with data that fails": {("v2", "later"), ("v1", "early")},
}
"""The releases and data that may serve together, whatever happens.

Data that people may have written into stay, even where the release that failed serves them then.
"""

STORIES: dict[str, tuple[Callable[[], World], Story, set[str]]] = {
    "first deploy": (empty, lambda world: world.deploy("v1"), {"", "v1"}),
    "first deploy that fails": (empty, lambda world: _failing(world, "v1"), {""}),
    "deploy": (with_v1, lambda world: world.deploy("v2"), {"v1", "v2"}),
    "deploy that fails": (with_v1, lambda world: _failing(world, "v2"), {"v1"}),
    "partial deploy": (
        with_v1,
        lambda world: world.deploy("v2", only=("api",)),
        {"v1", "api:v2,web:v1"},
    ),
    "deploy over strangers": (with_strangers, lambda world: world.deploy("v1"), {"v0", "v1"}),
    "failing deploy over strangers": (with_strangers, lambda world: _failing(world, "v1"), {"v0"}),
    "unchanged deploy": (with_v1, lambda world: world.deploy("v1"), {"v1"}),
    "rollback": (with_v1_and_v2, lambda world: world.play(Verb.ROLLBACK, last_good=True), {"v1", "v2"}),
    "take-down": (with_v1, lambda world: world.play(Verb.TAKE_DOWN, version="v1"), {"", "v1"}),
    "take-down that fails": (with_v1, _stuck, {"v1"}),
    "post-verify": (with_v1, lambda world: world.play(Verb.POST_VERIFY), {"v1"}),
    "post-verify with rollback": (with_v1_and_v2, _bad_verify, {"v1", "v2"}),
    "deploy with a migration": (migrating, lambda world: world.deploy("v2"), {"v1", "v2"}),
    "first deploy with a database": (without_database, lambda world: world.deploy("v1"), {"", "v1"}),
    "rollback with its schema": (migrated, _schema_down, {"v1", "v2"}),
    "migration alone": (migrating, lambda world: world.play(Verb.MIGRATE, version="v2"), {"v1"}),
    "restore": (with_later_data, lambda world: _restored(world, Verb.RESTORE), {"v2"}),
    "restore that fails": (with_later_data, lambda world: _restored(world, Verb.RESTORE, "v2"), {"v2"}),
    "rollback with data": (
        with_later_data,
        lambda world: _restored(world, Verb.ROLLBACK),
        {"v1", "v2"},
    ),
    "rollback with data that fails": (
        with_later_data,
        lambda world: _restored(world, Verb.ROLLBACK, "v1"),
        {"v1", "v2"},
    ),
    "backup": (with_v1, lambda world: world.play(Verb.BACKUP), {"v1"}),
    "provision": (with_databases, lambda world: world.play(Verb.PROVISION), {"v1"}),
}


PLAYED = Played()


def begun(name: str) -> World:
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


def interrupted(
    name: str, number: int, by: type[BaseException] = Killed
) -> tuple[World, set[str], Outcome | None]:
    """The story up to this tick, what it may end as, and its outcome where it was not killed."""
    world, outcome = PLAYED.copy((name, number, by), lambda: _interrupted(name, number, by))
    return world, STORIES[name][2], outcome


def _interrupted(name: str, number: int, by: type[BaseException]) -> tuple[World, Outcome | None]:
    world, story = begun(name), STORIES[name][1]
    world.stop_at, world.stop_with = number, by
    try:
        return world, story(world)
    except Killed:
        return world, None


def known_state(world: World) -> None:
    """Nothing is open, nothing is held, nothing is there twice, and every intent has an end.

    An end that needs a person is no settled one: whoever clears up after a kill may find it once more.
    """
    state, cluster = world.state(), world.cluster("staging")
    serves = world.serves()
    assert state.peek() is None
    assert not unfinished(state.journal())
    bodies = world.store.bodies()
    intents = [seq for seq, body in enumerate(bodies) if body["phase"] == "intent"]
    ended = [(body["ref"], body["status"]) for body in bodies if body.get("ref")]
    settled = [ref for ref, status in ended if status != Status.PARTIAL]
    assert len(settled) == len(set(settled))
    assert len({ref for ref, _ in ended}) == len(intents)
    target = world.tools("staging").target
    current = [kept.release for kept in target.kept() if kept.current]
    assert [release.version for release in current] == [serves] * len(current)
    assert bool(current) or cluster.live is None or cluster.live.adopted
    running = target.observe()
    names = [item.workload for item in running]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_the_next_deploy_ends_green_and_leaves_nothing_open(
    name: str, number: int
) -> None:
    world, _, _ = interrupted(name, number)
    world.dead = {"run-1"}
    world.failing = set()
    outcome = world.deploy("v9", owner="run-2")
    assert outcome.exit is Exit.OK, outcome.failure
    assert world.serves() == "v9"
    known_state(world)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_finalize_of_the_same_job_clears_up_at_once(
    name: str, number: int
) -> None:
    world, allowed, _ = interrupted(name, number)
    first = world.play(Verb.FINALIZE)
    reasons = {Reason.PASSED, Reason.DEPLOYED, Reason.RECOVERED, Reason.CANCELLED}
    assert first.reason in reasons | ({Reason.DATA_UNVERIFIED} if name in DATA else set())
    assert world.serves() in allowed
    cluster = world.cluster("staging")
    if name in DATA:
        assert (world.serves(), cluster.data) in DATA[name]
        assert (first.reason is Reason.DATA_UNVERIFIED) <= (cluster.data == "early" and "fails" in name)
    assert first.reason is not Reason.DEPLOYED or cluster.current in cluster.good, "it was kept as a good one"
    assert world.state().peek() is None
    assert not unfinished(world.state().journal())
    lines = world.store.read("shop")
    second = world.play(Verb.FINALIZE)
    assert (second.status, second.reason) == (Status.PASSED, Reason.PASSED)
    assert world.store.read("shop") == lines
    world.deploy("v9", owner="run-2")
    known_state(world)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_the_record_of_a_restore_names_its_backup(name: str, number: int) -> None:
    world, _, _ = interrupted(name, number)
    world.play(Verb.FINALIZE)
    records = {record.id: record.body for record in check(world.store.read("shop")).newest_first()}
    for body in records.values():
        if body.get("ref"):
            assert body.get("backup") == records[body["ref"]].get("backup")


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_the_records_never_lie_about_the_schema(name: str, number: int) -> None:
    world, _, _ = interrupted(name, number)
    world.play(Verb.FINALIZE)
    known = schemas.newest(check(world.store.read("shop")), "staging")
    at = world.schemas.get("staging", "s0")
    assert known is None or known.label == at


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_after_a_kill_anywhere_a_stranger_waits_until_the_lease_has_run_out(
    name: str, number: int
) -> None:
    world, _, _ = interrupted(name, number)
    world.failing = set()
    if world.state().peek() is not None:
        locked = world.deploy("v9", owner="run-2")
        assert (locked.status, locked.reason, locked.exit) == (Status.REFUSED, Reason.LOCKED, 13)
        assert "run-1" in (locked.failure.cause if locked.failure else "")
        world.clock.sleep(LONGEST)
    assert world.deploy("v9", owner="run-2").exit is Exit.OK
    known_state(world)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_a_cancellation_anywhere_ends_with_130_keeps_the_lock_and_tells_the_journal(
    name: str, number: int
) -> None:
    world, allowed, outcome = interrupted(name, number, Cancelled)
    assert outcome is not None
    changed = any(
        tick in world.ticks for tick in ("before switch", "before restore", "before take_down", "before stop")
    )
    changed = changed or (outcome.schema is not None and outcome.schema.after is None)
    assert (outcome.reason, outcome.exit) == (Reason.CANCELLED, 130)
    if "with rollback" not in name:
        assert outcome.status is (Status.UNKNOWN if changed else Status.FAILED)
    open_run = unfinished(world.state().journal())
    if open_run:
        assert world.state().peek() is not None
        assert world.state().journal()[-1]["event"] in ("cancelled", "begin")
    world.play(Verb.FINALIZE)
    assert world.serves() in allowed
    world.failing = set()
    world.deploy("v9", owner="run-2")
    known_state(world)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_a_kill_of_the_clearing_up_itself_is_cleared_up_by_the_next(name: str, number: int) -> None:
    """One position in three of the recovery, each time another one, which covers all of them many times."""
    world, allowed, _ = interrupted(name, number)
    for stop in range(number % 3, 40, 3):
        world.stop_at = len(world.ticks) + stop
        try:
            world.play(Verb.FINALIZE)
            break
        except Killed:
            continue
    world.stop_at = None
    world.play(Verb.FINALIZE)
    assert world.serves() in allowed
    world.failing = set()
    world.clock.sleep(LONGEST)
    assert world.deploy("v9", owner="run-2").exit is Exit.OK
    known_state(world)
