"""With which tokens GitLab is asked, and where nothing is."""

from dataclasses import replace
from typing import Any

import pytest

from ci_lib.cli import forges
from ci_lib.cli.console import Session
from ci_lib.domain.facts import CiFacts
from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.redact import Redactor
from ci_lib.forge.gitlab import GitLab
from ci_lib.forge.none import NoForge
from tests.fakes import FakeHost, FakeReporter
from tests.unit.forge.test_gitlab_run import ENV


def session(env: dict[str, str], reporter: FakeReporter) -> Session:
    nowhere: Any = None
    return Session(
        env=env,
        facts=CiFacts(provider="gitlab", owner="gitlab:acme/shop/6/70/deploy", actor="ann"),
        redact=Redactor(),
        reporter=reporter,
        runner=FakeHost(),
        out=nowhere,
        err=nowhere,
    )


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"CI_JOB_TOKEN": "job-token"}, ("job-token", "")),
        ({"CI_JOB_TOKEN": "job-token", "GITLAB_TOKEN": " own-token\n"}, ("job-token", "own-token")),
        (
            {"CI_JOB_TOKEN": "", "GITLAB_TOKEN": "x", "DEPLOY_ACTIONS_FORGE_TOKEN": "other-token"},
            ("", "other-token"),
        ),
    ],
)
def test_the_jobs_token_is_taken_and_gitlab_token_for_the_rest(
    tokens: dict[str, str], expected: tuple[str, str]
) -> None:
    reporter = FakeReporter()
    forge = forges.forge_of(session({**ENV, "CI_JOB_TOKEN": "", **tokens}, reporter))
    assert isinstance(forge, GitLab)
    assert (forge._job_token, forge._own_token) == expected
    assert reporter.said == [("mask", token) for token in expected if token]


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({**ENV, "CI_JOB_TOKEN": ""}, "no token"),
        ({**ENV, "CI_API_V4_URL": "http://gitlab.example/api/v4"}, "no project, job and API"),
        ({"CI_JOB_TOKEN": "x"}, "no project, job and API"),
    ],
)
def test_without_token_or_place_nothing_is_asked(env: dict[str, str], why: str) -> None:
    forge = forges.forge_of(session(env, FakeReporter()))
    assert isinstance(forge, NoForge)
    with pytest.raises(ForgeFault, match=why):
        forge.reviews("production")


@pytest.mark.parametrize(
    ("provider", "place"), [("gitlab", "CI_MERGE_REQUEST_IID"), ("github", "GITHUB_REF")]
)
def test_without_a_token_a_comment_is_missing_only_where_there_is_a_request(
    provider: str, place: str
) -> None:
    hub = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "7", "GITHUB_REF": "refs/heads/main"}
    env = {**ENV, **hub, "CI_JOB_TOKEN": "", "CI_MERGE_REQUEST_IID": ""}
    request = {place: "refs/pull/12/merge" if provider == "github" else "12"}

    def forge(env: dict[str, str]) -> Any:
        made = session(env, FakeReporter())
        return forges.forge_of(replace(made, facts=replace(made.facts, provider=provider)))

    assert forge(env).comment("plan", "page") == ""
    with pytest.raises(ForgeFault, match="no token"):
        forge(env | request).comment("plan", "page")
