"""A release from first deploy to production, its ledger in a branch, by the command line that CI calls."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.demo_files import write_demo
from tests.lab.git import GitHttp, bare, git

RUN = Path(__file__).parents[2] / "actions" / "_setup" / "run.py"
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
TOKEN = "a-token-of-the-laboratory"


@dataclass
class Project:
    """The demo's project in a checkout whose `origin` also has the ledger."""

    folder: Path
    http: GitHttp

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", str(RUN), *words],
            cwd=self.folder,
            env={**ENVIRONMENT, "RECORDS_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, ends: int = 0) -> str:
        child = self.start(*words)
        text = child.communicate(timeout=180)[0]
        assert child.returncode == ends, text
        assert TOKEN not in text
        return text

    def act(self, verb: str, environment: str, *more: str, ends: int = 0) -> dict[str, Any]:
        text = self.run(verb, "--environment", environment, "--json", *more, ends=ends)
        found: dict[str, Any] = json.loads(text[text.index("{") :])
        return found

    def ledger(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.run("history", "--json"))
        return found

    def branch(self, path: str) -> str:
        return git(self.folder.parent / "remote.git", "show", f"deploy-records:{path}")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    remote, folder = bare(tmp_path / "remote.git"), tmp_path / "checkout"
    folder.mkdir()
    write_demo(folder)
    config = (folder / "deploy.yml").read_text()
    records = "{store: git, token_env: RECORDS_TOKEN}"
    (folder / "deploy.yml").write_text(config.replace("{store: directory, path: records}", records))
    (folder / ".gitignore").write_text(".deploy-actions/\n*.port\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    with GitHttp(tmp_path, login=f"x-access-token:{TOKEN}").serving() as http:
        git(folder, "remote", "add", "origin", http.url(remote))
        yield Project(folder=folder, http=http)
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder) in str((entry / "cwd").readlink()):
                os.kill(int(entry.name), signal.SIGKILL)


def test_a_release_goes_from_staging_to_production_by_the_records_in_the_branch(project: Project) -> None:
    git(project.folder, "status")  # which brings the index up to date
    index = (project.folder / ".git" / "index").read_bytes()
    assert project.act("promote", "production", "--version", "v1", ends=10)["reason_code"] == "not_verified"
    deployed = project.act("deploy", "staging", "--version", "v1")
    assert deployed["status"] == "deployed"
    assert project.act("promote", "production", "--version", "v1")["status"] == "deployed"
    assert project.act("deploy", "staging", "--version", "v2", ends=20)["reason_code"] == "rolled_back"
    log = project.branch("deploy-history.log").splitlines()
    assert [line.rstrip(" |").split(" | ")[2:6] for line in log] == [
        ["production", "deploy", "v1", "fail"],
        ["staging", "deploy", "v1", "success"],
        ["production", "deploy", "v1", "success"],
        ["staging", "deploy", "v2", "fail"],
        ["staging", "rollback", "v1", "success"],
    ]
    assert project.branch("verified/hello.txt") == "v1"
    assert len(project.ledger()) >= 4
    assert git(project.folder, "status", "--porcelain") == ""
    assert git(project.folder, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert (project.folder / ".git" / "index").read_bytes() == index


def test_without_the_remote_nothing_is_decided_and_nothing_deployed(project: Project) -> None:
    project.act("deploy", "staging", "--version", "v1")
    project.http.login = "x-access-token:another"
    failed = project.act("promote", "production", "--version", "v1", ends=11)
    assert failed["reason_code"] == "cannot_decide"
    assert "the login is missing, wrong, or may not do this" in failed["failure"]["cause"]
    assert not (project.folder / ".deploy-actions" / "hello-production" / "releases").exists()
    assert project.act("deploy", "staging", "--version", "v2", ends=11)["reason_code"] == "cannot_decide"
    status = json.loads(project.run("status", "--environment", "staging", "--json"))
    assert len(status["instances"]) == 1, status
    assert not (project.folder / ".deploy-actions" / "hello-production" / "current").exists()


def test_a_run_that_is_killed_while_its_outcome_is_on_its_way_is_recorded_once(project: Project) -> None:
    project.act("deploy", "staging", "--version", "v1")
    before = len(project.ledger())
    pushes = project.http.asked.count("receive")
    edited = (project.folder / "builds" / "hello" / "v1" / "app.py").read_text() + "# v3\n"
    (project.folder / "builds" / "hello" / "v3").mkdir()
    (project.folder / "builds" / "hello" / "v3" / "app.py").write_text(edited)
    project.http.before_losing, project.http.lose, project.http.hold = 1, "receive", "lost"
    child = project.start("deploy", "--environment", "staging", "--version", "v3")
    assert project.http.held.wait(60)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert project.http.asked.count("receive") == pushes + 2  # the intent, and the outcome
    project.http.hold = ""
    project.http.free.set()
    project.act("finalize", "staging")
    assert len(project.ledger()) == before + 1
    assert project.act("promote", "production", "--version", "v3")["status"] == "deployed"
