"""A release's whole story in pipelines of GitLab, made of the templates, on local processes."""

import base64
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from ci_lib.cli.demo_files import write_demo
from ci_lib.cli.main import cli
from tests.contract.gitlab_runner import Runner
from tests.integration.conftest import Require
from tests.integration.gitlab_support import Caller, Ran, library, missing
from tests.lab.git import GitHttp

PIPELINE = """\
include:
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/pipeline.yml
    inputs:
      version: $RELEASE
      lint-test: false
      build: false
      library-ref: COMMIT
"""

STAGING = ("deploy:staging", "post-verify:staging", "finalize:staging")
"""The tool goes no further than a button only when it is told so."""

COMPONENT = """\
stages: [preflight, plan, deploy]
include:
  - component: $CI_SERVER_FQDN/org/deploy-actions/preflight@COMMIT
    inputs: {environment: staging, tier: staging, version: v1, needs: []}
  - component: $CI_SERVER_FQDN/org/deploy-actions/plan@COMMIT
    inputs: {environment: staging, tier: staging, version: v1, needs: [preflight], rules-if: $CI}
  - component: $CI_SERVER_FQDN/org/deploy-actions/deploy@COMMIT
    inputs: {environment: staging, tier: staging, version: v1, needs: [plan]}
"""


class Shop:
    """The demo's project on a server, with two good versions and a broken one."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.served, self.sha = library(folder)
        self.folder = folder / "shop"
        self.folder.mkdir()
        write_demo(self.folder)
        good = (self.folder / "builds/hello/v1/app.py").read_text()
        (self.folder / "builds/hello/v3").mkdir()
        (self.folder / "builds/hello/v3/app.py").write_text(good + "# v3\n")
        self.state = folder / "state"
        self.state.mkdir()
        # Each job has a checkout of its own: what lasts lies elsewhere.
        self._edit("deploy.yml", "path: records", f"path: {self.state}/records")
        self._edit("deploy.yml", f"{self.folder}/{{environment}}.port", f"{self.state}/{{environment}}.port")
        run_dir = f'    process:\n      run_dir: "{self.state}/{{stack}}-{{environment}}"\n'
        self._edit("deploy.yml", "    process:\n", run_dir)
        self._edit("ready.py", 'open(os', f'open("{self.state}/" + os')
        self.caller = Caller(folder=self.folder, served=self.served, tools=tools)

    def _edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def commit(self, pipeline: str) -> None:
        self.caller.commit(pipeline.replace("COMMIT", self.sha))

    def serves(self, environment: str) -> str:
        """The version whose processes run there."""
        found = set()
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or f"hello-{environment}" not in str((entry / "cwd").readlink()):
                    continue
                if str(self.state) in str((entry / "cwd").readlink()):
                    found |= set(re.findall(r"DEPLOY_VERSION=([^\0]+)", (entry / "environ").read_text()))
            except OSError:
                continue
        return ",".join(sorted(found))

    def stop(self) -> None:
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.state) in str((entry / "cwd").readlink()):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue


@pytest.fixture
def shop(require: Require, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    require("gitlab-ci-local", missing())
    made = Shop(tmp_path, tmp_path_factory.getbasetemp() / "gitlab-tools")
    yield made
    made.stop()


def ended(ran: Ran, code: int) -> Ran:
    assert ran.code == code, ran.text
    return ran


def test_a_release_goes_to_production_a_broken_one_comes_back_and_an_unverified_one_is_refused(
    shop: Shop,
) -> None:
    shop.commit(PIPELINE)

    ran = ended(shop.caller.call(*STAGING, RELEASE="v1"), 0)
    assert (shop.serves("staging"), shop.serves("production")) == ("v1", "")
    assert ran.outputs("deploy:staging")["DEPLOY_STATUS"] == "deployed"
    assert ran.outputs("deploy:staging")["DEPLOY_VERSION"] == "v1"
    assert ran.outputs("post-verify:staging")["DEPLOY_STATUS"] == "passed"
    assert "hello staging runs v1" in ran.kept("deploy:staging", "summary.md").read_text()
    (result,) = ran.kept("deploy:staging", "evidence").glob("*/result.json")
    assert json.loads(result.read_text())["version"] == "v1"

    ran = ended(shop.caller.call("--manual", "promote:production", RELEASE="v1"), 0)
    assert shop.serves("production") == "v1"
    assert ran.outputs("promote:production")["DEPLOY_STATUS"] == "deployed"
    assert ran.outputs("post-verify:production")["DEPLOY_STATUS"] == "passed"

    ran = ended(shop.caller.call(*STAGING, RELEASE="v2"), 1)
    assert (shop.serves("staging"), shop.serves("production")) == ("v1", "v1")
    assert ran.outputs("deploy:staging")["DEPLOY_STATUS"] == "rolled_back"
    assert ran.outputs("finalize:staging")["DEPLOY_STATUS"] == "passed"
    assert "is back on v1" in ran.kept("deploy:staging", "summary.md").read_text()

    # Run again by itself, with no other job and no artifact there: what GitLab's own rollback does.
    ran = ended(shop.caller.call("promote:production", RELEASE="v2"), 1)
    assert ran.outputs("promote:production")["DEPLOY_REASON_CODE"] == "not_verified"
    assert shop.serves("production") == "v1"

    ended(shop.caller.call("--manual", "promote:production", RELEASE="v3"), 0)
    assert shop.serves("production") == "v3"
    ran = ended(shop.caller.call("rollback:production", RELEASE="v3"), 0)
    assert ran.outputs("rollback:production")["DEPLOY_VERSION"] == "v1"
    assert (shop.serves("staging"), shop.serves("production")) == ("v3", "v1")


def test_stopping_an_environment_takes_down_what_its_own_pipeline_deployed_and_nothing_else(
    shop: Shop,
) -> None:
    shop.commit(PIPELINE.replace("library-ref", "take-down: true\n      library-ref"))
    merged = ended(shop.caller.call("--preview", RELEASE="v1"), 0).text
    made = YAML(typ="safe").load(merged[merged.index("\n---\n") :])
    down = "take-down:staging"
    assert made[down]["environment"]["action"] == "stop"
    for name in ("deploy:staging", "rollback:staging"):
        place = {"name": "staging", "deployment_tier": "staging", "action": "start", "on_stop": down}
        assert made[name]["environment"] == place
        assert made[name]["rules"][-1]["if"] == made[down]["rules"][-1]["if"]
    assert "on_stop" not in made["promote:production"]["environment"]

    ended(shop.caller.call("deploy:staging", RELEASE="v1"), 0)
    ended(shop.caller.call("deploy:staging", RELEASE="v3"), 0)
    ran = ended(shop.caller.call(down, RELEASE="v1"), 0)  # a warning, as GitLab says of such a button
    assert ran.outputs(down)["DEPLOY_REASON_CODE"] == "changed"
    assert shop.serves("staging") == "v3"
    ran = ended(shop.caller.call(down, RELEASE="v3"), 0)
    assert ran.outputs(down)["DEPLOY_REASON_CODE"] == "down"
    assert shop.serves("staging") == ""
    assert "staging is down: v3 was taken down" in ran.kept(down, "summary.md").read_text()
    ran = ended(shop.caller.call("rollback:staging", RELEASE="v3"), 0)
    assert (shop.serves("staging"), ran.outputs("rollback:staging")["DEPLOY_VERSION"]) == ("v3", "v3")


def test_what_init_writes_delivers_or_does_what_was_chosen(shop: Shop) -> None:
    own = "# ours\nunit:\n  stage: test\n  script: [echo tested]\n"
    (shop.folder / ".gitlab-ci.yml").write_text(own)
    config = str(shop.folder / "deploy.yml")
    words = ["--ci", "gitlab", "--library", f"org/deploy-actions@{shop.sha}", "--config", config]
    told = CliRunner().invoke(cli, ["init", *words])
    assert told.exit_code == 0, told.output
    # Nothing is built here, neither by the pipeline nor for a merge request: what v1 is lies there.
    pipeline = (shop.folder / ".gitlab-ci.yml").read_text()
    pipeline, found = re.subn(r"( +)build: false\n", r"\g<0>\1version: v1\n", pipeline)
    assert found == 1
    shop.commit(pipeline)

    ended(shop.caller.call("unit", "deploy:staging"), 0)
    assert shop.serves("staging") == "v1"
    tasks = {"backup": {"backup", "finalize"}, "restore-test": {"restore-test"}, "drift": {"drift"}}
    for task, jobs in tasks.items():
        listed = ended(shop.caller.call("--list-json", "--input", f"deploy-task={task}"), 0).text
        assert {job["name"] for job in json.loads(listed[listed.index("[\n") :])} == {"unit", *jobs}


def test_a_component_runs_the_library_of_its_own_commit(shop: Shop) -> None:
    shop.commit(COMPONENT)
    ran = ended(shop.caller.call(), 0)
    assert shop.serves("staging") == "v1"
    assert ran.outputs("deploy")["DEPLOY_VERSION"] == "v1"
    assert ran.outputs("preflight")["DEPLOY_STATUS"] == "passed"
    assert re.fullmatch(r"[0-9a-f]{60,}-[0-9a-f]+", ran.outputs("plan")["DEPLOY_PLAN_HASH"])


def fetching(runner: Runner, server: GitHttp) -> dict[str, str]:
    """Variables of a job of that server, which has the library below no group."""
    runner.env |= {
        "CI_SERVER_URL": f"http://127.0.0.1:{server.port}",
        "CI_SERVER_PORT": str(server.port),
        "DEPLOY_ACTIONS_LIBRARY_PROJECT": "lib",
    }
    return runner.env


def test_the_jobs_token_opens_the_library_and_is_kept_by_nobody(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    (tmp_path / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    with GitHttp(runner.library.parent, login="gitlab-ci-token:the-token").serving() as server:
        fetching(runner, server)
        done = runner.run("deploy")
        assert (done.returncode, done.stdout) == (0, "<deploy>"), done.stderr
        told = base64.b64encode(b"gitlab-ci-token:the-token").decode()
        assert server.seen[-1] == f"Basic {told}"
        refused = runner.run("deploy", CI_JOB_TOKEN="of-another-project")
    assert refused.returncode == 3
    assert "of-another-project" not in refused.stderr
    assert not (tmp_path / ".git-credentials").exists()


def test_the_jobs_token_goes_to_no_other_server(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    with (
        GitHttp(runner.library.parent, login="gitlab-ci-token:the-token").serving() as other,
        GitHttp(runner.library.parent).serving() as server,
    ):
        server.moved = other.url(runner.library)
        fetching(runner, server)
        assert runner.run("deploy").returncode == 3
        assert other.seen
        assert set(other.seen) == {""}
