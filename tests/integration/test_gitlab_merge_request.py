"""The pipeline of a merge request, as `init` writes it: it builds, and plans what that would change."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from ci_lib.cli.main import cli
from tests.contract.forge.fake_gitlab import JOB, OWN
from tests.integration.conftest import Require
from tests.integration.gitlab_support import Caller, Ran, library, missing, with_plugins
from tests.integration.shop import Shop
from tests.integration.test_gitlab_forge import Lab
from tests.integration.test_gitlab_forge import lab as lab
from tests.lab.components import Registry, Sshd
from tests.lab.git import git
from tests.lab.images import Hello

BUILD, PLAN = "build:merge-request", "plan:merge-request"
PREDEFINED = {"CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": JOB}
SEEN = """
build:merge-request:
  before_script: ["env > FOLDER/build.env"]
plan:merge-request:
  before_script: ["env > FOLDER/plan.env"]
"""
"""What the caller adds to the jobs: they tell what their environment holds."""


class Project:
    """A shop behind SSH whose staging serves sha-1, and its checkout with the pipelines of `init`."""

    def __init__(self, folder: Path, shop: Shop, lab: Lab, tools: Path) -> None:
        self.shop, self.folder = shop, folder / "checkout"
        served, sha = library(folder)
        with_plugins(folder)
        self.caller = Caller(folder=self.folder, served=served, tools=tools, predefined=PREDEFINED)
        self.caller.variables = {
            "CI_PIPELINE_SOURCE": "merge_request_event",
            "CI_COMMIT_BRANCH": "",  # a pipeline of a merge request is of no branch
            "CI_MERGE_REQUEST_IID": "12",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
            "CI_PROJECT_ID": "7",
            "CI_PIPELINE_ID": "6",
            "CI_JOB_TOKEN": JOB,
            "CI_API_V4_URL": lab.api,
        }
        (self.folder / "app").mkdir(parents=True)
        image = f"{shop.hello.reference('acme/web')}:sha-1"
        (self.folder / "app/Dockerfile").write_text(f"FROM {image}\nLABEL made=here\n")
        shutil.copy(shop.folder / "deploy.yml", self.folder)
        shutil.copytree(shop.folder / "stacks", self.folder / "stacks")
        self.init(sha)

    def init(self, sha: str) -> None:
        """Write the pipelines, and commit them."""
        words = ("--library", f"org/deploy-actions@{sha}", "--config", str(self.folder / "deploy.yml"))
        told = CliRunner().invoke(cli, ["init", "--ci", "gitlab", *words])
        assert told.exit_code == 0, told.output
        written = (self.folder / ".gitlab-ci.yml").read_text()
        self.caller.commit(written + SEEN.replace("FOLDER", str(self.folder.parent)))

    def stored(self, scoped: Mapping[str, Mapping[str, str]]) -> None:
        """The project's variables, each with a value for an environment."""
        path = self.folder.parent / ".gitlab-ci-local/variables.yml"
        path.parent.mkdir()
        values = {name: {"type": "variable", "values": each} for name, each in scoped.items()}
        path.write_text(json.dumps({"global": values}))

    def head(self) -> str:
        return git(self.folder, "rev-parse", "HEAD")

    def everything(self) -> dict[str, object]:
        """Each file on the host, those of the ledger too; the containers, and when they were started."""
        files = (path for path in sorted((self.shop.folder / "srv").rglob("*")) if path.is_file())
        found: dict[str, object] = {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
        for each in self.shop.containers("staging", "nginx"):
            found[each["Id"]] = each["State"]["StartedAt"]
        return found


@pytest.fixture
def merged(
    require: Require,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    project: str,
    hello: Hello,
    registry: Registry,
    sshd: Sshd,
    lab: Lab,
) -> Project:
    require("gitlab-ci-local", missing())
    key = sshd.private_key.read_text()
    host = {
        "ssh": f"{sshd.user}@{sshd.host}:{sshd.port}",
        "known_hosts": str(sshd.known_hosts),
        "key_env": "DEPLOY_SSH_KEY",
    }
    env = {"DEPLOY_SSH_KEY": key, "SSH_AUTH_SOCK": "", **PREDEFINED}
    shop = Shop(folder=tmp_path, project=project, hello=hello, host=host, env=env, small=True)
    image = {"repository": hello.reference("acme/web"), "services": ["nginx"], "build": {"context": "app"}}
    login = {"username_env": "CI_REGISTRY_USER", "password_env": "CI_REGISTRY_PASSWORD"}
    shop.stack = {"images": {"web": image}, "registries": {registry.address: login}}
    shop.write()
    shop.release("sha-1")
    first = shop.call("deploy", "staging", "--version", "sha-1")
    assert first.code == 0, first
    made = Project(tmp_path, shop, lab, tmp_path_factory.getbasetemp() / "gitlab-tools")
    made.stored({"DEPLOY_SSH_KEY": {"production": "key-of-production"}, "PLAN_SSH_KEY": {"staging": key}})
    return made


def planned(ran: Ran) -> set[str]:
    """The jobs that a pipeline would have."""
    assert ran.code == 0, ran.text
    listed = json.loads(ran.text[ran.text.index("[\n") :])
    return {job["name"] for job in listed if job["when"] != "never"}


def done(ran: Ran) -> set[str]:
    """The jobs of a pipeline that ended well."""
    assert ran.code == 0, ran.text
    return {line.split()[1] for line in ran.text.splitlines() if line.startswith(" PASS ")}


def note(lab: Lab) -> str:
    """The one note on the merge request."""
    (found,) = lab.fake.world.notes["merge_requests/12"]
    return str(found["body"])


def test_a_merge_request_is_shown_what_it_would_change_and_changes_nothing(
    merged: Project, lab: Lab, registry: Registry
) -> None:
    assert planned(merged.caller.call("--list-json")) == {BUILD, PLAN}, "nothing waits for a person either"
    fork = merged.caller.call("--list-json", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="8")
    assert planned(fork) == set(), "its people may not use what the jobs hold"

    before, version = merged.everything(), f"sha-{merged.head()}"
    ran = merged.caller.call()
    assert done(ran) == {BUILD, PLAN}
    assert registry.holds("acme/web", version)
    assert f"### Plan: shop staging `sha-1` → `{version}`" in ran.kept(PLAN, "summary.md").read_text()
    assert f"release:      {version}" in ran.text
    assert f"plan hash: {ran.outputs(PLAN)['DEPLOY_PLAN_HASH']}" in ran.text
    assert "GITLAB_TOKEN is not set" in ran.text, "the note is missing, and nothing is red"
    assert lab.fake.world.notes == {}

    ran = merged.caller.call(PLAN, GITLAB_TOKEN=OWN)
    assert done(ran) == {PLAN}
    assert version in note(lab)
    merged.caller.commit((merged.folder / ".gitlab-ci.yml").read_text())
    failed = merged.caller.call(PLAN, GITLAB_TOKEN=OWN)
    assert re.search(rf"^{PLAN} .*FAIL 3 *$", failed.text, re.MULTILINE), "nobody has built this commit"
    assert "There is none" in note(lab), "the old one was that of another commit"
    assert not {secret for secret in (OWN, JOB) if secret in ran.text + failed.text}

    assert merged.everything() == before
    held = {job: (merged.folder.parent / f"{job}.env").read_text() for job in ("build", "plan")}
    assert [job for job, text in held.items() if "key-of-production" in text] == []
    assert [job for job, text in held.items() if "PRIVATE KEY" in text] == ["plan"], "builds need no host"
