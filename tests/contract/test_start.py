"""start.sh installs once, completely or not at all, whatever the caller's environment says.

A stand-in for Python takes the place of the real one and writes down what it was asked for.
"""

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.generate import ROOT
from tests.lab.components import wait_for

PYTHON = """\
#!/bin/bash
case "$*" in
*version_info*) echo "$0"; echo "3.12.0 x86_64-linux-gnu" ;;
*"-m venv"*) mkdir -p "${@: -1}/bin"; cp "$0" "${@: -1}/bin/python" ;;
*"-m pip"*)
    env >"HERE/environment"
    echo "$*" >>"HERE/installed"
    eval "$(cat HERE/behaviour)"
    ;;
*) echo "started $*" ;;
esac
"""


class Machine:
    """A runner with nothing but the stand-in and the programs that start.sh names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = ("bash", "dirname", "mkdir", "cat", "sha256sum", "flock", "mktemp", "rm", "mv", "tail")
        programs += ("timeout", "sleep", "env", "cp")
        (folder / "bin").mkdir()
        for name in programs:
            (folder / "bin" / name).symlink_to(str(shutil.which(name)))
        python = folder / "bin" / "python3"
        python.write_text(PYTHON.replace("HERE", str(folder)))
        python.chmod(0o755)
        self.behave("true")

    def behave(self, script: str) -> None:
        """What pip does."""
        (self.folder / "behaviour").write_text(script)

    @property
    def installed(self) -> list[str]:
        """What pip was called with."""
        path = self.folder / "installed"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def cache(self) -> list[str]:
        """What lies in the cache, but for locks."""
        names = (path.name for path in (self.folder / "tools" / "deploy-actions").iterdir())
        return sorted(name for name in names if not name.endswith(".lock"))

    @contextlib.contextmanager
    def start(self, **env: str) -> Iterator[subprocess.Popen[str]]:
        given = {"PATH": f"{self.folder}/bin", "RUNNER_TOOL_CACHE": f"{self.folder}/tools", **env}
        with subprocess.Popen(
            # A shell that is started with SIGINT ignored, as in the background, could not be interrupted.
            ["env", "--default-signal=INT", ROOT / "actions/_setup/start.sh", "deploy", "a b"],
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            yield process

    def call(self, **env: str) -> tuple[int, str, str]:
        with self.start(**env) as process:
            out, errors = process.communicate(timeout=20)
        return process.returncode, out, errors


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_start_installs_from_hashes_and_the_second_does_not(machine: Machine) -> None:
    code, out, _ = machine.call()
    assert (code, out) == (0, f"started -I {ROOT}/actions/_setup/run.py deploy a b\n")
    (asked,) = machine.installed
    assert "--require-hashes" in asked
    assert "--only-binary=:all:" in asked
    assert machine.call() == (0, out, "")
    assert machine.installed == [asked]
    assert len(machine.cache) == 1


def test_settings_of_the_callers_own_installations_are_not_used(machine: Machine) -> None:
    theirs = {"PIP_TARGET": "/x", "PIP_REQUIREMENT": "/x", "PIP_NO_BINARY": ":all:", "UV_PYTHON": "x"}
    kept = {"PIP_CERT": "/ca.pem", "PIP_CONFIG_FILE": "/pip.conf", "SSL_CERT_FILE": "/ca.pem"}
    assert machine.call(**theirs, **kept, PYTHONPATH="/x", PIP_INDEX_URL="http://x")[0] == 0
    seen = dict(line.split("=", 1) for line in (machine.folder / "environment").read_text().splitlines())
    ours = {name: value for name, value in seen.items() if name.startswith(("PIP_", "UV_", "PYTHON", "SSL_"))}
    assert ours == kept


def test_two_jobs_at_once_install_once(machine: Machine) -> None:
    machine.behave("sleep 0.3")
    with machine.start() as one, machine.start() as two:
        ends = [process.wait(timeout=20) for process in (one, two)]
    assert ends == [0, 0]
    assert len(machine.installed) == len(machine.cache) == 1


def test_a_failed_installation_says_why_stops_and_leaves_nothing(machine: Machine) -> None:
    machine.behave("echo no route to the index; exit 1")
    code, out, errors = machine.call()
    assert (code, out) == (3, "")
    assert "no route to the index\n" in errors
    assert "pip.conf" in errors.splitlines()[-1]
    assert machine.cache == []


def test_downloads_of_other_jobs_are_used_with_hashes_and_done_without_when_they_are_broken(
    machine: Machine,
) -> None:
    machine.behave('[[ "$*" != *"--cache-dir /downloads"* ]]')
    assert machine.call(DEPLOY_ACTIONS_DOWNLOADS="/downloads")[0] == 0
    with_them, without = machine.installed
    assert "--require-hashes" in with_them
    assert "--require-hashes" in without
    assert "--cache-dir" not in without


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_installation_ends_at_once_and_starts_nothing(machine: Machine, number: int) -> None:
    machine.behave("sleep 30")
    with machine.start() as process:
        wait_for(lambda: bool(machine.installed), "the installation")
        process.send_signal(number)
        assert (process.wait(timeout=5), process.stdout and process.stdout.read()) == (130, "")
    wait_for(lambda: machine.cache == [], "the end of what was begun")


def test_what_a_killed_installation_left_is_not_used(machine: Machine) -> None:
    machine.behave("sleep 1")
    with machine.start() as process:
        wait_for(lambda: bool(machine.installed), "the installation")
        process.kill()
    machine.behave("true")
    code, out, _ = machine.call()
    assert (code, out[:7]) == (0, "started")
    assert (len(machine.installed), len(machine.cache)) == (2, 1)


def test_without_a_tool_cache_the_temporary_folder_is_taken(machine: Machine) -> None:
    temporary = machine.folder / "temp"
    (machine.folder / "tools").write_text("not a folder")
    assert machine.call(RUNNER_TEMP=str(temporary))[0] == 0
    assert [path.name for path in temporary.iterdir()] == ["deploy-actions"]
