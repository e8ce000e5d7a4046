"""The tutorials: their commands are typed, and what they say will be seen is seen."""

import os
import re
from pathlib import Path

import pytest

from tests.integration.conftest import Require
from tests.integration.gitlab_support import SERVER, Caller, Ran, library, missing
from tests.integration.learner import ROOT, Learner
from tests.lab.components import Registry
from tests.lab.git import bare, git

TUTORIALS = ROOT / "docs" / "tutorials"

RUNS = "hello staging runs sha-…"
CAME_BACK = "hello staging is back on sha-…: sha-… failed its checks"
ROLLED_BACK = "hello production is back on sha-…"


def jobs_of_cd(learner: Learner, *jobs: str, code: int = 0) -> str:
    """What the jobs of cd.yml run for a push, up to that one; `test_act.py` runs the workflow itself."""
    version = learner.version()
    commands = {
        "build": "deploy-actions build",
        "staging": f"deploy-actions deploy --environment staging --version {version}",
        "production": f"deploy-actions promote --environment production --version {version}",
    }
    typed = learner.run("\n".join(commands[job] for job in jobs))
    assert typed.code == code, typed.text
    return typed.text


def test_the_tutorial_for_github_is_true(
    require: Require, registry: Registry, project: str, tmp_path: Path
) -> None:
    given = {"OWNER": "someone", "HOST": "host.example", "FORGE": "github.com"}
    learner = Learner(TUTORIALS / "first-release-github.md", tmp_path, given)
    forge = bare(tmp_path / "forge" / "someone" / "hello.git")

    learner.type("HOST=")
    texts = {path: path.read_text() for path in learner.project.rglob("*") if path.is_file()}
    assert [path for path, text in texts.items() if "acme" in text and path.name != "README.md"] == []
    assert "ssh: deploy@host.example" in texts[learner.project / "deploy.yml"]
    assert "uses: someone/deploy-actions/promote@v1" in texts[learner.project / ".github/workflows/cd.yml"]
    assert "ssh-ed25519 " in learner.type("ssh-keygen")
    assert "deploy.yml is valid: hello in staging, production" in learner.type("deploy-actions check-config")

    learner.move_home(project, f"{registry.address}/someone/hello")
    learner.type("git init")
    first = learner.version()
    assert git(forge, "rev-parse", "main") == first.removeprefix("sha-")
    assert "deploy_key" not in git(forge, "ls-tree", "-r", "--name-only", "main")
    learner.sees(jobs_of_cd(learner, "build", "staging"), RUNS, first)
    jobs_of_cd(learner, "production")
    assert (learner.serves("staging"), learner.serves("production")) == (first, first)
    looked = learner.type("export DEPLOY_SSH_KEY")
    assert "PROOF" in looked
    assert "promote" in looked

    learner.type("sed -i 's/\"status\"")
    broken = learner.version()
    jobs_of_cd(learner, "build")
    learner.sees(jobs_of_cd(learner, "staging", code=20), CAME_BACK, first, broken)
    assert "it is not verified" in learner.type("deploy-actions promote", code=10)
    assert (learner.serves("staging"), learner.serves("production")) == (first, first)

    learner.type("git revert")
    repaired = learner.version()
    jobs_of_cd(learner, "build", "staging", "production")
    assert (learner.serves("staging"), learner.serves("production")) == (repaired, repaired)

    listed = learner.run("deploy-actions rollback --environment production --list").text
    assert re.findall(r"^(sha-\w+) .* (serves now|ready)$", listed, re.MULTILINE) == [
        (repaired, "serves now"),
        (first, "ready"),
    ]
    typed = learner.run("deploy-actions rollback --environment production --last-good")
    assert typed.code == 0
    learner.sees(typed.text, ROLLED_BACK, first)
    assert (learner.serves("staging"), learner.serves("production")) == (repaired, first)


def without_push(block: str) -> str:
    return block.replace("git push\n", "")


class Pipeline:
    """The project's pipelines. Its `origin` becomes the server that has the library."""

    def __init__(self, learner: Learner, tools: Path) -> None:
        learner.run(f"git remote set-url origin {SERVER}/org/hello.git")
        served, _ = library(learner.folder)
        variables = {
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "a-token",
            "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker")),
        }
        self._caller = Caller(folder=learner.project, served=served, tools=tools, variables=variables)

    def run(self, *jobs: str, code: int = 0) -> Ran:
        ran = self._caller.call(*jobs)
        assert ran.code == code, ran.text
        return ran


def summary(ran: Ran, job: str) -> str:
    return ran.kept(job, "summary.md").read_text()


GITLAB_JOBS = ("build", "deploy:staging", "post-verify:staging", "finalize:staging")


def test_the_tutorial_for_gitlab_is_true(
    require: Require,
    registry: Registry,
    project: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    require("gitlab-ci-local", missing())
    server = "gitlab.example"
    given = {"GROUP": "org", "GITLAB": server, "FORGE": server, "REGISTRY": registry.address}
    learner = Learner(TUTORIALS / "first-release-gitlab.md", tmp_path, given)
    bare(tmp_path / "forge" / "org" / "hello.git")

    learner.type("cp -r")
    for name, begins in (("deploy.yml", "version: 1"), (".gitlab-ci.yml", "include:")):
        (learner.project / name).write_text(learner.yaml(begins))
    assert "deploy.yml is valid: hello in staging, production" in learner.type("REGISTRY=")
    learner.move_home(project, f"{registry.address}/org/hello")
    (learner.project / ".gitignore").write_text(".gitlab-ci-local/\n")
    learner.type("git init")
    first = learner.version()
    pipeline = Pipeline(learner, tmp_path_factory.getbasetemp() / "gitlab-tools")

    learner.sees(summary(pipeline.run(*GITLAB_JOBS), "deploy:staging"), RUNS, first)
    pipeline.run("promote:production")
    assert (learner.serves("staging"), learner.serves("production")) == (first, first)

    learner.run(without_push(learner.block("sed -i 's/\"status\"")))
    broken = learner.version()
    ran = pipeline.run(*GITLAB_JOBS, code=1)
    learner.sees(summary(ran, "deploy:staging"), CAME_BACK, first, broken)
    assert (learner.serves("staging"), learner.serves("production")) == (first, first)

    learner.run(without_push(learner.block("git revert")))
    repaired = learner.version()
    pipeline.run(*GITLAB_JOBS)
    pipeline.run("promote:production")
    assert (learner.serves("staging"), learner.serves("production")) == (repaired, repaired)
    ran = pipeline.run("rollback:production")
    learner.sees(summary(ran, "rollback:production"), ROLLED_BACK, first)
    assert (learner.serves("staging"), learner.serves("production")) == (repaired, first)
