"""How a child ends that does not end by itself."""

import os
import sys
import time
from pathlib import Path

import pytest

from ci_lib.ports import child
from ci_lib.ports.child import execute
from ci_lib.ports.protocols import TimedOut
from tests.integration.ports_support import is_zombie
from tests.lab.components import wait_for

GRACE = 1.0


@pytest.fixture(autouse=True)
def _a_shorter_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE", GRACE)


def test_a_child_may_tidy_up_and_say_what_it_did(tmp_path: Path) -> None:
    script = "trap 'head -c 1000000 /dev/zero; touch \"$1\"; exit' TERM; while :; do sleep 0.05; done"
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"did not end within 0\.3 s"):
        execute(["sh", "-c", script, "sh", str(tmp_path / "tidy")], timeout=0.3)
    assert time.monotonic() - began < GRACE
    assert (tmp_path / "tidy").exists()


def test_what_ignores_the_request_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = 'trap "" TERM; sh -c \'echo $$ >"$1"; while :; do sleep 0.05; done\' sh "$1" & wait'
    began = time.monotonic()
    with pytest.raises(TimedOut):
        execute(["sh", "-c", script, "sh", str(tmp_path / "below")], timeout=0.3)
    assert GRACE <= time.monotonic() - began < GRACE + 2
    below = (tmp_path / "below").read_text().strip()
    wait_for(lambda: is_zombie(below), "the end of the grandchild")


@pytest.fixture
def nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """We may not signal what we started: as when sudo has become it."""

    def refuse(_group: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", refuse)


def test_what_sudo_became_is_ended_with_sudo(
    nobodys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 99\nshift 2\nexec "$@"\n')
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script = "trap 'touch \"$1\"; exit' TERM; while :; do sleep 0.05; done"
    began = time.monotonic()
    with pytest.raises(TimedOut):
        execute(["sh", "-c", script, "sh", str(tmp_path / "ended")], timeout=0.3)
    assert time.monotonic() - began < GRACE
    assert (tmp_path / "ended").exists()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_cannot_be_ended_is_left_and_told(
    nobodys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no sudo
    began = time.monotonic()
    with pytest.raises(TimedOut):
        execute([sys.executable, "-c", "import time; time.sleep(6)"], timeout=0.3)
    assert time.monotonic() - began < 5
