"""Of the process target a run is paused by SIGSTOP, and goes on when another one has taken over and deployed.

The paused run brings v3, the other one v4.
"""

import subprocess

import pytest

from tests.integration.pauses import (
    Launch,
    content,
    each_intent_has_one_end,
    expire,
    is_paused,
    lease,
    woken,
)
from tests.integration.pauses import launch as launch
from tests.integration.test_process import ENVIRONMENT, Project
from tests.integration.test_process import project as project
from tests.lab.components import wait_for


@pytest.fixture(autouse=True)
def three_versions(project: Project) -> None:
    good = (project.folder / "builds" / "hello" / "v1" / "app.py").read_text()
    (project.folder / "builds" / "hello" / "v4").mkdir()
    (project.folder / "builds" / "hello" / "v4" / "app.py").write_text(good + "# v4\n")
    project.deploy("v1")


def begin(launch: Launch, project: Project, how: str, word: str) -> subprocess.Popen[str]:
    words = ("deploy", "--environment", "staging", "--json", "--version", "v3")
    return launch(project.folder, how, word, *words, env=ENVIRONMENT)


def everything(project: Project) -> tuple[object, ...]:
    files = content(project.state)
    return {path: files[path] for path in files if not path.endswith(".log")}, project.processes()


def true_records(project: Project) -> None:
    bodies = project.ledger()
    each_intent_has_one_end(bodies)
    assert [body["version"] for body in bodies if body.get("status") == "deployed"][-1] == "v4"
    assert project.status()["release"]["version"] == "v4"
    assert len(project.processes()) == 1
    project.run("post-verify", "--environment", "staging", "--version", "v4")


@pytest.mark.parametrize("step", ["prepare", "pull", "switch", "retain"])
def test_a_run_that_was_paused_before_a_step_changes_nothing(
    launch: Launch, project: Project, step: str
) -> None:
    paused = begin(launch, project, "before step", step)
    wait_for(lambda: is_paused(paused), f"the pause before {step}", limit=60)
    expire(project.state / ".deploy-actions")
    assert project.deploy("v4")["status"] == "deployed"
    before = everything(project)
    woken(paused)
    assert everything(project) == before
    true_records(project)


def test_a_run_that_was_paused_amid_its_own_work_is_waited_for_and_stops_behind_it(
    launch: Launch, project: Project
) -> None:
    paused = begin(launch, project, "amid step", "switch")
    wait_for(lambda: is_paused(paused), "the pause in the switch", limit=60)
    state = project.state / ".deploy-actions"
    fence = lease(state)[3]
    expire(state)
    other = project.start("deploy", "--environment", "staging", "--version", "v4")
    wait_for(lambda: lease(state)[3] != fence, "the other run's lock", limit=60)
    woken(paused)
    text = other.communicate(timeout=120)[0]
    assert other.returncode == 0, text
    true_records(project)
