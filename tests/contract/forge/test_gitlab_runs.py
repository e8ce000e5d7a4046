"""Whether a job of GitLab goes on, and who approved this one's deployment."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ci_lib.domain.forge import ForgeFault, Review, RunState
from ci_lib.ports.protocols import Response
from tests.contract.forge.fake_gitlab import FakeGitLab, Fault
from tests.contract.forge.gitlab_contract import encoded
from tests.contract.forge.gitlab_jobs import RUN, adapter, check_fault
from tests.contract.forge.gitlab_pages import ANN
from tests.fakes import FakeClock

OWNER = "gitlab:acme/shop/6/70/deploy%20it"
BOB = {"id": 52, "username": "bob"}


@pytest.mark.parametrize(
    ("status", "more"),
    [("success", {}), ("failed", {"failure_reason": "script_failure"}), ("skipped", {})],
)
def test_a_job_that_is_over_has_ended(status: str, more: dict[str, str]) -> None:
    lab = FakeGitLab()
    lab.world.job(70, status, **more)
    assert adapter(lab, own="").run_state(OWNER) is RunState.ENDED
    assert lab.asked[0].query["include_retried"] == "true"


@pytest.mark.parametrize(
    "status",
    [
        "created",
        "waiting_for_resource",
        "preparing",
        "pending",
        "running",
        "canceling",
        "manual",
        "scheduled",
    ],
)
def test_any_other_job_goes_on(status: str) -> None:
    lab = FakeGitLab()
    lab.world.job(70, status)
    assert adapter(lab).run_state(OWNER) is RunState.ALIVE


@pytest.mark.parametrize(
    ("status", "more"), [("canceled", {}), ("failed", {"failure_reason": "job_execution_timeout"})]
)
def test_a_job_that_its_runner_has_yet_to_stop_has_ended_a_quarter_of_an_hour_later(
    status: str, more: dict[str, str]
) -> None:
    lab, clock = FakeGitLab(), FakeClock()
    lab.world.job(70, status, finished_at=clock.now().isoformat(), **more)
    forge = adapter(lab, clock=clock)
    assert forge.run_state(OWNER) is RunState.UNKNOWN
    clock.sleep(15 * 60 - 1)
    assert forge.run_state(OWNER) is RunState.UNKNOWN
    clock.sleep(31)
    assert forge.run_state(OWNER) is RunState.ENDED


@pytest.mark.parametrize("finished", [None, "", "2026-01-01T00:00:00", "yesterday", 5])
def test_of_a_cancelled_job_whose_end_has_no_time_nothing_is_known(finished: object) -> None:
    lab = FakeGitLab()
    job = {"id": 70, "name": "deploy", "status": "canceled", "pipeline": {"id": 6}, "finished_at": finished}
    lab.faults[1] = Fault(name="odd", answer=Response(status=200, body=encoded([job])))
    assert adapter(lab).run_state(OWNER) is RunState.UNKNOWN


def test_only_that_very_job_counts_also_after_it_was_retried() -> None:
    lab = FakeGitLab()
    lab.world.job(69, "success")
    lab.world.job(70, "failed", retried=True, failure_reason="script_failure")
    lab.world.job(71, "running")
    assert adapter(lab).run_state(OWNER) is RunState.ENDED
    assert adapter(lab).run_state("gitlab:acme/shop/6/71/deploy") is RunState.ALIVE


def test_a_job_behind_many_others_is_found() -> None:
    for counted in (True, False):
        lab = FakeGitLab(counted=counted)
        for number in range(1000, 1250):
            lab.world.job(number, "success")
        lab.world.job(70, "running")
        assert adapter(lab).run_state(OWNER) is RunState.ALIVE
        assert len(lab.asked) == 3


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("failed", "stuck_or_timeout_failure"),
        ("failed", "runner_system_failure"),
        ("failed", "no_updates_running"),
        ("failed", "unknown_failure"),
        ("failed", "a_reason_of_tomorrow"),
        ("failed", ""),
        ("canceled", "job_execution_server_timeout"),
    ],
)
def test_of_a_job_that_went_silent_nobody_knows_whether_it_still_runs(status: str, reason: str) -> None:
    lab, clock = FakeGitLab(), FakeClock()
    lab.world.job(70, status, failure_reason=reason, finished_at=clock.now().isoformat())
    clock.sleep(86400)
    assert adapter(lab, clock=clock).run_state(OWNER) is RunState.UNKNOWN


@pytest.mark.parametrize(
    "owner",
    [
        "gitlab:acme/other/6/70/deploy",
        "gitlab:acme/shop/6/700/deploy",
        "gitlab:acme/shop/5/70/deploy",
        "gitlab:acme/shop/60/70/deploy",
        "gitlab:acme/shop/6/70",
        "gitlab:acme/shop/6/070/deploy",
        "gitlab:acme/shop/6/70/deploy\n",
        "gitlab:acme/shop/6/../70/deploy",
        "github:acme/shop/6/70/deploy",
        "",
    ],
)
def test_of_anything_else_nothing_is_known(owner: str) -> None:
    lab = FakeGitLab()
    lab.world.job(70, "success")
    lab.world.job(71, "success", pipeline=5)
    assert adapter(lab).run_state(owner) is RunState.UNKNOWN


def test_a_project_with_odd_letters_is_known_as_its_owner_is_written() -> None:
    lab = FakeGitLab()
    lab.world.job(70, "success")
    run = replace(RUN, path="acme/shöp")
    assert adapter(lab, run).run_state("gitlab:acme/sh%C3%B6p/6/70/deploy") is RunState.ENDED


def test_a_job_of_another_pipeline_is_not_that_very_one() -> None:
    lab = FakeGitLab()
    lab.world.job(70, "success", pipeline=5)
    lab.world.jobs[6] = lab.world.jobs[5]
    assert adapter(lab).run_state(OWNER) is RunState.UNKNOWN


def test_who_waits_for_a_lock_asks_twice_a_minute_at_most() -> None:
    lab, clock = FakeGitLab(), FakeClock()
    lab.world.job(70, "running")
    forge = adapter(lab, clock=clock)
    for _ in range(7):
        assert forge.run_state(OWNER) is RunState.ALIVE
        clock.sleep(5)
    assert len(lab.asked) == 2


def said(who: dict[str, Any], status: str, minute: int) -> dict[str, Any]:
    return {"user": who, "status": status, "created_at": f"2026-01-02T03:{minute:02}:00.000Z"}


def test_who_approved_this_jobs_deployment_counts_with_the_newest_word() -> None:
    lab = FakeGitLab()
    lab.world.deployment(
        "production",
        status="blocked",
        approvals=[said(ANN, "rejected", 1), said(BOB, "approved", 2), said(ANN, "approved", 3)],
    )
    lab.world.deployment("production", deployable={"id": 71}, approvals=[said(BOB, "rejected", 9)])
    found = adapter(lab, own="").reviews("production")
    assert found == (
        Review(reviewer="ann", since=datetime(2026, 1, 2, 3, 3, tzinfo=UTC), where=RUN.job_url),
        Review(reviewer="bob", since=datetime(2026, 1, 2, 3, 2, tzinfo=UTC), where=RUN.job_url),
    )


def test_who_took_it_back_does_not_count() -> None:
    lab = FakeGitLab()
    lab.world.deployment("production", approvals=[said(ANN, "rejected", 5), said(ANN, "approved", 3)])
    assert adapter(lab).reviews("production") == ()


def test_approvals_by_several_rules_count_as_well() -> None:
    lab = FakeGitLab()
    rules = [{"deployment_approvals": []}, {"deployment_approvals": [said(ANN, "approved", 1)]}]
    lab.world.deployment("production", approval_summary={"rules": rules})
    assert [review.reviewer for review in adapter(lab).reviews("production")] == ["ann"]


def test_who_started_a_manual_job_has_not_reviewed_it() -> None:
    lab = FakeGitLab()
    lab.world.deployment("production", user=ANN, deployable={"id": 70, "user": ANN})
    assert adapter(lab).reviews("production") == ()


def test_a_deployment_that_is_older_than_the_pipeline_ends_the_search() -> None:
    lab = FakeGitLab(page=10)
    for _ in range(50):
        lab.world.deployment("production", deployable={"id": 1}, created_at="2025-12-01T00:00:00Z")
    assert adapter(lab).reviews("production") == ()
    assert len(lab.asked) == 1


@pytest.mark.parametrize("word", [{"status": "maybe"}, {"created_at": "2026-01-02T03:00:00"}, {"user": {}}])
def test_a_word_that_is_none_of_gitlabs_is_no_pass(word: dict[str, Any]) -> None:
    lab = FakeGitLab()
    lab.world.deployment("production")
    answer = Response(status=200, body=encoded({"approvals": [said(ANN, "approved", 1) | word]}))
    lab.faults[1] = Fault(name="odd", answer=answer)
    with pytest.raises(ForgeFault, match="none that its documentation knows") as caught:
        adapter(lab).reviews("production")
    check_fault(caught.value)
