"""The jobs of GitLab's templates that need a real engine, run once: build, backup, restore test, drift."""

import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import Require
from tests.integration.databases import POSTGRES, backups, postgres, shop_with
from tests.integration.gitlab_support import Caller, library, missing, with_plugins
from tests.lab.components import Registry, docker
from tests.lab.images import Hello

PIPELINE = """\
stages: [build, maintenance]
include:
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/build.yml
    inputs: {version: built-1, needs: [], library-ref: COMMIT}
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/backup.yml
    inputs: {environment: staging, tier: staging, rules-if: $CI, library-ref: COMMIT}
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/restore-test.yml
    inputs: {environment: staging, tier: staging, rules-if: $CI, needs: [backup], library-ref: COMMIT}
  - project: org/deploy-actions
    ref: COMMIT
    file: /templates/.gitlab-ci/drift.yml
    inputs: {environment: staging, tier: staging, rules-if: $CI, needs: [backup], library-ref: COMMIT}
"""


@pytest.mark.usefixtures("postgres_image")
def test_what_was_built_is_in_the_registry_and_what_was_backed_up_restores(
    require: Require,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    project: str,
    hello: Hello,
    registry: Registry,
) -> None:
    require("gitlab-ci-local", missing())
    shop = shop_with(tmp_path, project, hello, registry, POSTGRES)
    postgres(shop, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)")
    repository = hello.reference("acme/web")
    built = {"web": {"repository": repository, "services": ["nginx"], "build": {"context": "app"}}}
    shop.stack["images"] = built
    shop.write()
    checkout = tmp_path / "checkout"
    (checkout / "app").mkdir(parents=True)
    (checkout / "app/Dockerfile").write_text(f"FROM {repository}:sha-1\nLABEL made=here\n")
    shutil.copy(shop.folder / "deploy.yml", checkout)
    shutil.copytree(shop.folder / "stacks", checkout / "stacks")
    with_plugins(tmp_path)
    served, sha = library(tmp_path)
    caller = Caller(folder=checkout, served=served, tools=tmp_path_factory.getbasetemp() / "gitlab-tools")
    caller.commit(PIPELINE.replace("COMMIT", sha))

    ran = caller.call()

    assert ran.code == 0, ran.text
    assert ran.outputs("build")["DEPLOY_STATUS"] == "passed"
    docker("pull", f"{repository}:built-1")
    assert docker("inspect", "--format", "{{.Config.Labels.made}}", f"{repository}:built-1").strip() == "here"
    for name in ("backup", "restore-test", "drift"):
        assert ran.outputs(name)["DEPLOY_STATUS"] == "passed", name
    assert len(backups(shop)) == 1
