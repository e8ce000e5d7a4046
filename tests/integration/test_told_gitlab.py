"""What GitLab is told by the whole command line, over HTTP, and what happens when it does not listen."""

import os
import signal
from pathlib import Path

import pytest

from ci_lib.ports.protocols import Response
from tests.contract.forge.fake_gitlab import JOB, OWN
from tests.integration.commits import BROKEN, ONE, built, demands, ended, result
from tests.integration.test_gitlab_forge import Lab
from tests.integration.test_gitlab_forge import lab as lab
from tests.integration.test_lock import PLACE
from tests.integration.test_process import Project
from tests.integration.test_process import project as project

DEPLOY = ("deploy", *PLACE, "--version")


def records(lab: Lab) -> list[tuple[str, str]]:
    return [(each["sha"], each["status"]) for each in lab.fake.world.deployments]


def test_a_deploy_and_the_way_back_of_the_next_are_shown_with_the_versions_commit(
    lab: Lab, project: Project
) -> None:
    project.run(*DEPLOY, built(project, ONE), **lab.job(project))
    project.run(*DEPLOY, built(project, BROKEN), ends=20, **lab.job(project))
    assert records(lab) == [(ONE, "success"), (BROKEN, "failed"), (ONE, "success")], "newest first"


def test_gitlab_records_the_job_of_an_environment_by_itself_and_is_told_what_the_pipeline_did(
    lab: Lab, project: Project
) -> None:
    text = project.run(*DEPLOY, "v1", **lab.job(project) | {"CI_ENVIRONMENT_NAME": "staging"})
    assert [asked.path for asked in lab.fake.asked] == ["/projects/7/pipelines/6/metadata"]
    assert lab.fake.world.pipelines == {6: "hello staging runs v1"}
    assert "was not told" not in text, "nothing is missing, though the commit is not known"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(status=403, headers={}, body=b"{}"), "a job's token is enough"),
        (Response(status=500, headers={}, body=b"{}"), "500"),
        (ConnectionError(), "try again"),
    ],
    ids=["403", "500", "no answer"],
)
def test_a_gitlab_that_does_not_take_it_turns_no_deployment_red(
    lab: Lab, project: Project, answer: Response | ConnectionError, why: str
) -> None:
    def trouble(method: str, path: str) -> Response | None:
        if isinstance(answer, ConnectionError) and method == "POST":
            raise answer
        return answer if isinstance(answer, Response) and method == "POST" else None

    lab.trouble = trouble
    text = project.run(*DEPLOY, built(project, ONE), "--json", **lab.job(project))
    note = result(text)["notes"][-1]
    assert note.startswith("gitlab was not told: the deployment record of staging cannot be had")
    assert why in note
    assert JOB not in text
    assert ended(project) == "deployed"
    assert records(lab) == []


def test_a_plan_is_one_note_on_the_merge_request_and_without_gitlab_token_one_line(
    lab: Lab, project: Project
) -> None:
    job = lab.job(project) | {"CI_MERGE_REQUEST_IID": "12"}
    plan = ("plan", *PLACE, "--comment", "--version")
    text = project.run(*plan, "v1", **job)
    assert "gitlab was not told: a note on merge request !12" in text
    assert "GITLAB_TOKEN is not set" in text
    for version in ("v1", "v3"):
        project.run(*plan, version, **job, GITLAB_TOKEN=OWN)
    (note,) = lab.fake.world.notes["merge_requests/12"]
    assert note["body"].startswith("<!-- deploy-actions:plan/hello/staging -->\n### Plan: hello staging")
    assert "v3" in note["body"]


def test_a_drift_has_an_issue_until_it_is_over(lab: Lab, project: Project) -> None:
    project.deploy("v1")
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    drift, job = ("drift", *PLACE, "--issue"), lab.job(project) | {"GITLAB_TOKEN": OWN}
    for _ in range(2):
        project.run(*drift, ends=4, **job)
    assert [issue["state"] for issue in lab.fake.world.issues] == ["opened"]
    project.deploy("v3")
    project.run(*drift, **job)
    assert [issue["state"] for issue in lab.fake.world.issues] == ["closed"]


def test_a_release_is_published_with_record_and_evidence(lab: Lab, project: Project) -> None:
    lab.fake.world.tags = {"v1.2.0": ONE}
    words = (*DEPLOY, built(project, ONE), "--json", "--publish", "v1.2.0")
    tagged = {"CI_COMMIT_TAG": "v1.2.0", "CI_COMMIT_SHA": ONE}
    found = result(project.run(*words, **lab.job(project) | tagged))
    release = lab.fake.world.releases["v1.2.0"]
    assert "deploy hello in staging: deployed" in release["description"]
    (files,) = lab.fake.world.files.values()
    assert [file["file_name"] for file in files] == [f"{Path(found['evidence_path']).name}.tar.gz"]


@pytest.mark.parametrize(("status", "ends"), [("success", 0), ("failed", 3), ("running", 3)])
def test_a_release_whose_commit_is_not_green_is_not_let_in(
    lab: Lab, project: Project, status: str, ends: int
) -> None:
    version, job = built(project, ONE), lab.job(project) | {"GITLAB_TOKEN": OWN}
    demands(project, "unit")
    lab.fake.world.statuses = [
        {"id": 5, "name": "unit", "status": status, "target_url": None, "allow_failure": False}
    ]
    project.run(*DEPLOY, version, ends=ends, **job)
    assert bool(project.processes()) is (ends == 0)
    project.run(*DEPLOY, "v1", ends=11, **job)
