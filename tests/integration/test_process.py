"""The process target on the real machine, by the command line that CI calls."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.demo_files import write_demo
from ci_lib.ports.processes import SystemProcesses
from ci_lib.ports.protocols import Process

RUN = Path(__file__).parents[2] / "actions" / "_setup" / "run.py"
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@dataclass
class Project:
    """The demo's small project, with two good versions."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", str(RUN), *words],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, ends: int = 0) -> str:
        child = self.start(*words)
        text = child.communicate(timeout=120)[0]
        assert child.returncode == ends, text
        return text

    def deploy(self, version: str, *more: str, ends: int = 0) -> dict[str, Any]:
        words = ("deploy", "--environment", "staging", "--version", version, "--json", *more)
        text = self.run(*words, ends=ends)
        found: dict[str, Any] = json.loads(text[text.index("{") :])
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--environment", "staging", "--json"))
        return found

    @property
    def state(self) -> Path:
        return self.folder / ".deploy-actions" / "hello-staging"

    def processes(self) -> list[int]:
        """All living processes that were started in one of the release's folders."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.state) in str((entry / "cwd").readlink()):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def ledger(self) -> list[dict[str, Any]]:
        text = (self.folder / "records" / "stacks" / "hello" / "ledger.jsonl").read_text()
        return [json.loads(line)["body"] for line in text.splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    write_demo(tmp_path)
    good = (tmp_path / "builds" / "hello" / "v1" / "app.py").read_text()
    (tmp_path / "builds" / "hello" / "v3").mkdir()
    (tmp_path / "builds" / "hello" / "v3" / "app.py").write_text(good + "# v3\n")
    made = Project(folder=tmp_path)
    yield made
    for book in (tmp_path / ".deploy-actions").glob("*/book.json"):
        for item in json.loads(book.read_text())["started"].values():
            SystemProcesses().stop(Process(pid=item["pid"], started=item["started"]), grace=1)


def test_a_release_starts_serves_and_is_known_by_its_content(project: Project) -> None:
    result = project.deploy("v1")
    assert (result["status"], result["exit_code"]) == ("deployed", 0)
    (instance,) = project.status()["instances"]
    assert instance["image"].endswith(result["images"][0]["digest"])
    assert project.processes() == [int(instance["instance"])]
    assert project.deploy("v1")["status"] == "unchanged"
    assert project.processes() == [int(instance["instance"])]


def test_a_broken_release_comes_back_and_a_first_one_is_taken_down(project: Project) -> None:
    assert project.deploy("v2", ends=20)["reason_code"] == "taken_down"
    assert project.processes() == []
    project.deploy("v1")
    result = project.deploy("v2", ends=20)
    assert result["reason_code"] == "rolled_back"
    assert result["rollback"]["version"] == "v1"
    assert len(project.processes()) == 1


def test_a_tampered_folder_is_found(project: Project) -> None:
    digest = project.deploy("v1")["images"][0]["digest"]
    folder = project.state / "images" / digest.replace(":", "-")
    (folder / "app.py").write_text((folder / "app.py").read_text() + "# harmless?\n")
    text = project.run("post-verify", "--environment", "staging", ends=4)
    assert "does not run builds/hello@sha256:" in text


def test_a_service_that_was_killed_by_hand_is_found(project: Project) -> None:
    project.deploy("v1")
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    project.run("post-verify", "--environment", "staging", ends=4)


@pytest.mark.parametrize("step", ["pull", "switch", "await_serving", "check"])
def test_after_kill_minus_9_the_next_run_reaches_a_known_state(project: Project, step: str) -> None:
    project.deploy("v1")
    journal = project.state / ".deploy-actions" / "journal.jsonl"
    before = journal.read_text()
    child = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_until(lambda: journal.read_text() != before and step in _begun(journal), child)
    child.kill()
    child.communicate()
    status = project.status()
    assert any("interrupted" in note for note in status["notes"])
    assert project.deploy("v3")["status"] == "deployed"
    assert len(project.processes()) == 1
    bodies = project.ledger()
    intents = [body for body in bodies if body["phase"] == "intent"]
    assert len([body for body in bodies if body.get("ref")]) == len(intents) == 3
    assert "the last run" not in json.dumps(project.status()["notes"])


def test_a_cancelled_run_ends_with_130_and_finalize_clears_up(project: Project) -> None:
    project.deploy("v1")
    journal = project.state / ".deploy-actions" / "journal.jsonl"
    before = journal.read_text()
    child = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_until(lambda: journal.read_text() != before and "await_serving" in _begun(journal), child)
    started = time.monotonic()
    child.send_signal(signal.SIGTERM)
    text = child.communicate(timeout=30)[0]
    assert child.returncode == 130, text
    assert time.monotonic() - started < 5
    assert '"event":"cancelled"' in journal.read_text()
    project.run("finalize", "--environment", "staging", ends=20)
    assert "v1" in json.dumps(project.status()["release"]["version"])
    assert len(project.processes()) == 1


def test_two_runs_at_once_do_not_meet(project: Project) -> None:
    project.deploy("v1")
    journal = project.state / ".deploy-actions" / "journal.jsonl"
    before = journal.read_text()
    first = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_until(lambda: journal.read_text() != before and "await_serving" in _begun(journal), first)
    project.run("deploy", "--environment", "staging", "--version", "v1", ends=13)
    text = first.communicate(timeout=60)[0]
    assert first.returncode == 0, text


def test_the_demo_plays_to_its_end_and_leaves_nothing_behind() -> None:
    before = set(Path("/tmp").glob("deploy-actions-demo-*"))
    done = subprocess.run(
        [sys.executable, "-I", str(RUN), "demo"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "production refused v2" in done.stdout
    assert set(Path("/tmp").glob("deploy-actions-demo-*")) <= before


def _begun(journal: Path) -> set[str]:
    """The kinds of step that the newest run has begun."""
    lines = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    plan = lines[0]["plan"] if lines else []
    return {str(plan[line["step"]]["kind"]) for line in lines if line["event"] == "start"}


def _wait_until(true: Any, child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.001)
