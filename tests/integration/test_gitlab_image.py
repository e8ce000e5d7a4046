"""GitLab's templates in a plain container: Debian's Python, bash, git and ssh, and nothing else."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Require
from tests.integration.gate_project import CODE, Project
from tests.integration.gitlab_containers import Runner, runner
from tests.integration.gitlab_support import missing
from tests.integration.test_ssh import remote_shop
from tests.lab.components import Sshd
from tests.lab.images import Hello
from tests.lab.wheels import wheels

GATE = """\
stages: [lint-test]
include:
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/lint-test.yml
    inputs: {rules-if: $CI, job-image: IMAGE, library-ref: COMMIT}
"""

RELEASE = """\
stages: [deploy]
include:
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/deploy.yml
    inputs:
      {environment: staging, tier: staging, version: sha-1, rules-if: $CI, needs: [],
       job-image: IMAGE, library-ref: COMMIT}
"""

UNIT = {"name": "unit", "command": ["python3", "check.py"], "junit": ["unit.xml"]}
CHECK = """\
import lib
failure = "" if lib.add(1, 2) == 3 else '<failure message="1 and 2 are 3"/>'
with open("unit.xml", "w") as report:
    report.write(f'<testsuite><testcase classname="check" name="adds">{failure}</testcase></testsuite>')
"""
INSTALLED = "Installing the locked dependencies of deploy-actions"


@pytest.fixture(autouse=True)
def components(require: Require, engine: None) -> None:
    require("gitlab-ci-local", missing())
    require("mmdebstrap", None if shutil.which("mmdebstrap") else "mmdebstrap is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.fixture
def gate(tmp_path: Path, checkout: Path) -> Iterator[Runner]:
    Project(checkout, UNIT)
    (checkout / "check.py").write_text(CHECK)
    with runner(tmp_path) as made:
        made.commit(GATE)
        yield made


def test_the_gate_opens_and_shuts_and_the_second_job_fetches_no_dependency_again(
    gate: Runner, checkout: Path
) -> None:
    ran = gate.caller.call()
    assert ran.code == 0, ran.text
    assert INSTALLED in ran.text
    assert sorted(gate.index.fetched) == sorted(path.name for path in wheels().iterdir())
    assert ran.outputs("lint-test")["DEPLOY_STATUS"] == "passed"
    assert "The gate is open" in ran.kept("lint-test", "summary.md").read_text()

    gate.index.fetched.clear()
    (checkout / "lib.py").write_text(CODE.replace("+", "-"))
    gate.commit(GATE)
    ran = gate.caller.call()
    assert ran.code == 1, ran.text
    # A container is new, so all is installed again, from what the first job has left.
    assert INSTALLED in ran.text
    assert gate.index.fetched == []
    assert ran.outputs("lint-test")["DEPLOY_STATUS"] == "failed"
    assert "1 of 1 tests failed" in ran.kept("lint-test", "summary.md").read_text()
    (evidence,) = ran.kept("lint-test", "evidence").iterdir()
    assert "1 and 2 are 3" in (evidence / "junit.xml").read_text()
    assert json.loads((evidence / "result.json").read_text())["status"] == "failed"


def test_a_dependency_that_is_not_the_locked_one_is_not_installed(gate: Runner) -> None:
    gate.index.altered = "click-"
    ran = gate.caller.call()
    assert ran.code == 1, ran.text
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in ran.text
    assert "the dependencies could not be installed" in ran.text
    assert not ran.kept("lint-test", "summary.md").exists()


def test_a_host_is_deployed_to_over_ssh(
    tmp_path: Path, checkout: Path, project: str, hello: Hello, sshd: Sshd
) -> None:
    shop = remote_shop(tmp_path, project, hello, sshd)
    shop.small = True
    shop.host |= {"known_hosts": "known_hosts", "key_env": "DEPLOY_SSH_KEY"}
    shop.write()
    shop.release("sha-1")
    shutil.copy(shop.folder / "deploy.yml", checkout)
    shutil.copytree(shop.folder / "stacks", checkout / "stacks")
    shutil.copy(sshd.known_hosts, checkout / "known_hosts")
    with runner(tmp_path) as made:
        made.commit(RELEASE)
        ran = made.caller.call(DEPLOY_SSH_KEY=sshd.private_key.read_text())
    assert ran.code == 0, ran.text
    assert shop.version("staging", "nginx") == "web-sha-1"
    assert ran.outputs("deploy")["DEPLOY_STATUS"] == "deployed"
