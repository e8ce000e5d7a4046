"""A job of GitLab fetches deploy-actions at exactly what was asked for, and tells nobody the job's token."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ci_lib.cli.table import VERBS, Command
from tests.contract.gitlab_files import ROOT, script
from tests.contract.gitlab_runner import Runner
from tests.contract.test_workflows import tool

SHELLS = pytest.mark.parametrize("shell", ["sh", "bash"])


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_shellcheck_finds_nothing_in_a_whole_script(verb: Command, tmp_path: Path) -> None:
    path = tmp_path / "script.sh"
    path.write_text(script(verb))
    # SC2016: git's own shell fills the token in.
    assert tool("shellcheck", "--shell=sh", "--exclude=SC2016", path) == ""


@SHELLS
def test_the_library_is_fetched_at_the_release_or_the_commit_and_leaves_no_folder(
    runner: Runner, shell: str
) -> None:
    for ref in ("v1.2.3", runner.sha):
        done = runner.run("deploy", shell, DEPLOY_ACTIONS_LIBRARY_REF=ref)
        assert (done.returncode, done.stdout, done.stderr) == (0, "<deploy>", "")
        folder = (runner.project / "here").read_text()
        assert folder.startswith(runner.env["TMPDIR"])
        assert not Path(folder).exists()


@SHELLS
def test_gates_are_handed_on_as_one_word_each(runner: Runner, shell: str) -> None:
    hostile = "$(touch x) '--json`"
    gates = {"FORCE": hostile, "SKIP_CHECKS": "true ", "APPROVER": "A B"}
    given = {f"DEPLOY_ACTIONS_GATE_{name}": value for name, value in gates.items()}
    flags = f"<--force={hostile}><--skip-checks><--approver=A B>"
    assert runner.run("promote", shell, **given).stdout == "<promote>" + flags
    assert not (runner.project / "x").exists()
    assert runner.run("promote", shell, DEPLOY_ACTIONS_GATE_SKIP_CHECKS="false ").stdout == "<promote>"


@SHELLS
def test_the_exit_code_is_that_of_the_verb(runner: Runner, shell: str) -> None:
    runner.release("exit 20\n")
    assert runner.run("deploy", shell).returncode == 20


def test_a_library_that_cannot_be_had_ends_with_3_and_what_to_look_at(runner: Runner) -> None:
    done = runner.run("deploy", DEPLOY_ACTIONS_LIBRARY_PROJECT="acme/none")
    assert done.returncode == 3
    assert "allowlist" in done.stderr.splitlines()[-1]
    assert list(Path(runner.env["TMPDIR"]).iterdir()) == []


def test_without_bash_one_sentence_says_what_to_do(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("git", "rm", "sh"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    done = runner.run("deploy", "/bin/sh", PATH=str(tmp_path / "bin"))
    assert done.returncode == 2
    assert done.stderr.startswith("deploy-actions: there is no bash here")
    assert "job-image" in done.stderr


def test_what_a_commit_or_another_job_left_is_no_result_of_this_one(runner: Runner, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (runner.project / "deploy-actions").symlink_to(outside)
    assert runner.run("deploy").returncode == 0
    assert not (runner.project / "deploy-actions").exists()
    assert (outside / "kept").exists()


def traced(runner: Runner, folder: Path, **env: str) -> Mapping[str, str]:
    """What git is called with, by a stand-in before the real one."""
    (folder / "bin").mkdir()
    stand_in = folder / "bin" / "git"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{folder}/argv\nexec /usr/bin/git "$@"\n')
    stand_in.chmod(0o755)
    done = runner.run("deploy", PATH=f"{folder}/bin:{os.environ['PATH']}", **env)
    return {"argv": (folder / "argv").read_text(), "said": done.stdout + done.stderr}


def test_the_token_is_in_no_argument_and_no_line(runner: Runner, tmp_path: Path) -> None:
    found = traced(runner, tmp_path)
    assert "credential.http://127.0.0.1:80.helper" in found["argv"]
    assert "the-token" not in found["argv"] + found["said"]


def test_without_a_suitable_python_the_sentence_speaks_of_gitlab(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        [ROOT / "actions/_setup/start.sh", "deploy"],
        env={"PATH": str(tmp_path), "GITLAB_CI": "true"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "job-image" in done.stderr
    assert "setup-python" not in done.stderr
