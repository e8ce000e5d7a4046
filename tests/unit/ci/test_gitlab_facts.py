import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_lib.ci.detect import detect
from ci_lib.ci.gitlab_facts import job_folder

MERGE_REQUEST = "refs/merge-requests/1/head"
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_PATH": "acme/back-end/shop",
    "CI_PIPELINE_ID": "70",
    "CI_JOB_ID": "801",
    "CI_JOB_NAME": "deploy/production: [eu, 1]",
    "CI_JOB_URL": "https://gitlab.example/acme/back-end/shop/-/jobs/801",
    "CI_COMMIT_SHA": "c0ffee",
    "CI_COMMIT_BRANCH": "main",
    "CI_COMMIT_AUTHOR": "carol <carol@acme.example>",
    "CI_SERVER_HOST": "gitlab.com",
    "CI_RUNNER_TAGS": '["gce", "docker", "saas-linux-small-amd64"]',
    "CI_PROJECT_DIR": "/builds/acme/back-end/shop",
    "GITLAB_USER_LOGIN": "bob",
}


def test_gitlab_says_who_runs_what_and_where() -> None:
    facts = detect(GITLAB, local_owner="local:x")
    assert facts.provider == "gitlab"
    assert facts.owner == "gitlab:acme/back-end/shop/70/801/deploy%2Fproduction%3A%20%5Beu%2C%201%5D"
    assert facts.actor == "bob"
    assert facts.run_url == "https://gitlab.example/acme/back-end/shop/-/jobs/801"
    assert (facts.sha, facts.ref, facts.hosted) == ("c0ffee", "refs/heads/main", True)


def test_nobody_but_the_jobs_user_is_known() -> None:
    facts = detect(GITLAB, local_owner="local:x")
    assert facts.author == ""
    assert facts.people == ("bob",)


def test_steps_of_a_job_have_one_owner_and_a_retried_job_has_another() -> None:
    first = detect(GITLAB, local_owner="local:1").owner
    assert detect(GITLAB, local_owner="local:2").owner == first
    assert detect(GITLAB | {"CI_JOB_ID": "802"}, local_owner="local:1").owner != first


@given(st.text(), st.text(min_size=1))
def test_an_owner_is_one_line_whose_parts_can_be_told_apart(name: str, project: str) -> None:
    owner = detect(GITLAB | {"CI_JOB_NAME": name, "CI_PROJECT_PATH": project}, local_owner="").owner
    kind, _, rest = owner.partition(":")
    path, pipeline, job, told = rest.rsplit("/", 3)
    assert (kind, pipeline, job) == ("gitlab", "70", "801")
    assert path.count("/") == project.count("/")
    assert set(owner) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%/_.-~:")
    assert len(told) <= 1200


@pytest.mark.parametrize(
    "change",
    [
        {"CI_JOB_ID": ""},
        {"CI_JOB_ID": "801\n1"},
        {"CI_JOB_ID": "801/1"},
        {"CI_PIPELINE_ID": "x"},
        {"CI_PROJECT_PATH": ""},
    ],
)
def test_a_job_without_a_name_of_its_own_is_this_process(change: dict[str, str]) -> None:
    facts = detect(GITLAB | change, local_owner="local:box/1.2@3")
    assert (facts.provider, facts.owner) == ("gitlab", "local:box/1.2@3")


@pytest.mark.parametrize(
    ("change", "ref"),
    [
        ({"CI_COMMIT_BRANCH": "", "CI_COMMIT_TAG": "v1"}, "refs/tags/v1"),
        ({"CI_COMMIT_BRANCH": "refs/heads/main"}, "refs/heads/refs/heads/main"),
        ({"CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_REF_PATH": MERGE_REQUEST}, MERGE_REQUEST),
        ({"CI_COMMIT_BRANCH": "", "CI_COMMIT_REF_NAME": "main"}, ""),
    ],
)
def test_the_ref_is_that_of_a_tag_a_branch_or_a_merge_request(change: dict[str, str], ref: str) -> None:
    assert detect(GITLAB | change, local_owner="").ref == ref


@pytest.mark.parametrize(
    ("change", "hosted"),
    [
        ({"CI_RUNNER_TAGS": "saas-macos-medium-m1"}, True),
        ({"CI_RUNNER_TAGS": "linux, saas-linux-medium-arm64"}, True),
        ({"CI_RUNNER_TAGS": '["docker", "our-saas-linux"]'}, False),
        ({"CI_RUNNER_TAGS": ""}, False),
        ({"CI_SERVER_HOST": "gitlab.example"}, False),
        ({"CI_RUNNER_TAGS": "", "CI_DISPOSABLE_ENVIRONMENT": "true"}, False),
    ],
)
def test_only_a_runner_of_gitlab_com_itself_is_hosted(change: dict[str, str], hosted: bool) -> None:
    assert detect(GITLAB | change, local_owner="").hosted is hosted


def test_a_job_with_little_to_say_is_still_gitlab() -> None:
    facts = detect({"GITLAB_CI": "true"}, local_owner="local:x")
    assert (facts.provider, facts.owner, facts.actor, facts.ref) == ("gitlab", "local:x", "", "")


def test_a_job_leaves_its_files_in_the_project() -> None:
    assert job_folder(GITLAB) == "/builds/acme/back-end/shop/deploy-actions"
    assert job_folder(GITLAB | {"CI_PROJECT_DIR": "builds"}) == ""
    assert job_folder(GITLAB | {"GITLAB_CI": "false"}) == ""
