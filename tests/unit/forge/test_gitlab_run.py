"""Which job this is, by GitLab's variables."""

from datetime import UTC, datetime

import pytest

from ci_lib.forge.gitlab_run import GitLabRun, run_of

ENV = {
    "CI_API_V4_URL": "https://gitlab.example/git/api/v4",
    "CI_PROJECT_ID": "7",
    "CI_PROJECT_PATH": "acme/shop",
    "CI_PROJECT_URL": "https://gitlab.example/git/acme/shop",
    "CI_PIPELINE_ID": "6",
    "CI_JOB_ID": "70",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_COMMIT_REF_NAME": "v1",
    "CI_COMMIT_TAG": "v1",
    "CI_DEFAULT_BRANCH": "main",
    "CI_COMMIT_REF_PROTECTED": "true",
    "CI_MERGE_REQUEST_IID": "12",
    "CI_ENVIRONMENT_NAME": "production",
    "CI_ENVIRONMENT_ACTION": "access",
    "CI_PIPELINE_CREATED_AT": "2026-01-02T03:00:00Z",
    "CI_JOB_STARTED_AT": "2026-01-02T03:04:05Z",
    "CI_JOB_TOKEN": "secret",
}


def test_a_job_is_known_by_its_variables() -> None:
    run = run_of(ENV)
    assert run == GitLabRun(
        api="https://gitlab.example/git/api/v4",
        project=7,
        path="acme/shop",
        url="https://gitlab.example/git/acme/shop",
        pipeline=6,
        job=70,
        sha="a" * 40,
        ref="v1",
        is_tag=True,
        default_branch="main",
        protected=True,
        request=12,
        environment="production",
        action="access",
        created=datetime(2026, 1, 2, 3, tzinfo=UTC),
        started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    assert run.job_url == "https://gitlab.example/git/acme/shop/-/jobs/70"
    assert "secret" not in repr(run)


@pytest.mark.parametrize("name", ["CI_API_V4_URL", "CI_PROJECT_ID", "CI_PIPELINE_ID", "CI_JOB_ID"])
@pytest.mark.parametrize("value", ["", "x", "0", "-1", "7/../8", "７"])
def test_without_what_is_needed_there_is_none(name: str, value: str) -> None:
    assert run_of({**ENV, name: value}) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://gitlab.example/api/v4",
        "https://user@gitlab.example/api/v4",
        "https://gitlab.example/api/v4?x=",
        "https://gitlab.example/api/v4#x",
        "https://gitlab.example/api/v3",
        "https:///api/v4",
        "https://[gitlab/api/v4",
        "ftp://gitlab.example/api/v4",
    ],
)
def test_tokens_are_for_no_address_that_is_unsafe(url: str) -> None:
    assert run_of({**ENV, "CI_API_V4_URL": url}) is None


def test_a_server_on_this_machine_needs_no_tls() -> None:
    assert run_of({**ENV, "CI_API_V4_URL": "http://127.0.0.1:8080/api/v4/"}) is not None


@pytest.mark.parametrize("time", ["", "yesterday", "2026-01-02T03:00:00"])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    run = run_of(
        {**ENV, "CI_JOB_STARTED_AT": time, "CI_PIPELINE_CREATED_AT": time, "CI_MERGE_REQUEST_IID": "x"}
    )
    assert run is not None
    assert (run.created, run.started, run.request) == (None, None, 0)


@pytest.mark.parametrize(
    ("name", "action", "expected"),
    [
        ("production", "", True),
        ("production", "start", True),
        ("production", "prepare", False),
        ("staging", "", False),
        ("", "", False),
    ],
)
def test_gitlab_records_what_a_job_with_this_environment_deploys(
    name: str, action: str, expected: bool
) -> None:
    run = run_of({**ENV, "CI_ENVIRONMENT_NAME": name, "CI_ENVIRONMENT_ACTION": action})
    assert run is not None
    assert run.recorded("production") is expected
