"""A run is paused before, in and after every single effect, for so long that another one takes over.

The other one clears up and deploys. Then the first goes on, as a process does after SIGCONT or a machine that
was suspended, and believes that the lock is its own.
"""

import pytest

from ci_lib.domain.outcome import Outcome
from ci_lib.domain.reasons import Reason, Verb
from ci_lib.records import ledger
from ci_lib.records.chain import check
from tests.contract.fake_target import World
from tests.contract.test_fake_target_faults import EVERYWHERE, STORIES, begun, interrupted, known_state

AT_WORK = ("in ", "half ")
"""Ticks in the middle of what one command does on a host: it goes on while its client is paused."""


def take_over(world: World, others: list[tuple[str, Outcome]]) -> None:
    """From now on, when the world is paused: the lease ends, and another run deploys v9."""

    def meanwhile(tick: str) -> None:
        state, failing = world.state(), world.failing
        state.expire()
        state.busy = tick.startswith(AT_WORK)
        world.failing = set()
        others.append((tick, world.deploy("v9", owner="run-2")))
        state.busy, world.failing = False, failing

    world.meanwhile = meanwhile


def true_records(world: World) -> None:
    """What the ledger believes to serve does, and every intent has one end."""
    served = ledger.last_served(check(world.store.read("shop")), "staging")
    assert served is not None
    assert served.version == world.serves()
    known_state(world)


@pytest.mark.parametrize(("name", "number"), EVERYWHERE)
def test_a_run_that_was_paused_anywhere_leaves_alone_what_another_one_did(name: str, number: int) -> None:
    world, story = begun(name), STORIES[name][1]
    others: list[tuple[str, Outcome]] = []
    take_over(world, others)
    world.pause_at = number
    first = story(world)
    ((tick, second),) = others
    if tick.startswith(AT_WORK):
        assert second.reason is Reason.STATE, "what is at work is waited for"
        world.failing = set()
        assert world.deploy("v9", owner="run-2").green
    else:
        assert second.green, second.failure
    before = world.ticks[: number + 1]
    if "acquired" in before:
        assert world.serves() == "v9"
        ended = any(told.startswith("appended ") and told.endswith("outcome") for told in before)
        # One that names the version it is about may see what the other brought before it begins anything.
        late = (Reason.LOST_LOCK, 13), *([(Reason.CHANGED, 4)] if tick == "acquired" else [])
        assert ended or tick.startswith(AT_WORK) or (first.reason, first.exit) in late
    true_records(world)


@pytest.mark.parametrize("name", ["deploy", "deploy that fails", "rollback with its schema", "restore"])
def test_clearing_up_that_was_paused_anywhere_leaves_alone_what_another_run_did(name: str) -> None:
    """A kill at every tick of the story; each time a pause at another fifth of the ticks of clearing up."""
    counted = begun(name)
    STORIES[name][1](counted)
    for number in range(len(counted.ticks)):
        for pause in range(number % 5, 60, 5):
            world, _, _ = interrupted(name, number)
            world.failing = set()
            others: list[tuple[str, Outcome]] = []
            take_over(world, others)
            world.pause_at = len(world.ticks) + pause
            world.play(Verb.FINALIZE)
            if not others:
                break
            assert world.deploy("v9", owner="run-2").green, (number, others[0][0])
            true_records(world)


HOOKS = """\
    hooks: {before_switch: [[./drain]], after_verify: [[./announce]]}
"""


def test_no_hook_is_begun_by_a_run_that_has_lost_the_lock() -> None:
    """But for one that was let through already: what runs on the runner cannot be fenced."""
    probe = World(extra=HOOKS)
    probe.deploy("v2")
    assert [name for name, _ in probe.hooked] == ["./drain", "./announce"]
    for number, tick in enumerate(probe.ticks):
        if tick.startswith(AT_WORK):
            continue
        world = World(extra=HOOKS)
        others: list[tuple[str, Outcome]] = []
        take_over(world, others)
        world.pause_at = number
        world.deploy("v2")
        owners = [facts["DEPLOY_VERSION"] for _, facts in world.hooked]
        begun = [item for item in probe.ticks[: number + 1] if item.startswith("before hook")]
        let_through = tick == "noted start" and probe.ticks[number + 1].startswith("before hook")
        assert owners.count("v9") == 2
        if "acquired" in probe.ticks[: number + 1]:
            assert owners.count("v2") == len(begun) + let_through, (number, tick)
