"""Signals to us, and processes that outlive us."""

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci_lib.ports import processes
from ci_lib.ports.processes import SystemProcesses
from ci_lib.ports.protocols import PortFault, Process
from tests.integration.ports_support import is_zombie
from tests.lab.components import Sshd, wait_for

CANCELLED = """
import pathlib, sys, time
from ci_lib.domain.errors import Cancelled
from ci_lib.ports.local import LocalHost
from ci_lib.ports.net import RequestsNet
from ci_lib.ports.ssh import SshHost
from ci_lib.ports.system import SystemClock, cancel_on_signals

kind, port, key, known, folder = sys.argv[1:]
cancel_on_signals()
try:
    if kind == "sleep":
        print("ready", flush=True)
        SystemClock().sleep(60)
    elif kind == "net":
        print("ready", flush=True)
        RequestsNet().talk("127.0.0.1", int(port), send=b"", receive=9999, timeout=60)
        RequestsNet().request("GET", f"http://127.0.0.1:{port}", timeout=60)
    elif kind == "ssh":
        host = SshHost("web1", "root@127.0.0.1", known_hosts=known, port=int(port),
                       private_key=pathlib.Path(key).read_text())
        with host:
            host.run(["true"], timeout=20)
            print("ready", flush=True)
            host.run(["sleep", "60"], timeout=60)
    else:
        script = 'trap "" TERM; sleep 61.25 & echo $! >"$1"; while :; do sleep 0.1; done'
        print("ready", flush=True)
        LocalHost("runner").run(["sh", "-c", script, "sh", folder + "/child"], timeout=60)
except Cancelled as cancelled:
    time.sleep(0.5)  # the second signal arrives now
    print(cancelled, flush=True)
    sys.exit(130)
"""


@pytest.mark.parametrize("kind", ["sleep", "local", "ssh", "net"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_whatever_waits_once_and_within_five_seconds(
    sshd: Sshd, tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    (tmp_path / "cancelled.py").write_text(CANCELLED)
    places = [str(sshd.port), str(sshd.private_key), str(sshd.known_hosts), str(tmp_path)]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if kind == "net":
            places[0] = str(silent.getsockname()[1])
        argv = [sys.executable, str(tmp_path / "cancelled.py"), kind, *places]
        env = {**os.environ, "PYTHONPATH": "."}
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.4)
            began = time.monotonic()
            child.send_signal(number)
            time.sleep(0.2)
            child.send_signal(signal.SIGTERM)
            assert child.stdout.read() == f"{number.name}\n"
            assert child.wait(10) == 130
            assert time.monotonic() - began < 5
    if kind == "local":
        pid = (tmp_path / "child").read_text().strip()
        wait_for(lambda: not Path("/proc", pid).exists() or is_zombie(pid), "the end of the grandchild")


def wait_for_program(process: Process, name: str) -> None:
    """Until the process has become that program, with its environment, which the system shows last."""
    proc = Path("/proc", str(process.pid))
    wait_for(lambda: (proc / "comm").read_text() == f"{name}\n", f"the beginning of {name}")
    wait_for(lambda: (proc / "environ").read_bytes() != b"", f"the environment of {name}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def begin(*argv: str, **env: str) -> Process:
        path = {"PATH": os.environ["PATH"], **env}
        with PROCESSES.starting(argv, cwd=str(tmp_path), env=path, log=str(tmp_path / "log")) as process:
            started.append(process)
        return process

    yield begin
    for process in started:
        PROCESSES.stop(process, grace=0)


PROCESSES = SystemProcesses()


def test_a_process_runs_by_itself_with_just_its_environment(
    start: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "must not arrive")
    log = tmp_path / "log"
    script = 'env; pwd; cat; echo "session $(ps -o sid= -p $$) $$"; echo end >&2; exec sleep 60'
    process = start("sh", "-c", script, GREETING="hello")
    wait_for(lambda: "end\n" in log.read_text(), "the end of its output")
    text = log.read_text()
    assert "GREETING=hello\n" in text
    assert "SECRET" not in text
    assert f"\n{tmp_path}\n" in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert PROCESSES.alive(process)
    assert os.getsid(process.pid) == process.pid
    assert SystemProcesses().alive(process), "a later run of ours knows it as well"


def test_a_process_begins_when_it_was_written_down_and_is_the_one_that_was(tmp_path: Path) -> None:
    env, log = {"PATH": os.environ["PATH"]}, str(tmp_path / "log")
    with PROCESSES.starting(["sleep", "60"], cwd=str(tmp_path), env=env, log=log) as process:
        assert PROCESSES.alive(process)
        assert b"sleep" not in Path("/proc", str(process.pid), "cmdline").read_bytes()
    wait_for_program(process, "sleep")
    assert PROCESSES.alive(process)
    PROCESSES.stop(process, grace=5)


def test_a_process_gets_nothing_of_ours_and_its_environment_as_it_is(start: Callable[..., Process]) -> None:
    odd = {"UID": "7", "OPTIND": "x", "IFS": "", "PWD": "/nowhere", "BYTES": "\udcff", "LINES": "a\nb"}
    process = start("sleep", "60", **odd)
    wait_for_program(process, "sleep")
    proc = Path("/proc", str(process.pid))
    pairs = {"PATH": os.environ["PATH"], **odd}.items()
    assert (proc / "environ").read_bytes() == b"".join(os.fsencode(f"{n}={v}\0") for n, v in pairs)
    wait_for(
        lambda: sorted(entry.name for entry in (proc / "fd").iterdir()) == ["0", "1", "2"],
        "the end of its own start, with no file of ours",
    )
    assert str((proc / "fd" / "0").readlink()) == "/dev/null"
    ignored = int(re.search(r"SigIgn:\s*(\w+)", (proc / "status").read_text())[1], 16)  # type: ignore[index]
    assert not ignored & 1 << signal.SIGPIPE - 1


def test_a_process_that_could_not_be_written_down_never_begins(tmp_path: Path) -> None:
    log, touched = tmp_path / "log", tmp_path / "touched"
    argv, env = ["touch", str(touched)], {"PATH": os.environ["PATH"]}
    with (
        pytest.raises(OSError, match="disk full"),
        PROCESSES.starting(argv, cwd=str(tmp_path), env=env, log=str(log)) as process,
    ):
        raise OSError("disk full")
    wait_for(lambda: not PROCESSES.alive(process), "its end")
    assert not touched.exists()


def test_a_process_that_is_ended_before_it_begins_is_dead_and_told(tmp_path: Path) -> None:
    log, env = str(tmp_path / "log"), {"PATH": os.environ["PATH"]}
    with (
        pytest.raises(PortFault, match="sleep cannot be started: it ended before it began"),
        PROCESSES.starting(["sleep", "60"], cwd=str(tmp_path), env=env, log=log) as process,
    ):
        PROCESSES.stop(process, grace=5)
    assert not PROCESSES.alive(process)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["no-such-program"], "No such file or directory"),
        (["./plain"], "Permission denied"),
        (["./binary"], "Exec format error"),
        (["./script"], "No such file or directory"),
        (["sleep", "6\0"], "embedded null byte"),
    ],
)
def test_a_program_that_cannot_be_executed_is_told_and_leaves_nothing_behind(
    start: Callable[..., Process], tmp_path: Path, argv: list[str], why: str
) -> None:
    for name, text, mode in (
        ("plain", "#!/bin/sh\n", 0o644),
        ("binary", "for another machine\n", 0o755),
        ("script", "#!/no/such/interpreter\n", 0o755),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    with pytest.raises(PortFault) as fault:
        start(*argv)
    assert str(fault.value) == f"{argv[0]} cannot be started: {why}"
    assert (tmp_path / "log").read_text() == f"{argv[0]} cannot be started: {why}\n"
    wait_for(lambda: cwds(tmp_path) == [], "its end")


def cwds(folder: Path) -> list[str]:
    """The ids of the living processes that work in that folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(entry.name)
    return found


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exec sleep 60", "it did not begin within 0.2 s"),
        ("echo no libpython >&2; exit 127", "it ended before it began"),
    ],
)
def test_what_starts_a_program_may_fail_itself(
    start: Callable[..., Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(processes, "_BEGIN_LIMIT", 0.2 if "within" in why else 20.0)
    with pytest.raises(PortFault) as fault:
        start("touch", "begun")
    assert str(fault.value) == f"touch cannot be started: {why}"
    wait_for(lambda: cwds(tmp_path) == [], "its end")
    assert not (tmp_path / "begun").exists()


def test_where_our_own_python_finds_its_libraries_is_for_what_starts_the_program_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python that was moved after it was built does not start without it."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/moved/lib")
    monkeypatch.setenv("SECRET", "must not arrive")
    env, log = {"PATH": os.environ["PATH"]}, str(tmp_path / "log")
    with PROCESSES.starting(["sleep", "60"], cwd=str(tmp_path), env=env, log=log) as process:
        environ = Path("/proc", str(process.pid), "environ")
        wait_for(lambda: environ.read_bytes() != b"", "the start of what starts it")
        assert environ.read_bytes() == b"LD_LIBRARY_PATH=/moved/lib\0"
    wait_for_program(process, "sleep")
    assert environ.read_bytes() == os.fsencode(f"PATH={os.environ['PATH']}\0")
    PROCESSES.stop(process, grace=5)


def test_a_second_process_appends_to_the_log(start: Callable[..., Process], tmp_path: Path) -> None:
    for word in ("one", "two"):
        process = start("echo", word)
        wait_for(lambda process=process: not PROCESSES.alive(process), "its end")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_a_process_that_ended_is_dead_even_before_anybody_took_note(start: Callable[..., Process]) -> None:
    process = start("true")
    wait_for(lambda: is_zombie(str(process.pid)), "its end")
    assert not SystemProcesses().alive(process)
    assert not PROCESSES.alive(process)
    assert not Path("/proc", str(process.pid)).exists()


def test_another_process_with_the_same_id_is_not_the_one(start: Callable[..., Process]) -> None:
    process = start("sleep", "60")
    other = Process(pid=process.pid, started=str(int(process.started) - 1))
    assert not PROCESSES.alive(other)
    PROCESSES.stop(other, grace=1)
    assert PROCESSES.alive(process)


def test_stop_lets_a_process_tidy_up(start: Callable[..., Process], tmp_path: Path) -> None:
    process = start("sh", "-c", "trap 'echo tidy; exit' TERM; echo up; while :; do sleep 0.05; done")
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n", "its start")
    PROCESSES.stop(process, grace=10)
    assert not PROCESSES.alive(process)
    assert (tmp_path / "log").read_text().endswith("tidy\n")
    PROCESSES.stop(process, grace=10)


def test_stop_kills_what_does_not_listen_and_all_that_it_started(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    script = 'trap "" TERM; sh -c \'trap "" TERM; echo "$$"; while :; do sleep 0.05; done\' & wait'
    process = start("sh", "-c", script)
    wait_for(lambda: (tmp_path / "log").read_text().strip().isdigit(), "its start")
    below = (tmp_path / "log").read_text().strip()
    began = time.monotonic()
    SystemProcesses().stop(process, grace=0.5)
    assert 0.5 <= time.monotonic() - began < 4
    assert not PROCESSES.alive(process)
    assert is_zombie(below)


@pytest.mark.parametrize("broken", [{"cwd": "/nowhere"}, {"log": "/nowhere/log"}])
def test_a_process_that_cannot_be_started_is_told(tmp_path: Path, broken: dict[str, str]) -> None:
    given = {"cwd": str(tmp_path), "log": str(tmp_path / "log"), **broken}
    with (
        pytest.raises(PortFault, match="true cannot be started"),
        PROCESSES.starting(["true"], env={}, **given),
    ):
        raise AssertionError("there is no process")
