"""Which run this is, by what the runner says; and to which place the token may go."""

from dataclasses import replace

import pytest

from ci_lib.forge.github_run import GitHubRun, run_of

ENV = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "7", "GITHUB_REF": "refs/heads/main"}
RUN = GitHubRun(repository="acme/shop", id=7, api="https://api.github.com", server="https://github.com")


def test_the_runner_says_which_run_it_is() -> None:
    assert run_of(ENV) == RUN
    assert RUN.url == "https://github.com/acme/shop/actions/runs/7"
    assert RUN.deployments("prod/eu 1") == "https://github.com/acme/shop/deployments/prod%2Feu%201"


def test_the_job_is_known_by_its_key_its_attempt_and_its_runner() -> None:
    job = {"GITHUB_JOB": "deploy", "GITHUB_RUN_ATTEMPT": "2", "RUNNER_NAME": "box 1"}
    assert run_of(ENV | job) == replace(RUN, job="deploy", attempt=2, runner="box 1")
    assert run_of(ENV | {"GITHUB_RUN_ATTEMPT": "2/jobs"}) == RUN


def test_an_enterprise_server_has_places_of_its_own() -> None:
    own = {
        "GITHUB_API_URL": "https://ghe.acme.example/api/v3/",
        "GITHUB_SERVER_URL": "https://ghe.acme.example",
    }
    assert run_of(ENV | own) == replace(
        RUN, api="https://ghe.acme.example/api/v3", server="https://ghe.acme.example"
    )


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("refs/pull/12/merge", 12),
        ("refs/pull/12/head", 12),
        ("refs/heads/pull/12/merge", 0),
        ("refs/pull/0/merge", 0),
        ("refs/pull/12/merge/x", 0),
        ("", 0),
    ],
)
def test_a_run_of_a_pull_request_has_its_number(ref: str, number: int) -> None:
    assert run_of(ENV | {"GITHUB_REF": ref}) == replace(RUN, request=number)


@pytest.mark.parametrize(
    "wrong",
    [
        {"GITHUB_REPOSITORY": ""},
        {"GITHUB_REPOSITORY": "acme"},
        {"GITHUB_REPOSITORY": "acme/shop/../../user"},
        {"GITHUB_REPOSITORY": "acme/shop?x"},
        {"GITHUB_RUN_ID": ""},
        {"GITHUB_RUN_ID": "0"},
        {"GITHUB_RUN_ID": "7/approvals"},
        {"GITHUB_API_URL": "http://api.github.com"},
        {"GITHUB_API_URL": "http://localhost.evil.example"},
        {"GITHUB_API_URL": "https://somebody@api.github.com"},
        {"GITHUB_API_URL": "https://api.github.com?x"},
        {"GITHUB_API_URL": "https://[::1"},
        {"GITHUB_API_URL": "ftp://x"},
        {"GITHUB_API_URL": ""},
    ],
)
def test_of_what_is_no_run_or_no_safe_place_nothing_is_asked(wrong: dict[str, str]) -> None:
    assert run_of(ENV | wrong) is None


def test_a_server_on_this_machine_may_do_without_tls() -> None:
    assert run_of(ENV | {"GITHUB_API_URL": "http://127.0.0.1:8080"}) is not None
