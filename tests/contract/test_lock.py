"""Releasing a lock, and what a journal tells of its holder, against the target in memory."""

from typing import Any

import pytest

from ci_lib.domain.errors import Cancelled
from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Exit, Reason, Status, Verb
from ci_lib.engine.progress import progress
from ci_lib.engine.recover import unfinished
from tests.contract.fake_target import Killed, World, cannot_decide
from tests.contract.test_fake_target_faults import known_state

WHY = "the runner machine was lost in a fire"


def stuck(tick: str = "half served") -> World:
    """v1 serves; a run that brings v2 was killed in its switch, and holds the lock."""
    world = World()
    world.deploy("v1")
    world.ticks.clear()
    probe = World()
    probe.deploy("v1")
    probe.ticks.clear()
    probe.deploy("v2")
    world.stop_at = probe.ticks.index(tick)
    with pytest.raises(Killed):
        world.deploy("v2")
    return world


def release(world: World, owner: str = "run-1", **more: Any) -> Outcome:
    request = {"lock_owner": owner, "reason": WHY} | more
    return world.play(Verb.LOCK, owner="run-2", **request)


def locks(world: World) -> list[dict[str, Any]]:
    return [body for body in world.store.bodies() if body["type"] == "lock"]


def test_the_lock_of_a_dead_run_is_released_recorded_and_its_journal_left_alone() -> None:
    world = stuck()
    world.dead = {"run-1"}
    journal = world.state().journal()
    outcome = release(world)
    assert (outcome.status, outcome.reason, outcome.exit) == (Status.PASSED, Reason.PASSED, Exit.OK)
    assert outcome.overrides == (f"lock of run-1 released: {WHY}",)
    assert world.state().peek() is None
    assert world.state().journal() == journal
    (record,) = locks(world)
    assert (record["lock_owner"], record["lock_run"], record["reason"]) == ("run-1", "ended", WHY)
    assert record["status"] == "passed"
    assert f"| lock |  | success | lock of run-1: {WHY}" in world.store.history
    assert world.deploy("v3", owner="run-3").green
    known_state(world)


def test_a_run_that_is_alive_keeps_its_lock_whoever_approves() -> None:
    world = stuck()
    world.alive = {"run-1"}
    outcome = release(world, approver="bob")
    assert (outcome.status, outcome.reason, outcome.exit) == (Status.REFUSED, Reason.LOCKED, 13)
    held = world.state().peek()
    assert held is not None
    assert held.owner == "run-1"
    assert not locks(world)


def test_of_a_run_that_nobody_knows_somebody_else_has_to_agree_that_it_is_dead() -> None:
    world = stuck()
    refused = release(world)
    assert (refused.reason, refused.exit) == (Reason.POLICY, 12)
    assert refused.failure is not None
    assert "--approver" in refused.failure.hint
    assert world.state().peek() is not None
    assert release(world, approver="@Alice").exit is Exit.USAGE, "alice runs it herself"
    assert release(world, approver="bob").green
    assert [(body["status"], body.get("approver")) for body in locks(world)] == [
        ("refused", None),
        ("passed", "bob"),
    ]


@pytest.mark.parametrize("given", [{"owner": ""}, {"reason": ""}, {"reason": "short"}])
def test_neither_the_owner_nor_a_reason_can_be_left_out(given: dict[str, str]) -> None:
    world = stuck()
    world.dead = {"run-1"}
    assert release(world, **given).exit is Exit.USAGE
    assert world.state().peek() is not None
    assert not locks(world)


def test_a_lock_that_has_changed_hands_is_left_alone() -> None:
    world = stuck()
    world.dead = {"run-1", "run-9"}
    assert release(world, "run-9").reason is Reason.LOCKED
    world.state().expire()
    taken = world.state().acquire("run-3", seconds=60)
    assert release(world).reason is Reason.LOCKED
    assert world.state().peek() == taken


def test_a_lock_that_changes_hands_at_the_last_moment_is_left_alone() -> None:
    world = stuck()
    world.dead = {"run-1"}

    def meanwhile(_: str) -> None:
        world.state().expire()
        assert world.state().acquire("run-3", seconds=60) is not None

    world.pause_at, world.meanwhile = len(world.ticks), meanwhile
    outcome = release(world)
    assert (outcome.reason, outcome.exit) == (Reason.LOCKED, 13)
    held = world.state().peek()
    assert held is not None
    assert held.owner == "run-3"
    assert not locks(world)


def test_a_free_lock_is_no_failure_and_no_record() -> None:
    world = World()
    assert release(world).green
    assert world.store.bodies() == []


def test_twice_is_once() -> None:
    world = stuck()
    world.dead = {"run-1"}
    assert release(world).green
    assert release(world).green
    assert len(locks(world)) == 1


def test_without_a_ledger_nothing_is_released() -> None:
    world = stuck()
    world.dead = {"run-1"}
    world.store.fault = cannot_decide()
    assert release(world).exit is Exit.CANNOT_DECIDE
    held = world.state().peek()
    assert held is not None
    assert held.owner == "run-1"


def test_a_ledger_that_fails_at_the_last_moment_needs_a_person() -> None:
    world = stuck()
    world.dead = {"run-1"}

    def meanwhile(_: str) -> None:
        world.store.fault = cannot_decide()

    world.pause_at, world.meanwhile = len(world.ticks) + 1, meanwhile
    outcome = release(world)
    assert (outcome.reason, outcome.exit) == (Reason.RECORD, 24)
    assert world.state().peek() is None


@pytest.mark.parametrize("by", [Killed, Cancelled])
@pytest.mark.parametrize("tick", range(6))
def test_a_release_that_is_cut_short_leaves_a_lock_that_ends_within_a_minute(
    tick: int, by: type[BaseException]
) -> None:
    world = stuck()
    world.dead = {"run-1"}
    world.stop_at, world.stop_with = len(world.ticks) + tick, by
    try:
        outcome = release(world)
    except Killed:
        outcome = None
    assert outcome is None or outcome.green or outcome.reason is Reason.CANCELLED
    held = world.state().peek()
    assert held is None or held.owner == "run-1" or held.until - held.since <= 60
    assert unfinished(world.state().journal())
    world.clock.sleep(61)
    world.dead = {"run-1", "run-2"}
    assert world.deploy("v3", owner="run-3").green
    known_state(world)


def test_a_released_run_that_lives_after_all_stops_and_changes_nothing() -> None:
    probe = World()
    probe.deploy("v1")
    probe.ticks.clear()
    probe.deploy("v2")
    for number, name in enumerate(probe.ticks):
        world = World()
        world.deploy("v1")
        world.ticks.clear()
        told: list[tuple[Outcome, str]] = []

        def meanwhile(_: str, world: World = world, told: list[tuple[Outcome, str]] = told) -> None:
            told.append((release(world, approver="bob"), world.serves()))

        world.pause_at, world.meanwhile = number, meanwhile
        first = world.deploy("v2")
        ((released, serving),) = told
        assert released.green, name
        if "acquired" in probe.ticks[: number + 1] and not name.startswith(("in ", "half ")):
            done = "after retain" in probe.ticks[: number + 1]  # all but its record, which is a true one
            assert first.reason is (Reason.DEPLOYED if done else Reason.LOST_LOCK), name
            assert world.serves() == serving, name
        world.play(Verb.FINALIZE, owner="run-3")
        assert world.deploy("v3", owner="run-3").green, name
        known_state(world)


@pytest.mark.parametrize(
    ("tick", "said"),
    [
        ("acquired", "no step has begun"),
        ("began", "deploy of v2: before its first change"),
        ("before await_serving", "deploy of v2: at switch, or behind it"),
        ("noted end", "no step has begun"),
    ],
)
def test_a_journal_tells_how_far_its_run_came(tick: str, said: str) -> None:
    world = stuck(tick)
    assert progress(world.state().journal(), "run-1") == said


def test_a_journal_of_somebody_else_is_not_taken_for_the_holders() -> None:
    journal = stuck().state().journal()
    told = progress(journal, "run-2")
    assert told == "no step has begun; run-1 was interrupted in deploy of v2: at switch, or behind it"
    begin = dict(journal[0])
    for odd in ({"plan": []}, {"plan": [{"kind": "levitate"}]}, {"release": None}):
        assert progress(({**begin, **odd}, *journal[1:]), "run-1")
