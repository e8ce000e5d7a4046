"""A GitLab job by the real command line: what its log says, and what it leaves for GitLab to pick up."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.pauses import Launch, is_paused
from tests.integration.pauses import launch as launch
from tests.integration.test_process import ENVIRONMENT, RUN, Project
from tests.integration.test_process import project as project
from tests.lab.components import wait_for
from tests.unit.ci.gitlab_log import read
from tests.unit.ci.test_dotenv import parse

JOB = "https://gitlab.example/acme/hello/-/jobs/801"
PLACE = ("--environment", "staging")


class Job:
    """One job's environment, and the files that it leaves."""

    def __init__(self, project: Project, number: str = "801", **env: str) -> None:
        self.folder = project.folder / "deploy-actions"
        self.env = {
            "GITLAB_CI": "true",
            "CI_PROJECT_PATH": "acme/hello",
            "CI_PIPELINE_ID": "70",
            "CI_JOB_ID": number,
            "CI_JOB_NAME": "deploy/staging",
            "CI_JOB_URL": JOB,
            "CI_PROJECT_DIR": str(project.folder),
            "CI_JOB_TOKEN": "glcbt-very-secret",
            "GITLAB_USER_LOGIN": "bob",
            **env,
        }

    @property
    def variables(self) -> dict[str, str]:
        return parse((self.folder / "outputs.env").read_bytes())


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_job_shows_and_leaves_what_gitlab_understands(project: Project) -> None:
    (project.folder / ".gitignore").write_text(".deploy-actions\nrecords\n*.port\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        git(project.folder, *words)
    job = Job(project)
    seen = read(project.run("deploy", *PLACE, "--version", "v1", **job.env))
    assert seen.open == []
    assert any(line.startswith("✓ switch") for line in seen.outside())
    assert "hello staging runs v1" in seen.text
    assert (job.variables["DEPLOY_STATUS"], job.variables["DEPLOY_VERSION"]) == ("deployed", "v1")
    evidence = job.variables["DEPLOY_EVIDENCE_PATH"]
    assert evidence.startswith("deploy-actions/evidence/")
    assert json.loads((project.folder / job.variables["DEPLOY_RESULT_PATH"]).read_text())["actor"] == "bob"
    links = json.loads((job.folder / "annotations.json").read_text())["deploy-actions"]
    assert f"{JOB}/artifacts/browse/{quote(evidence)}" in [link["external_link"]["url"] for link in links]
    assert "<h3>✅ hello staging runs v1</h3>" in (job.folder / "summary.html").read_text()
    assert git(project.folder, "status", "--porcelain") == ""
    everything = b"".join(path.read_bytes() for path in job.folder.rglob("*") if path.is_file())
    assert b"glcbt-very-secret" not in everything

    project.run("post-verify", *PLACE, "--version", "v1", **job.env)
    project.run("finalize", *PLACE, **job.env)
    assert job.variables["DEPLOY_STATUS"] == "passed"
    assert (job.folder / "summary.md").read_text().count("### ") == 2


def test_a_job_that_is_killed_has_said_that_nothing_is_known_and_finalize_says_the_rest(
    launch: Launch, project: Project
) -> None:
    project.deploy("v1")
    earlier = Job(project, "7")
    project.run("deploy", *PLACE, "--version", "v1", **earlier.env)
    assert earlier.variables["DEPLOY_STATUS"] == "unchanged"

    job = Job(project)
    words = ("deploy", *PLACE, "--version", "v3")
    child = launch(project.folder, "amid step", "switch", *words, env=ENVIRONMENT | job.env)
    wait_for(lambda: is_paused(child), "the pause in the switch", limit=60)
    child.kill()
    child.communicate()
    assert job.variables == {"DEPLOY_STATUS": "unknown", "DEPLOY_JOB_ID": "801"}
    held = json.loads(project.run("lock", "status", *PLACE, "--json"))
    assert held["owner"] == "gitlab:acme/hello/70/801/deploy%2Fstaging"

    project.run("finalize", *PLACE, ends=20, **job.env)
    assert job.variables["DEPLOY_STATUS"] == "rolled_back"
    assert "v3" in (job.folder / "summary.md").read_text()


def test_a_folder_that_a_commit_made_a_link_is_not_written_to(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project.folder / "deploy-actions").symlink_to(elsewhere)
    text = project.run("deploy", *PLACE, "--version", "v1", **Job(project).env)
    assert "deploy-actions is a link: neither outputs nor a summary are written" in text
    assert list(elsewhere.iterdir()) == []


def test_json_stays_alone_on_standard_output(project: Project) -> None:
    job = Job(project)
    words = ("deploy", *PLACE, "--version", "v1", "--json")
    ran = subprocess.run(
        [sys.executable, "-I", str(RUN), *words],
        cwd=project.folder,
        env=ENVIRONMENT | job.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert json.loads(ran.stdout)["status"] == "deployed"
    assert "section_start:" in ran.stderr


def test_a_look_leaves_nothing(project: Project) -> None:
    job = Job(project)
    project.run("status", *PLACE, **job.env)
    assert not job.folder.exists()
