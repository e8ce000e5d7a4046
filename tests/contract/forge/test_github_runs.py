"""What GitHub says of runs, held against its own OpenAPI document."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ci_lib.domain.forge import ForgeFault, Review, RunState
from ci_lib.forge.github import GitHub
from tests.contract.forge.fake_github import FakeGitHub
from tests.contract.forge.github_pages import user
from tests.fakes import FakeClock

Make = Callable[..., GitHub]

OWNER = "github:acme/shop/5/1/deploy@box-1"


def state_of(
    hub: FakeGitHub, forge: Make, jobs: list[tuple[str, str | None]], status: str = "in_progress"
) -> RunState:
    hub.world.run(5, status=status)
    for state, runner in jobs:
        hub.world.job(5, 1, state, runner)
    return forge().run_state(OWNER)


def test_a_run_has_ended_when_its_attempt_and_all_its_jobs_are_completed(
    hub: FakeGitHub, forge: Make
) -> None:
    assert state_of(hub, forge, [("completed", "box-1")], "completed") is RunState.ENDED


def test_a_completed_attempt_with_a_job_at_work_goes_on(hub: FakeGitHub, forge: Make) -> None:
    assert state_of(hub, forge, [("in_progress", "box-2")], "completed") is RunState.ALIVE


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ([("in_progress", "box-1")], RunState.ALIVE),
        ([("completed", "box-1")], RunState.ENDED),
        ([("completed", "box-1"), ("in_progress", "box-2")], RunState.ENDED),
        ([("completed", "box-1"), ("in_progress", "box-1")], RunState.ALIVE),
        ([("completed", "box-1"), ("queued", "box-1")], RunState.ALIVE),
        ([("completed", "box-1"), ("queued", None)], RunState.ENDED),
        ([("completed", "box-1"), ("in_progress", None)], RunState.ALIVE),
        ([("completed", "box-2")], RunState.ALIVE),
        ([], RunState.ALIVE),
    ],
)
def test_within_a_run_a_job_has_ended_when_its_runner_has_none_of_it_left(
    hub: FakeGitHub, forge: Make, jobs: Any, state: RunState
) -> None:
    assert state_of(hub, forge, jobs) is state


def test_a_job_in_a_state_that_nobody_knows_goes_on(hub: FakeGitHub, forge: Make) -> None:
    hub.broken = lambda _, answer: replace(answer, body=answer.body.replace(b'"queued"', b'"dozing"'))
    assert state_of(hub, forge, [("completed", "box-1"), ("queued", "box-1")]) is RunState.ALIVE


def test_jobs_are_looked_for_on_all_pages(hub: FakeGitHub, forge: Make) -> None:
    hub.page = 2
    jobs = [("completed", "box-1")] * 4 + [("in_progress", "box-1")]
    assert state_of(hub, forge, jobs) is RunState.ALIVE  # type: ignore[arg-type]


def test_an_earlier_attempt_is_judged_by_its_own_jobs(hub: FakeGitHub, forge: Make) -> None:
    hub.world.run(5, attempts=2)
    hub.world.job(5, 1, "completed", "box-1")
    hub.world.job(5, 2, "in_progress", "box-1")
    assert forge().run_state("github:acme/shop/5/1/deploy@box-1") is RunState.ENDED
    assert forge().run_state("github:acme/shop/5/2/deploy@box-1") is RunState.ALIVE


@pytest.mark.parametrize(
    "owner",
    [
        "github:acme/other/5/1/deploy@box-1",
        "gitlab:acme/shop/5/1/deploy@box-1",
        "local:box/1.2@3",
        "github:acme/shop/5/1/../../../../user",
        "github:acme/shop/5/0/deploy@box-1",
        "github:acme/shop/5/1/deploy@box-1\n",
        "github:acme/../5/1/deploy",
        "",
    ],
)
def test_of_another_owner_nothing_is_known_and_nothing_is_asked(
    hub: FakeGitHub, forge: Make, owner: str
) -> None:
    hub.world.run(5, status="completed")
    assert forge().run_state(owner) is RunState.UNKNOWN
    assert not hub.asked


def test_a_run_that_github_does_not_know_is_unknown(forge: Make) -> None:
    assert forge().run_state(OWNER) is RunState.UNKNOWN


def test_a_run_of_another_repository_is_unknown_though_the_path_says_ours(
    hub: FakeGitHub, forge: Make
) -> None:
    hub.world.run(5, status="completed")
    hub.world.attempts[5, 1]["repository"]["full_name"] = "evil/shop"
    assert forge().run_state(OWNER) is RunState.UNKNOWN


def test_who_waits_for_a_lock_asks_twice_a_minute(hub: FakeGitHub, forge: Make, clock: FakeClock) -> None:
    hub.world.run(5)
    hub.world.job(5, 1, "in_progress", "box-1")
    ours = forge()
    for _ in range(20):
        assert ours.run_state(OWNER) is RunState.ALIVE
        clock.sleep(5)
    assert len(hub.asked) == 2 * 4
    hub.world.jobs[5, 1][0]["status"] = "completed"
    clock.sleep(30)
    assert ours.run_state(OWNER) is RunState.ENDED


def approved(who: str, *environments: str, state: str = "approved") -> dict[str, Any]:
    places = [{"name": name} for name in environments]
    return {"user": user(who), "environments": places, "state": state, "comment": ""}


def test_who_approved_this_run_for_the_environment_has_reviewed_it(hub: FakeGitHub, forge: Make) -> None:
    hub.world.approvals = [
        approved("bob", "staging"),
        approved("ann", "Production", "staging"),
        approved("cid", "production", state="rejected"),
        approved("dan", "production", state="pending"),
    ]
    url = "https://github.com/acme/shop/actions/runs/7"
    since = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    assert forge().reviews("production") == (Review(reviewer="ann", since=since, where=url),)


def test_who_rejected_as_well_has_not_approved_since_nobody_knows_what_came_last(
    hub: FakeGitHub, forge: Make
) -> None:
    hub.world.approvals = [approved("ann", "production"), approved("Ann", "production", state="rejected")]
    assert forge().reviews("production") == ()
    hub.world.approvals.reverse()
    assert forge().reviews("production") == ()


def test_a_review_of_another_shape_is_no_review(hub: FakeGitHub, forge: Make) -> None:
    hub.world.approvals = [approved("ann", "production")]

    def broken(asked: Any, answer: Any) -> Any:
        if not asked.path.endswith("/approvals"):
            return answer
        return replace(answer, body=answer.body.replace(b'"ann"', b"17"))

    hub.broken = broken
    with pytest.raises(ForgeFault, match="none that its documentation knows"):
        forge().reviews("production")
