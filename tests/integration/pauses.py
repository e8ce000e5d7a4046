"""Real command lines that are paused by SIGSTOP, and what is done to the lock meanwhile.

Nobody waits for a lease to end: its time is moved in the file, as it passes for a process that sleeps. So the
paused run's own clock says that the lease is there, as it does after a machine was suspended.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci_lib.ports.processes import parse_stat
from tests.integration.shop import ROOT

LAUNCHER = """
import os, signal, sys
from ci_lib.cli.main import main
from ci_lib.ports.local import LocalHost
from ci_lib.targets.process.site import Site
from ci_lib.targets.process.target import ProcessTarget

how, word = sys.argv.pop(1), sys.argv.pop(1)
run, apply, remember = LocalHost.run, ProcessTarget.apply, Site.remember
met = []

SLOW = 'touch at-work; while [ ! -e go-on ]; do sleep 0.05; done; exec "$@"'

def stop():
    os.kill(os.getpid(), signal.SIGSTOP)

def running(self, argv, **more):
    if argv[0] == "flock" and any(word in item for item in argv) and not met:
        met.append(word)
        if how == "before":
            stop()
        if how == "amid":
            at = list(argv).index("timeout")
            argv = [*argv[:at], "sh", "-c", SLOW, "sh", *argv[at:]]
    return run(self, argv, **more)

def applying(self, step):
    if step.kind == word and how == "before step":
        stop()
    return apply(self, step)

def remembering(self, book):
    remember(self, book)
    if how == "amid step" and not met:
        met.append(word)
        stop()

LocalHost.run, ProcessTarget.apply, Site.remember = running, applying, remembering
main()
"""
"""The real command line, which stops itself: `before` the first changing command that has `word` in it, or
`before step`; `amid step` SWITCH; or it makes that command wait on the host (`amid`)."""


class Launch:
    """Starts command lines that stop themselves, and remembers them."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def __call__(
        self, folder: Path, how: str, word: str, *words: str, env: dict[str, str]
    ) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, how, word, *words],
            cwd=folder,
            env={**env, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(child)
        return child


@pytest.fixture
def launch() -> Iterator[Launch]:
    """As `Launch`; what is still paused at the end of the test is ended."""
    made = Launch()
    yield made
    for child in made.started:
        if child.poll() is None:
            child.kill()
            child.communicate()


def is_paused(process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.communicate()
    return parse_stat(Path(f"/proc/{process.pid}/stat").read_text()).state == "T"


def lease(state: Path) -> list[str]:
    """Owner, holder, until, fence, since."""
    return (state / "lease").read_text().splitlines()


def expire(state: Path) -> None:
    """Let the time of the lease be over."""
    lines = lease(state)
    lines[2] = "1"
    (state / "lease.test").write_text("".join(f"{line}\n" for line in lines))
    (state / "lease.test").rename(state / "lease")


def woken(process: subprocess.Popen[str]) -> dict[str, Any]:
    """How the paused run ends."""
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(out)
    assert process.returncode == 13, out + err
    assert found["reason_code"] == "lost_lock", out
    return found


def each_intent_has_one_end(bodies: list[dict[str, Any]]) -> None:
    intents = [body for body in bodies if body["phase"] == "intent"]
    ends = [body["ref"] for body in bodies if body.get("ref")]
    assert len(ends) == len(set(ends)) == len(intents)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
