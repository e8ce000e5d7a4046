"""What GitHub is told by the whole command line, over HTTP, and what happens when it does not listen."""

import gzip
import io
import os
import signal
import tarfile
import threading
from pathlib import Path

import pytest

from ci_lib.ports.protocols import Response
from tests.contract.forge.contract import github
from tests.contract.forge.fake_github import TOKEN
from tests.contract.forge.github_pages import BOT
from tests.integration.commits import BROKEN, ONE, TWO, built, demands, ended, page, result, summary_of
from tests.integration.test_forge import Hub
from tests.integration.test_forge import hub as hub
from tests.integration.test_lock import PLACE
from tests.integration.test_process import Project
from tests.integration.test_process import project as project

DEPLOY = ("deploy", *PLACE, "--version")
RUN = "https://github.com/acme/shop/actions/runs/9"


@pytest.fixture(autouse=True)
def run_9(hub: Hub) -> None:
    hub.fake.world.run(9)


def states(hub: Hub) -> list[tuple[str, str, str]]:
    """Commit of each record, state and words of each of its statuses."""
    world = hub.fake.world
    return [
        (record["sha"], state["state"], state["description"])
        for record in world.deployments
        for state in world.states[record["id"]]
    ]


def test_a_deploy_and_the_way_back_of_the_next_are_shown_with_the_versions_commit(
    hub: Hub, project: Project
) -> None:
    first, second = built(project, ONE), built(project, BROKEN)
    project.run(*DEPLOY, first, **hub.environment)
    project.run(*DEPLOY, second, ends=20, **hub.environment)
    assert states(hub) == [
        (BROKEN, "failure", f"{second}: hello failed, {first} serves again"),
        (ONE, "success", f"{first}: hello deployed by deploy"),
    ]


def test_the_address_that_deploy_yml_names_is_shown_with_it(hub: Hub, project: Project) -> None:
    path = project.folder / "deploy.yml"
    address = "    url: https://{stack}-{environment}.example/\n"
    path.write_text(path.read_text().replace("    target: process\n", f"    target: process\n{address}"))
    project.run(*DEPLOY, built(project, ONE), **hub.environment)
    ((state,),) = hub.fake.world.states.values()
    assert state["environment_url"] == "https://hello-staging.example/"


def test_a_rollback_is_shown_with_the_older_versions_commit(hub: Hub, project: Project) -> None:
    first, second = built(project, ONE), built(project, TWO)
    for version in (first, second):
        project.run(*DEPLOY, version)
    project.run("rollback", *PLACE, "--version", first, **hub.environment)
    assert states(hub) == [(ONE, "success", f"{first}: hello deployed by rollback")]


def test_beside_githubs_own_record_of_the_job_there_is_no_second_one(hub: Hub, project: Project) -> None:
    world = hub.fake.world
    record = world.deployment(environment="staging", sha="c" * 40, creator=BOT)
    world.state(record, state="in_progress", log_url=f"{RUN}/job/1")
    for version in (built(project, ONE), "v1"):
        project.run(*DEPLOY, version, **hub.environment)
    assert [found["id"] for found in world.deployments] == [record["id"]]
    words = [state["description"] for state in world.states[record["id"]]]
    assert words[:2] == [
        "v1: hello deployed by deploy",
        f"sha-{ONE} (commit {ONE[:12]}): hello deployed by deploy",
    ]


def test_a_version_without_a_commit_is_deployed_and_one_line_says_what_is_missing(
    hub: Hub, project: Project
) -> None:
    text = project.run(*DEPLOY, "v1", **hub.environment | summary_of(project))
    said = "github was not told: the commit of v1 is not known"
    assert said in text
    assert said in page(project)
    assert states(hub) == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(status=403, headers={}, body=b"{}"), "deployments: write"),
        (Response(status=500, headers={}, body=b"{}"), "500"),
        (ConnectionError(), "try again"),
        (TimeoutError(), "try again"),
    ],
    ids=["403", "500", "no answer", "time-out"],
)
def test_a_github_that_does_not_take_it_turns_no_deployment_red(
    hub: Hub, project: Project, answer: Response | OSError, why: str
) -> None:
    over = threading.Event()

    def trouble(method: str, path: str) -> Response | None:
        if method != "POST":
            return None
        if isinstance(answer, TimeoutError):
            over.wait(60)
        if isinstance(answer, OSError):
            raise ConnectionError
        return answer

    hub.trouble = trouble
    environment = hub.environment | summary_of(project)
    text = project.run(*DEPLOY, built(project, ONE), **environment)
    over.set()
    assert "::warning" in text
    assert TOKEN not in text.replace(f"::add-mask::{TOKEN}", "")
    assert "github was not told: the deployment record of staging" in page(project)
    assert why in page(project)
    assert ended(project) == "deployed"
    assert states(hub) == []


def test_cancelled_while_github_hangs_the_run_ends_as_it_had_ended(hub: Hub, project: Project) -> None:
    asked, over = threading.Event(), threading.Event()

    def hang(method: str, path: str) -> None:
        asked.set()
        over.wait(60)

    hub.trouble = hang
    environment = hub.environment | summary_of(project)
    child = project.start(*DEPLOY, built(project, ONE), "--json", **environment)
    try:
        assert asked.wait(60)
        assert ended(project) == "deployed", "it is recorded before GitHub hears of it"
        assert [*project.folder.glob(".deploy-actions/evidence/*/manifest.json")]
        os.kill(child.pid, signal.SIGTERM)
        text = child.communicate(timeout=30)[0]
    finally:
        over.set()
    assert child.returncode == 0, text
    assert "cancelled while github was told of it" in page(project)
    found = result(text)
    assert (found["status"], found["notes"][-1]) == ("deployed", "cancelled while github was told of it")
    assert not (project.state / ".deploy-actions" / "lease").read_text().startswith("github:")


def test_a_plan_is_one_comment_on_the_pull_request_and_never_an_old_one(hub: Hub, project: Project) -> None:
    version, environment = built(project, ONE), {**hub.environment, "GITHUB_REF": "refs/pull/12/merge"}
    plan = ("plan", *PLACE, "--comment", "--version")
    text = project.run(*plan, version, **environment)
    first = [comment["body"] for _, comment in hub.fake.world.comments]
    assert first[0].startswith("<!-- deploy-actions:plan/hello/staging -->\n### Plan: hello staging")
    assert text.split("plan hash: ")[1].split()[0] in first[0]
    project.run(*plan, "v9", ends=3, **environment)
    ((number, comment),) = hub.fake.world.comments
    assert number == 12
    assert "There is none" in comment["body"]
    assert "Plan hash" not in comment["body"]


def test_a_plan_that_cannot_be_shown_there_is_a_plan(hub: Hub, project: Project) -> None:
    environment = {**hub.environment, "GITHUB_REF": "refs/pull/12/merge"}
    hub.trouble = lambda method, path: Response(status=403, headers={}, body=b"{}")
    text = project.run("plan", *PLACE, "--comment", "--version", "v1", **environment)
    assert "github was not told: a comment on pull request 12" in text
    assert "pull-requests: write" in text
    project.run("plan", *PLACE, "--version", "v1", **environment)


def test_a_drift_has_an_issue_until_it_is_over(hub: Hub, project: Project) -> None:
    project.deploy("v1")
    drift = ("drift", *PLACE, "--issue")
    project.run(*drift, **hub.environment)
    assert hub.fake.world.issues == []
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    for _ in range(2):
        project.run(*drift, ends=4, **hub.environment)
    (issue,) = hub.fake.world.issues
    assert (issue["title"], issue["state"]) == ("hello staging has drifted", "open")
    assert "instances of web" in issue["body"]
    project.deploy("v3")
    text = project.run(*drift, **hub.environment)
    assert hub.fake.world.issues[0]["state"] == "closed"
    assert "the drift is over" in text


def test_an_issue_that_cannot_be_opened_leaves_the_drift_what_it_is(hub: Hub, project: Project) -> None:
    project.deploy("v1")
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    environment = hub.environment | {"GITHUB_TOKEN": ""}
    text = project.run("drift", *PLACE, "--issue", ends=4, **environment)
    assert "the job hands over no token" in text


def test_a_release_is_published_with_record_and_evidence_and_a_tag_that_is_missing_is_said(
    hub: Hub, project: Project
) -> None:
    hub.fake.world.tags = ["v1.2.0"]
    words = (*DEPLOY, built(project, ONE), "--json", "--publish")
    found = result(project.run(*words, "v1.2.0", **of_tag(hub, "v1.2.0")))
    (release,) = hub.fake.world.releases
    assert (release["draft"], release["name"]) == (False, "v1.2.0")
    assert "deploy hello in staging: deployed" in release["body"]
    assert [asset["name"] for asset in release["assets"]] == [
        f"{Path(found['evidence_path']).name}.tar.gz"
    ]
    upload = next(asked for asked in hub.fake.asked if asked.path.endswith("/assets") and asked.body)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(upload.body))) as archive:
        assert any(name.endswith("/manifest.json") for name in archive.getnames())
    missing = result(project.run(*words, "v9.9.9", **of_tag(hub, "v9.9.9")))
    assert (missing["status"], missing["exit_code"]) == ("unchanged", 0)
    assert "there is no tag v9.9.9" in missing["notes"][-1]
    other = result(project.run(*words, "v1.1.0", **of_tag(hub, "v1.2.0")))
    assert "the release of v1.1.0 is not published" in other["notes"][-1]
    assert len(hub.fake.world.releases) == 1


def of_tag(hub: Hub, tag: str) -> dict[str, str]:
    """The environment of a run of a tag that is on the first commit."""
    return {**hub.environment, "GITHUB_REF": f"refs/tags/{tag}", "GITHUB_SHA": ONE}


def check(name: str, conclusion: str) -> dict[str, object]:
    app = {**github().made("nullable-integration"), "slug": "github-actions"}
    return github().made(
        "check-run", id=1, name=name, status="completed", conclusion=conclusion, html_url="", app=app
    )


@pytest.mark.parametrize(("conclusion", "ends"), [("success", 0), ("failure", 3), ("skipped", 3)])
@pytest.mark.parametrize("verb", ["preflight", "deploy"])
def test_a_release_whose_commit_is_not_green_is_not_let_in(
    hub: Hub, project: Project, verb: str, conclusion: str, ends: int
) -> None:
    version = built(project, ONE)
    demands(project, "Gate")
    hub.fake.world.checks = [check("Gate", conclusion), check("Other", "failure")]
    text = project.run(verb, *PLACE, "--version", version, ends=ends, **hub.environment)
    assert ("commit check Gate" in text) is True
    assert bool(project.processes()) is (verb == "deploy" and ends == 0)


@pytest.mark.parametrize("verb", ["preflight", "deploy"])
@pytest.mark.parametrize("why", ["no token", "no permission", "no commit"])
def test_whether_a_commit_is_green_that_nobody_can_tell_refuses_with_11(
    hub: Hub, project: Project, verb: str, why: str
) -> None:
    version, environment = built(project, ONE), hub.environment
    demands(project, "Gate")
    if why == "no token":
        environment = environment | {"GITHUB_TOKEN": ""}
    elif why == "no permission":
        hub.trouble = lambda method, path: Response(status=403, headers={}, body=b"{}")
    else:
        version = "v1"
    found = result(project.run(verb, *PLACE, "--version", version, "--json", ends=11, **environment))
    assert (found["status"], found["reason_code"]) == ("refused", "forge")
    assert project.processes() == []
    if verb == "deploy":
        assert ended(project) == "refused"
        assert project.deploy("v3", ends=11)["reason_code"] == "forge", "nothing is left to clear up"


def test_a_rollback_asks_for_no_checks(hub: Hub, project: Project) -> None:
    for version in ("v1", "v3"):
        project.deploy(version)
    demands(project, "Gate")
    hub.trouble = lambda method, path: Response(status=403, headers={}, body=b"{}")
    project.run("rollback", *PLACE, "--last-good", **hub.environment)
