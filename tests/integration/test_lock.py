"""The lock as a command, with real runs that were killed, were paused, or are at work."""

import json
import signal
from typing import Any

from ci_lib.ports.processes import process_table
from tests.integration.pauses import Launch, is_paused
from tests.integration.pauses import launch as launch
from tests.integration.test_process import ENVIRONMENT, Project
from tests.integration.test_process import project as project
from tests.lab.components import wait_for

PLACE = ("--environment", "staging")
WHY = ("--reason", "the runner box was lost")
RUN_7 = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "cd",
    "GITHUB_REPOSITORY": "acme/hello",
    "GITHUB_ACTOR": "alice",
    "GITHUB_OUTPUT": "",
    "GITHUB_STEP_SUMMARY": "",
}
OWNER = "github:acme/hello/7/1/cd"


def status(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run("lock", "status", *PLACE, "--json"))
    return found


def release(project: Project, owner: str, *more: str, ends: int = 0) -> dict[str, Any]:
    text = project.run("lock", "release", *PLACE, "--owner", owner, *WHY, "--json", *more, ends=ends)
    found: dict[str, Any] = json.loads(text[text.index("{") :])
    return found


def test_a_free_lock_is_told_and_looking_leaves_no_trace(project: Project) -> None:
    assert status(project) == {"state": "free", "interrupted": False}
    assert "the lock of hello staging is free" in project.run("lock", "status", *PLACE)
    assert not project.state.exists()


def test_the_lock_of_a_ci_run_that_was_killed_is_released_and_the_next_run_clears_up(
    launch: Launch, project: Project,
) -> None:
    project.deploy("v1")
    words = ("deploy", *PLACE, "--version", "v3")
    child = launch(project.folder, "amid step", "switch", *words, env=ENVIRONMENT | RUN_7)
    wait_for(lambda: is_paused(child), "the pause in the switch", limit=60)
    child.kill()
    child.communicate()
    held = status(project)
    assert (held["state"], held["owner"], held["run"]) == ("held", OWNER, "unknown")
    assert held["journal"] == "deploy of v3: at switch, or behind it"
    assert held["since"] < held["until"]
    journal = (project.state / ".deploy-actions" / "journal.jsonl").read_bytes()

    project.run("deploy", *PLACE, "--version", "v3", ends=13)
    assert release(project, "github:acme/hello/8/1/cd", ends=13)["reason_code"] == "locked"
    assert release(project, OWNER, ends=12)["reason_code"] == "policy"
    done = release(project, OWNER, "--approver", "bob")
    assert done["status"] == "passed"
    assert status(project) == {"state": "free", "interrupted": True}
    assert (project.state / ".deploy-actions" / "journal.jsonl").read_bytes() == journal
    told = [body for body in project.ledger() if body["type"] == "lock"]
    assert [(body["status"], body.get("lock_owner")) for body in told] == [
        ("refused", None),
        ("passed", OWNER),
    ]
    assert f"lock of {OWNER}: the runner box was lost" in project.run("history")
    assert project.deploy("v3")["status"] == "deployed"
    assert len(project.processes()) == 1


def test_a_local_run_that_is_at_work_keeps_its_lock_and_a_dead_one_does_not(
    launch: Launch, project: Project
) -> None:
    project.deploy("v1")
    words = ("deploy", *PLACE, "--version", "v3")
    child = launch(project.folder, "before step", "pull", *words, env=ENVIRONMENT)
    wait_for(lambda: is_paused(child), "the pause before the pull", limit=60)
    held = status(project)
    assert held["run"] == "alive", "a paused one is not dead"
    assert held["owner"].endswith(f"@{process_table()}")
    assert held["journal"] == "deploy of v3: at pull hello, or behind it"
    assert release(project, held["owner"], "--approver", "bob", ends=13)["reason_code"] == "locked"
    child.kill()
    child.communicate()
    assert status(project)["run"] == "ended"
    assert release(project, held["owner"])["status"] == "passed"
    project.run("finalize", *PLACE)


def test_a_released_run_that_lives_after_all_stops_before_it_changes_anything(
    launch: Launch, project: Project
) -> None:
    project.deploy("v1")
    before = project.processes()
    words = ("deploy", *PLACE, "--json", "--version", "v3")
    child = launch(project.folder, "before step", "switch", *words, env=ENVIRONMENT | RUN_7)
    wait_for(lambda: is_paused(child), "the pause before the switch", limit=60)
    release(project, OWNER, "--approver", "bob")
    child.send_signal(signal.SIGCONT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 13, out + err
    assert json.loads(out)["reason_code"] == "lost_lock"
    assert project.processes() == before
    assert project.deploy("v3")["status"] == "deployed"
