"""What only a machine behind SSH can do wrong: keys, connections, what is left behind."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_lib.ports.net import RequestsNet
from ci_lib.ports.protocols import PortFault, Ran, TimedOut, UnknownHostKey, Unreachable
from ci_lib.ports.scripts import APPEND, UPLOAD, WRITE
from ci_lib.ports.ssh import SshHost, remote_command
from tests.integration.ports_support import is_zombie, ssh_host
from tests.lab.components import Sshd, free_port, run, wait_for


@pytest.fixture(scope="module")
def private_key(sshd: Sshd) -> str:
    return Path(sshd.private_key).read_text()


@pytest.fixture
def direct(sshd: Sshd) -> Iterator[SshHost]:
    """A connection that a test may break."""
    with ssh_host(sshd) as remote:
        yield remote


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_makes_the_same_words_of_what_it_is_sent_whatever_they_are(shell: str) -> None:
    text = st.characters(exclude_characters="\0", exclude_categories=["Cs"])

    @settings(max_examples=60, deadline=None, database=None)
    @given(words=st.lists(st.text(text), max_size=6))
    def holds(words: list[str]) -> None:
        line = remote_command(["printf", r"%s\0", *words, "end"])
        done = subprocess.run([shell, "-c", line], capture_output=True, check=True, timeout=30)
        assert done.stdout.split(b"\0") == [*(word.encode() for word in words), b"end", b""]

    holds()


def test_at_most_eight_sessions_are_open_at_once(direct: SshHost, tmp_path: Path) -> None:
    script = 'touch "$1/$2"; until [ -e "$1/go" ]; do sleep 0.1; done'

    def one(number: int) -> bool:
        return direct.run(["sh", "-c", script, "sh", str(tmp_path), str(number)], timeout=60).ok

    with ThreadPoolExecutor(12) as pool:
        results = pool.map(one, range(12))
        try:
            wait_for(lambda: len(list(tmp_path.iterdir())) >= 8, "eight sessions")
            time.sleep(1)
            assert len(list(tmp_path.iterdir())) == 8
        finally:
            (tmp_path / "go").touch()
        assert all(results)


def test_an_unknown_host_key_is_refused_with_the_way_out(sshd: Sshd, tmp_path: Path) -> None:
    empty = tmp_path / "known hosts %h ~"
    empty.touch()
    way_out = f"not in .*known hosts %h.*ssh-keyscan -p {sshd.port} {sshd.host}"
    with ssh_host(sshd, known_hosts=str(empty)) as remote, pytest.raises(UnknownHostKey, match=way_out):
        remote.run(["true"], timeout=20)
    assert empty.read_bytes() == b""


def test_the_known_hosts_file_may_have_any_name(sshd: Sshd, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s "known" hosts %h ~ ${HOME}'
    odd.write_bytes(Path(sshd.known_hosts).read_bytes())
    with ssh_host(sshd, known_hosts=str(odd)) as remote:
        assert remote.run(["true"], timeout=20).ok


def test_another_host_key_is_refused(sshd: Sshd) -> None:
    wrong = str(sshd.wrong_known_hosts)
    with (
        ssh_host(sshd, known_hosts=wrong) as remote,
        pytest.raises(UnknownHostKey, match="shows another key than the one in"),
    ):
        remote.run(["true"], timeout=20)


def test_a_known_hosts_file_that_is_missing_is_told(sshd: Sshd) -> None:
    with (
        ssh_host(sshd, known_hosts="/nowhere/known_hosts") as remote,
        pytest.raises(UnknownHostKey, match=r"/nowhere/known_hosts .* cannot be read"),
    ):
        remote.run(["true"], timeout=20)


def test_a_key_the_host_does_not_know_is_told(sshd: Sshd, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    with (
        ssh_host(sshd, private_key=(tmp_path / "key").read_text()) as remote,
        pytest.raises(Unreachable, match="does not accept the key"),
    ):
        remote.run(["true"], timeout=20)


def test_a_private_key_may_have_lost_its_last_line_break(sshd: Sshd, private_key: str) -> None:
    with ssh_host(sshd, private_key=private_key.strip().replace("\n", "\r\n")) as remote:
        assert remote.run(["echo", "in"], timeout=20).stdout == "in\n"


def test_what_is_no_private_key_is_told_without_showing_it(sshd: Sshd, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", tmp_path / "key")
    for key in ("s3cret", "s3cret \udcff", (tmp_path / "key").read_text()):
        refused = pytest.raises(PortFault, match="ssh-add does not take")
        with ssh_host(sshd, private_key=key) as remote, refused as caught:
            remote.run(["true"], timeout=20)
        assert key.splitlines()[-1] not in str(caught.value)


def test_the_private_key_is_in_no_file_and_no_argument_list(direct: SshHost, private_key: str) -> None:
    assert direct.run(["true"], timeout=20).ok
    secret = private_key.splitlines()[2].encode()
    folder = folder_of(direct)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {each.name for each in folder.iterdir()} == {"agent", "known_hosts", "log", "master1"}
    assert all(secret not in each.read_bytes() for each in folder.iterdir() if each.is_file())
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert secret not in process.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


def test_close_leaves_no_process_and_no_file(sshd: Sshd) -> None:
    remote = ssh_host(sshd)
    assert remote.run(["true"], timeout=20).ok
    folder = folder_of(remote)
    assert len(processes_naming(folder)) == 2, "a master and an agent"
    remote.close()
    remote.close()
    assert not folder.exists()
    wait_for(lambda: not processes_naming(folder), "the end of master and agent")


def test_a_run_killed_for_good_leaves_no_agent(sshd: Sshd, tmp_path: Path) -> None:
    socket, script = tmp_path / "agent", tmp_path / "killed.py"
    script.write_text(
        "import os, pathlib, signal\n"
        "from ci_lib.ports.agent import Agent\n"
        f"key = pathlib.Path({str(sshd.private_key)!r}).read_text()\n"
        f"Agent(pathlib.Path({str(socket)!r}), key)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": "."}).returncode == -9
    assert processes_naming(socket)
    wait_for(lambda: not processes_naming(socket), "the end of the agent")


def folder_of(remote: SshHost) -> Path:
    """Where the sockets of a connection are."""
    folder = remote._connection._folder
    assert folder is not None
    return folder


def processes_naming(path: Path) -> list[int]:
    """The ids of living processes in whose command line a path stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(path).encode() in process.read_bytes():
                found.append(int(process.parent.name))
    return found


def kill_master(remote: SshHost, number: int = 1) -> None:
    """Kill the process that holds the connection, so that it cannot tidy up."""
    (master,) = processes_naming(folder_of(remote) / f"master{number}")
    os.kill(master, signal.SIGKILL)
    wait_for(lambda: is_zombie(str(master)), "the end of the master")


def test_a_master_that_was_killed_is_replaced_once(direct: SshHost) -> None:
    assert direct.run(["true"], timeout=20).ok
    kill_master(direct)
    assert direct.run(["echo", "again"], timeout=20).stdout == "again\n"
    (second,) = processes_naming(folder_of(direct) / "master2")
    with direct.forward("127.0.0.1", 1):
        assert direct.run(["echo", "still"], timeout=20).stdout == "still\n"
    assert processes_naming(folder_of(direct) / "master") == [second]


def test_a_master_that_dies_under_a_command_is_a_broken_connection(direct: SshHost, tmp_path: Path) -> None:
    argv = ["sh", "-c", 'touch "$1"; sleep 5', "sh", str(tmp_path / "begun")]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(direct.run, argv, timeout=20)
        wait_for((tmp_path / "begun").exists, "the beginning of the command")
        kill_master(direct)
        with pytest.raises(Unreachable, match="the connection broke"):
            running.result(10)


def test_a_command_that_a_signal_ended_is_a_result(direct: SshHost) -> None:
    assert direct.run(["sh", "-c", "echo before; kill -9 $$"], timeout=20) == Ran(code=255, stdout="before\n")


def test_a_host_that_is_not_there_is_told(sshd: Sshd) -> None:
    silent = r"web1 \(root@127.0.0.1\) .*nothing listens on its SSH port"
    with ssh_host(sshd, port=free_port()) as remote, pytest.raises(Unreachable, match=silent):
        remote.run(["true"], timeout=20)
    known = str(sshd.known_hosts)
    with (
        SshHost("web2", "no-such-host.invalid", known_hosts=known) as remote,
        pytest.raises(Unreachable, match="name cannot be resolved"),
    ):
        remote.read("/etc/hostname")


def test_a_cut_connection_is_unreachable_and_the_next_call_connects_anew(direct: SshHost, sshd: Sshd) -> None:
    def cut() -> None:
        time.sleep(0.7)
        sshd.cut()

    assert direct.run(["true"], timeout=20).ok
    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(Unreachable, match=r"web1 .* cannot be reached: the connection broke"):
        direct.run(["sleep", "5"], timeout=20)
    cutter.join()
    assert direct.run(["echo", "again"], timeout=20).stdout == "again\n"


def test_a_connection_cut_between_two_calls_is_no_trouble(direct: SshHost, sshd: Sshd) -> None:
    assert direct.run(["true"], timeout=20).ok
    sshd.cut()
    time.sleep(0.3)
    assert direct.run(["echo", "again"], timeout=20).stdout == "again\n"


def test_data_cut_on_the_way_changes_nothing(direct: SshHost, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"old\n")
    for script, extra in ((WRITE, ["600"]), (APPEND, ["4", "5"])):
        argv = ["sh", "-c", script, "sh", "1000", str(tmp_path), str(path), *extra]
        ran = direct.run(argv, stdin=b"only half of it", timeout=20)
        assert "did not arrive completely" in ran.stderr
    argv = ["sh", "-c", UPLOAD, "sh", "1000", str(tmp_path), "", ""]
    assert direct.run(argv, stdin=b"half a tar", timeout=20).code == 1
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("ledger", b"old\n")]


def test_commands_given_up_do_not_use_up_the_hosts_sessions(direct: SshHost) -> None:
    """sshd counts them until they end; a connection that it opens no more of is left for a new one."""
    for _ in range(10):
        with pytest.raises(TimedOut):
            direct.run(["sleep", "10"], timeout=0.1)
    assert direct.run(["echo", "free"], timeout=20).stdout == "free\n"
    folder = folder_of(direct)
    assert processes_naming(folder / "master2")
    wait_for(lambda: not processes_naming(folder / "master1"), "the end of the connection that was left")


def test_the_users_own_ssh_config_counts(
    sshd: Sshd, private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh takes the home folder from the user database, so the configuration comes by way of a wrapper."""
    config, forwarded = tmp_path / "config", free_port()
    config.write_text(
        f"Host shop\n  HostName {sshd.host}\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  StrictHostKeyChecking no\n  RemoteCommand echo taken over\n  RequestTTY force\n"
        f"  HostKeyAlias [{sshd.host}]:{sshd.port}\n  LogLevel DEBUG3\n  ControlPath none\n"
        f"  LocalForward {forwarded} 127.0.0.1:{sshd.port}\n"
    )
    wrapper = tmp_path / "bin/ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    with SshHost("web1", "shop", known_hosts=str(sshd.known_hosts), private_key=private_key) as remote:
        ran = remote.run(["sh", "-c", "test -t 1 && echo terminal; echo ours"], timeout=20)
        with pytest.raises(Unreachable, match="Connection refused"):
            RequestsNet().talk("127.0.0.1", forwarded, send=b"", receive=0, timeout=5)
    assert (ran.stdout, ran.stderr) == ("ours\n", "")


def test_a_forward_ends_also_when_its_use_fails(direct: SshHost) -> None:
    with contextlib.suppress(ValueError), direct.forward("127.0.0.1", 1) as place:
        raise ValueError
    with pytest.raises(Unreachable, match="Connection refused"):
        RequestsNet().talk(*place, send=b"", receive=0, timeout=5)
