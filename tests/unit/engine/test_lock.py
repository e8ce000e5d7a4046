from typing import NoReturn

import pytest

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.engine.lock import holding, take
from ci_lib.ports.protocols import Unreachable
from tests.contract.fake_target import Killed, World


def test_a_free_lock_is_taken_and_given_back() -> None:
    world = World()
    with holding(world.tools("staging"), wait=0) as lease:
        assert world.state().peek() == lease
    assert world.state().peek() is None


def test_a_held_lock_is_refused_at_once_and_names_its_holder() -> None:
    world = World()
    world.state().acquire("github:acme/shop/7/1/cd", seconds=100)
    with pytest.raises(Refusal, match="is held by github:acme/shop/7/1/cd") as refused:
        take(world.tools("staging"), wait=0)
    assert refused.value.reason is Reason.LOCKED
    assert world.clock.slept == []


def test_waiting_ends_when_its_time_is_over() -> None:
    world = World()
    world.state().acquire("run-2", seconds=1000)
    with pytest.raises(Refusal):
        take(world.tools("staging"), wait=10)
    assert 10 <= world.clock.monotonic() < 13


def test_the_same_owner_takes_it_at_any_time_with_a_higher_fence() -> None:
    world = World()
    first = take(world.tools("staging"), wait=0)
    second = take(world.tools("staging"), wait=0)
    assert second.fence > first.fence
    with pytest.raises(Refusal) as refused:
        world.state().note(first, {"event": "start"}, seconds=1)
    assert refused.value.reason is Reason.LOST_LOCK


def test_an_error_gives_it_back_and_a_kill_keeps_it() -> None:
    world = World()
    with pytest.raises(ValueError, match="x"), holding(world.tools("staging"), wait=0):
        raise ValueError("x")
    assert world.state().peek() is None
    with pytest.raises(Killed), holding(world.tools("staging"), wait=0):
        raise Killed
    assert world.state().peek() is not None


def test_a_lock_that_cannot_be_given_back_does_not_hide_the_error() -> None:
    world = World()

    def fail() -> NoReturn:
        with holding(world.tools("staging"), wait=0):
            world.state().fault = Unreachable("gone")
            raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        fail()


def test_each_environment_has_its_own() -> None:
    world = World()
    take(world.tools("staging"), wait=0)
    take(world.tools("production", owner="run-2"), wait=0)
