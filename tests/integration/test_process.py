"""The process target on the real machine, by the command line that CI calls."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci_lib.cli.demo_files import write_demo
from tests.lab.components import free_port, wait_for

RUN = Path(__file__).parents[2] / "actions" / "_setup" / "run.py"
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


@dataclass
class Project:
    """The demo's small project, with two good versions."""

    folder: Path

    def start(self, *words: str, before: tuple[str, ...] = (), **env: str) -> subprocess.Popen[str]:
        """Start the command line, in an environment with ``env`` and behind the program ``before``."""
        return subprocess.Popen(
            [*before, sys.executable, "-I", str(RUN), *words],
            cwd=self.folder,
            env=ENVIRONMENT | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, ends: int = 0, before: tuple[str, ...] = (), **env: str) -> str:
        child = self.start(*words, before=before, **env)
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
        """All living processes that were started in one of the release's folders, known to us or not."""
        return _processes(self.state)

    def stop(self) -> None:
        """Kill what runs in any environment."""
        for pid in _processes(self.folder):
            os.kill(pid, signal.SIGKILL)

    def arguments(self) -> list[str]:
        """What those processes were started with, behind the name of the program."""
        texts = (Path("/proc", str(pid), "cmdline").read_text() for pid in self.processes())
        return [" ".join(text.split("\0")[1:-1]) for text in texts]

    def edit(self, file: str, old: str, new: str) -> None:
        """Exchange a text in one of the project's files, where it must be."""
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

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
    made.stop()


def _processes(folder: Path) -> list[int]:
    """All living processes that work in a folder, or below it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder) in str((entry / "cwd").readlink()):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


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


def test_a_program_that_cannot_be_executed_is_never_deployed(project: Project) -> None:
    """Also where nothing looks at the service: no check, and no time that it must have run."""
    text = (project.folder / "deploy.yml").read_text().partition("    checks:")[0]
    text = text.replace("      services:", "      settle: 0s\n      services:")
    (project.folder / "deploy.yml").write_text(text.replace("[python3, app.py]", "[./run]"))
    good = "#!/bin/sh\nexec sleep 60\n"
    for version, script, mode in (("w1", good, 0o755), ("w2", "oops\n", 0o755), ("w3", good, 0o644)):
        build = project.folder / "builds" / "hello" / version
        build.mkdir()
        (build / "run").write_text(script)
        (build / "run").chmod(mode)
    result = project.deploy("w2", ends=20)
    assert result["reason_code"] == "taken_down"
    assert result["failure"]["step"] == "switch"
    assert result["failure"]["cause"] == "./run cannot be started: Exec format error"
    assert project.processes() == []
    project.deploy("w1")
    assert project.deploy("w2", ends=20)["reason_code"] == "rolled_back", "it is not remembered as bad"
    serving = project.processes()
    assert len(serving) == 1
    assert project.deploy("w3", ends=3)["reason_code"] == "preflight"
    assert project.processes() == serving


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
    text = project.run("post-verify", "--environment", "staging", ends=4)
    assert "web is exited" in text
    assert "exit code" not in text, "it is not known"
    assert "see the logs; deploy again" in text


def test_without_a_ledger_last_good_goes_further_back_each_time(project: Project) -> None:
    good = (project.folder / "builds" / "hello" / "v1" / "app.py").read_text()
    (project.folder / "builds" / "hello" / "v4").mkdir()
    (project.folder / "builds" / "hello" / "v4" / "app.py").write_text(good + "# v4\n")
    for version in ("v1", "v3", "v4"):
        project.deploy(version)
    ledger = project.folder / "records" / "stacks" / "hello" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"v1"', b'"v9"', 1))
    for version in ("v3", "v1"):
        text = project.run("rollback", "--environment", "staging", "--last-good")
        assert "going by the target's own memory" in text
        assert project.status()["release"]["version"] == version
    project.run("rollback", "--environment", "staging", "--last-good", ends=2)


def test_a_release_that_ends_without_a_word_is_not_explained_by_the_one_before(project: Project) -> None:
    project.edit("builds/hello/v1/app.py", "import http", 'print("words of v1", flush=True)\nimport http')
    project.edit("builds/hello/v3/app.py", "import http", "raise SystemExit(0)\nimport http")
    project.deploy("v1")
    result = project.deploy("v3", ends=20)
    assert result["failure"]["cause"] == "web ended right after its start: it printed nothing"


@pytest.mark.parametrize("step", ["prepare", "pull", "switch", "prove"])
def test_after_kill_minus_9_behind_a_step_the_next_run_reaches_a_known_state(
    project: Project, step: str
) -> None:
    project.deploy("v1")
    child = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_for_step(child, step)
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


# The command line, killed in the middle of a switch: a process was started and is (not) in the book yet.
KILLED = """
import os, signal, sys
from ci_lib.cli.main import main
from ci_lib.targets.process.site import Site

moment, remember = sys.argv.pop(1), Site.remember

def killed(site, book):
    if moment == "after":
        remember(site, book)
    os.kill(os.getpid(), signal.SIGKILL)

Site.remember = killed
main()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_kill_minus_9_while_a_service_is_started_one_copy_runs_and_has_the_port(
    project: Project, moment: str
) -> None:
    port = free_port()
    project.edit("deploy.yml", "PORT_FILE:", f'PORT: "{port}", PORT_FILE:')
    for version in ("v1", "v3"):
        project.edit(f"builds/hello/{version}/app.py", '("127.0.0.1", 0)', f'("127.0.0.1", {port})')
    project.deploy("v1")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, moment, "deploy", "--environment", "staging", "--version", "v3"],
        cwd=project.folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(RUN.parents[2])},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    wait_for(lambda: project.processes() == [], "the end of what was not begun")
    assert project.deploy("v3")["status"] == "deployed"
    (pid,) = project.processes()
    assert [item["instance"] for item in project.status()["instances"]] == [str(pid)]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        assert json.load(answer)["version"] == "v3"


def test_who_goes_back_starts_the_old_release_as_it_was_deployed(project: Project) -> None:
    project.deploy("v1")
    assert project.arguments() == ["app.py"]
    project.edit("deploy.yml", "command: [python3, app.py]", "command: [python3, -u, app.py]")
    assert project.deploy("v2", ends=20)["reason_code"] == "rolled_back"
    assert project.arguments() == ["app.py"]
    project.deploy("v3")
    assert project.arguments() == ["-u app.py"]
    project.run("rollback", "--environment", "staging", "--version", "v1")
    assert project.arguments() == ["app.py"]
    assert project.deploy("v1")["status"] == "deployed", "deploy.yml asks for another command than what runs"
    assert project.arguments() == ["-u app.py"]


def test_a_cancelled_run_ends_with_130_and_finalize_clears_up(project: Project) -> None:
    project.deploy("v1")
    child = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_for_step(child, "switch")
    started = time.monotonic()
    child.send_signal(signal.SIGTERM)
    text = child.communicate(timeout=30)[0]
    assert child.returncode == 130, text
    assert time.monotonic() - started < 5
    journal = project.state / ".deploy-actions" / "journal.jsonl"
    assert '"event":"cancelled"' in journal.read_text()
    project.run("finalize", "--environment", "staging", ends=20)
    assert "v1" in json.dumps(project.status()["release"]["version"])
    assert len(project.processes()) == 1


def test_two_runs_at_once_do_not_meet(project: Project) -> None:
    project.deploy("v1")
    first = project.start("deploy", "--environment", "staging", "--version", "v3")
    _wait_for_step(first, "switch")
    first.send_signal(signal.SIGSTOP)  # or it may be done before the other one has started
    project.run("deploy", "--environment", "staging", "--version", "v1", ends=13)
    first.send_signal(signal.SIGCONT)
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
    assert "was removed; `deploy-actions demo --keep` keeps both" in done.stdout
    warned, verdict = (
        done.stdout.index(text) for text in ("warning: going back", "failed: hello staging is")
    )
    assert warned < verdict, "a warning stands where it was given"
    assert set(Path("/tmp").glob("deploy-actions-demo-*")) <= before


def test_a_demo_that_is_kept_says_how_to_end_it() -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(RUN), "demo", "--keep"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kill, remove = (shlex.split(line) for line in done.stdout.rstrip().splitlines()[-2:])
    started = [int(word) for word in kill[1:]]
    folders = {Path(f"/proc/{pid}/cwd").readlink().parts[:3] for pid in started}
    for command in (kill, remove):
        subprocess.run(command, check=True, timeout=60)
    assert (kill[0], len(started)) == ("kill", 2)
    assert remove[:2] == ["rm", "-r"]
    assert folders == {Path(remove[2]).parts[:3]}


def _wait_for_step(child: subprocess.Popen[str], step: str) -> None:
    """Until the run says that the step is done: it is in the next one then."""
    assert child.stdout is not None
    said = []
    for line in child.stdout:
        said.append(line)
        if line.startswith(f"ok: {step}"):
            return
    raise AssertionError(f"{step} was never done: {''.join(said)}")


MIGRATE = """\
import json, os, pathlib, sys
at = pathlib.Path(os.environ["SCHEMA"])
head = pathlib.Path("head").read_text().strip()
current = [at.read_text()] if at.exists() else []
if sys.argv[1] == "status":
    print(json.dumps({"current": current, "heads": [head]}))
elif head == "broken":
    sys.exit("Error: there is no such column")
else:
    assert "PYTEST_CURRENT_TEST" not in os.environ, "the job's own environment is nobody's business"
    at.write_text(head)
"""


def test_a_release_is_migrated_in_its_own_folder_before_it_is_started(project: Project) -> None:
    schema = project.folder / "schema"
    for version, head in (("v1", "1"), ("v3", "3"), ("v4", "broken")):
        build = project.folder / "builds" / "hello" / version
        build.mkdir(exist_ok=True)
        (build / "app.py").write_text((build.parent / "v1" / "app.py").read_text() + f"# {version}\n")
        (build / "migrate.py").write_text(MIGRATE)
        (build / "head").write_text(head)
    command = f"{sys.executable}, migrate.py"
    project.edit(
        "deploy.yml",
        "    process:\n",
        f"    migration: {{tool: command, service: web, policy: forward-only, status: [{command}, status], "
        f"apply: [{command}, apply]}}\n    backup: {{enabled: false}}\n    process:\n",
    )
    project.edit("deploy.yml", "{PORT_FILE:", f"{{SCHEMA: {schema}, PORT_FILE:")

    assert project.deploy("v1")["schema"]["after"]["current"] == ["1"]
    assert project.deploy("v3")["schema"]["before"]["current"] == ["1"]
    before = project.processes()
    failed = project.deploy("v4", ends=3)
    assert (failed["reason_code"], failed["failure"]["cause"]) == (
        "migration",
        "Error: there is no such column",
    )
    assert (schema.read_text(), project.processes()) == ("3", before)


def test_what_was_done_to_a_process_by_hand_is_told(project: Project) -> None:
    project.deploy("v1")
    words = ("drift", "--environment", "staging", "--json")

    def drifted() -> list[str]:
        text = project.run(*words, ends=4)
        rows = json.loads(text[text.index("{") :])["checks"]
        return [row["name"] for row in rows if row["mark"] == "failed"]

    project.run(*words)
    (served,) = project.state.glob("images/*/app.py")
    original = served.read_text()
    served.write_text(f"{original}# edited\n")
    assert drifted() == ["image of web"]
    served.write_text(original)
    project.run(*words)
    os.kill(int(project.status()["instances"][0]["instance"]), signal.SIGKILL)
    assert drifted() == ["instances of web"]
