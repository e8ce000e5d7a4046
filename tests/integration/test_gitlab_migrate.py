"""The pipeline whose staging has its schema changed by a job of its own: real Alembic, a real PostgreSQL."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Require
from tests.integration.gitlab_support import Caller, Ran, library, missing, with_plugins
from tests.integration.orders import Orders
from tests.lab import images
from tests.lab.components import Registry
from tests.lab.images import Hello

PIPELINE = """\
include:
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/pipeline.yml
    inputs:
      version: $RELEASE
      migrate: true
      lint-test: false
      build: false
      library-ref: COMMIT

deploy:staging:
  before_script: ["docker ps -q --no-trunc BACKEND > BETWEEN"]
"""
"""The file BETWEEN tells what serves when the deploy begins."""

MIGRATE, DEPLOY = "migrate:staging", "deploy:staging"


class Stage:
    """The service `orders`, and a project whose pipelines bring its versions to staging."""

    def __init__(self, orders: Orders, folder: Path, tools: Path) -> None:
        self.orders = orders
        orders.write()
        checkout = folder / "checkout"
        checkout.mkdir()
        shutil.copy(orders.folder / "deploy.yml", checkout)
        shutil.copytree(orders.folder / "stacks", checkout / "stacks")
        served, sha = library(folder)
        with_plugins(folder)
        self.between = folder / "between"
        label = "--filter label=com.docker.compose"
        backend = f"{label}.project={orders.project}-staging {label}.service=backend"
        pipeline = PIPELINE.replace("COMMIT", sha).replace("BACKEND", backend)
        self.caller = Caller(folder=checkout, served=served, tools=tools)
        self.caller.commit(pipeline.replace("BETWEEN", str(self.between)))

    def run(self, version: str) -> Ran:
        """Run both jobs for a version; what they left for another one is gone."""
        shutil.rmtree(self.caller.folder / ".gitlab-ci-local" / "artifacts", ignore_errors=True)
        return self.caller.call(MIGRATE, DEPLOY, RELEASE=version)

    def backend(self) -> str:
        """The container of the service."""
        (found,) = self.orders.containers("staging", "backend")
        assert found["State"]["Running"]
        return str(found["Id"])

    def schema(self) -> tuple[str, str]:
        """Its revision, and the columns of the table."""
        return self.orders.schema("staging"), self.orders.columns("staging")


@pytest.fixture
def stage(
    require: Require,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    project: str,
    hello: Hello,
    registry: Registry,
    postgres_image: str,
) -> Stage:
    require("gitlab-ci-local", missing())
    database = f"{registry.address}/acme/postgres:15"
    images.push(postgres_image, database)
    orders = Orders(folder=tmp_path, project=project, hello=hello, database=database)
    return Stage(orders, tmp_path, tmp_path_factory.getbasetemp() / "gitlab-tools")


def result(ran: Ran, job: str) -> dict[str, Any]:
    """What a job's evidence says of its end."""
    (path,) = ran.kept(job, "evidence").glob("*/result.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def red(ran: Ran, reason: str) -> dict[str, Any]:
    """What a pipeline says whose migration ended with exit 3, so that nothing was deployed."""
    assert ran.code == 1, ran.text
    assert re.search(rf"^{MIGRATE} .*FAIL 3 *$", ran.text, re.MULTILINE), ran.text
    assert ran.outputs(MIGRATE)["DEPLOY_REASON_CODE"] == reason
    assert not ran.kept(DEPLOY, "outputs.env").exists()
    return result(ran, MIGRATE)


def test_the_schema_is_changed_before_the_deploy_and_where_it_cannot_be_nothing_is_deployed(
    stage: Stage,
) -> None:
    for tag in ("v1", "broken", "v2"):
        stage.orders.release(tag)
    first = red(stage.run("v1"), "stopped")
    assert "a deploy starts them, then migrates" in first["failure"]["hint"]
    staged = stage.orders.call("deploy", "staging", "--version", "v1")
    assert staged.code == 0, staged
    before = stage.backend()

    failed = red(stage.run("broken"), "migration")
    assert "no_such_table" in failed["failure"]["cause"]
    assert (stage.backend(), stage.schema()) == (before, ("0001", "id"))

    ran = stage.run("v2")
    assert ran.code == 0, ran.text
    assert ran.outputs(MIGRATE)["DEPLOY_REASON_CODE"] == "migrated"
    assert stage.between.read_text().split() == [before], "the old version serves on the new schema"
    assert (stage.schema(), stage.backend() != before) == (("0002", "id,note"), True)
    deployed = result(ran, DEPLOY)
    assert (deployed["reason_code"], deployed["version"]) == ("deployed", "v2")
    assert deployed["schema"]["before"]["pending"] == [], "it found nothing to migrate"
    assert "nothing to do: the schema stands at 0002" in deployed["notes"]
    told = [line.split(" | ")[3:6] for line in stage.orders.history()]
    assert [line for line in told if line[1] != "v1"] == [
        *(["migrate", "broken", "fail"], ["migrate", "v2", "success |"], ["deploy", "v2", "success |"])
    ]
    planned = stage.orders.call("plan", "production", "--version", "v2")
    assert planned.code == 0, f"the job's migration is no rehearsal: {planned}"
