"""Temporary folders: private, removed at the end, and swept after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.ports.scratch import scratch, sweep

HOLDS = """\
import sys, time
from ci_lib.ports.scratch import scratch
with scratch("test", root=sys.argv[1]) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_private_and_gone_afterwards_whatever_happened(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), scratch("test", root=str(tmp_path)) as folder:
        fail(Path(folder))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_swept_and_what_is_in_use_or_another_kind_is_not(tmp_path: Path) -> None:
    other = tmp_path / "deploy-actions-other-1"
    other.mkdir()
    (tmp_path / "deploy-actions-test-link").symlink_to(other)
    argv = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        sweep("test", root=str(tmp_path))
        assert folder.is_dir()
        process.send_signal(signal.SIGKILL)
    assert folder.is_dir()
    with scratch("test", root=str(tmp_path)):
        assert not folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "deploy-actions-other-1",
        "deploy-actions-test-link",
    ]


def test_no_room_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StepFault, match="no temporary folder can be made"),
        scratch("x", root=f"{tmp_path}/no"),
    ):
        pass
