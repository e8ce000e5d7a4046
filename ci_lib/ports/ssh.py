"""A machine behind SSH, as a ``Host``, over the system's own ``ssh``.

One connection is made, by a master process that ssh puts into the background; every call is one session on
it and one round trip. This is the one place that makes a string out of an argument list.
"""

import shlex
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ci_lib.domain.text import one_line
from ci_lib.ports.agent import Agent
from ci_lib.ports.child import Finished, execute
from ci_lib.ports.local import SUDO
from ci_lib.ports.protocols import NO_ENV, PortFault, Ran, TimedOut, Tree, UnknownHostKey, Unreachable
from ci_lib.ports.scripts import ScriptFiles, placed
from ci_lib.ports.ssh_faults import explain

SESSIONS = 8
"""Sessions at once; sshd's own default limit is 10."""

_LOGIN_LIMIT = 30.0  # seconds; ConnectTimeout covers no authentication
_CONTROL_LIMIT = 5.0  # seconds; the control commands stay on this machine
_FORWARD_TRIES = 3

# ssh uses the first value it meets, so these win over the user's ssh_config, which counts for all the rest.
_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "VerifyHostKeyDNS=no",
    "NoHostAuthenticationForLocalhost=no",
    "UpdateHostKeys=no",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
)

# With ControlPersist the master ends by itself when we were killed and could not end it.
_MASTER = ("ControlMaster=yes", "ControlPersist=300", "ClearAllForwardings=yes", "LogLevel=INFO")
_SESSION = ("ControlMaster=no", "ClearAllForwardings=yes", "LogLevel=QUIET")

# A master in the background must not keep our pipes open, or we would wait for its end.
_QUIETLY = 'exec "$@" </dev/null >/dev/null 2>>"$0"'


def remote_command(
    argv: Sequence[str], *, sudo: bool = False, cwd: str | None = None, env: Mapping[str, str] = NO_ENV
) -> str:
    """Return the string that the remote user's shell turns into just this ``argv`` again.

    ``exec``, because a shell alone would take ``cd``, ``if`` or ``a=b`` for itself.
    """
    command = placed(argv, cwd, env)
    return "exec " + shlex.join([*SUDO, *command] if sudo else command)


class SshHost:
    """A machine behind SSH; connects with the first call. Use it as a context manager, or ``close`` it.

    ``destination`` is ``user@host`` or a name of ssh_config, ``known_hosts`` the file with its keys,
    ``private_key`` the text of a key (None: the user's agent and ssh_config decide). ``sudo``: every
    command and every file is touched as root. Threads may share it.
    """

    def __init__(
        self,
        name: str,
        destination: str,
        *,
        known_hosts: str,
        port: int | None = None,
        private_key: str | None = None,
        sudo: bool = False,
    ) -> None:
        self.name = name
        self.local = False
        self._destination = destination
        self._known_hosts = known_hosts
        self._port = port
        self._private_key = private_key
        self._sudo = sudo
        self._files = ScriptFiles(name, self._session)
        self._folder: Path | None = None
        self._agent: Agent | None = None
        self._connecting = threading.Lock()
        self._free_sessions = threading.BoundedSemaphore(SESSIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and the agent; any number of times."""
        folder, agent, self._folder, self._agent = self._folder, self._agent, None, None
        if folder is None:
            return
        try:
            with suppress(PortFault):
                self._control(folder, "exit")
        finally:
            if agent is not None:
                agent.close()
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
    ) -> Ran:
        """Run ``argv`` on the host. After ``TimedOut`` or ``Unreachable`` it may still be running there."""
        label = f"{one_line(shlex.join(argv), 80)} on {self.name}"
        return self._session(argv, stdin, timeout, label, cwd, env).ran()

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise ``NotFound`` when there is none."""
        return self._files.read(path)

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file atomically, making missing folders (mode 0700) on the way."""
        self._files.write(path, data, mode=mode)

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        """Append and fsync under the lock if the file has just this size; else return False."""
        return self._files.append(path, data, expected_size=expected_size)

    def upload(self, tree: Tree, folder: str) -> None:
        """Write a tree of files below ``folder``; nothing is deleted."""
        self._files.upload(tree, folder)

    @contextmanager
    def forward(self, address: str, port: int) -> Iterator[tuple[str, int]]:
        """Make ``address:port``, as the host sees it, reachable from here; yields address and port."""
        folder = self._connect()
        inside = f"[{address}]" if ":" in address else address
        for _ in range(_FORWARD_TRIES):  # somebody may take the free port before ssh does
            here = _free_port()
            spec = ("-L", f"127.0.0.1:{here}:{inside}:{port}")
            if self._control(folder, "forward", *spec).code == 0:
                break
        else:
            raise self._lost(folder) if not self._connected(folder) else Unreachable(
                f"no port could be forwarded to {one_line(address)}:{port} on {self.name}"
            )
        try:
            yield "127.0.0.1", here
        finally:
            with suppress(PortFault):
                self._control(folder, "cancel", *spec)

    def _session(
        self,
        argv: Sequence[str],
        stdin: bytes,
        timeout: float,
        label: str,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
    ) -> Finished:
        """Run one command in a session of the one connection, at most ``SESSIONS`` at once."""
        folder = self._connect()
        deadline = time.monotonic() + timeout
        if not self._free_sessions.acquire(timeout=timeout):
            raise TimedOut(f"{label} did not get a session within {timeout:g} s")
        try:
            command = remote_command(argv, sudo=self._sudo, cwd=cwd, env=env)
            done = execute(
                [*self._ssh(folder, _SESSION), "--", self._destination, command],
                stdin=stdin,
                timeout=max(0.1, deadline - time.monotonic()),
                label=label,
                grace=0,  # a client has nothing to tidy up, and waits for the master whatever the signal
            )
        finally:
            self._free_sessions.release()
        # ssh itself says 255 too. It was the remote command's if the connection still stands.
        if done.code == 255 and not self._connected(folder):
            raise self._lost(folder)
        return done

    def _connect(self) -> Path:
        """Return the folder of the connection, making both when there is none (any more)."""
        with self._connecting:
            folder = self._folder or self._prepare()
            if not (folder / "master").exists():
                self._login(folder)
            return folder

    def _prepare(self) -> Path:
        try:
            keys = Path(self._known_hosts).read_bytes()
        except OSError as error:
            raise UnknownHostKey(
                f"the known_hosts file {one_line(self._known_hosts)} of host {self.name} cannot be read: "
                f"{error.strerror}"
            ) from None
        # /tmp and not TMPDIR: the path of a socket must stay below some 100 characters.
        folder = Path(tempfile.mkdtemp(prefix="deploy-ssh-", dir="/tmp"))
        try:
            # A copy: ssh would read spaces, % and ~ in the user's path as something else.
            (folder / "known_hosts").write_bytes(keys)
            if self._private_key is not None:
                self._agent = Agent(folder / "agent", self._private_key)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._folder = folder
        return folder

    def _login(self, folder: Path) -> None:
        log = folder / "log"
        log.unlink(missing_ok=True)
        argv = [*self._ssh(folder, _MASTER), "-f", "-N", "-E", str(log), "--", self._destination]
        try:
            done = execute(["sh", "-c", _QUIETLY, str(log), *argv], timeout=_LOGIN_LIMIT)
        except TimedOut:
            raise Unreachable(
                f"host {self.name} ({self._destination}) cannot be reached: "
                f"it does not let us in within {_LOGIN_LIMIT:g} s"
            ) from None
        if done.code != 0:
            raise self._lost(folder)
        log.write_bytes(b"")  # warnings at the login are no reason for what happens later

    def _connected(self, folder: Path) -> bool:
        """Whether the master lives: asked on this machine alone, and only when there is doubt."""
        if self._control(folder, "check").code == 0:
            return True
        (folder / "master").unlink(missing_ok=True)  # left behind by one that was killed
        return False

    def _control(self, folder: Path, command: str, *spec: str) -> Finished:
        # Without ssh_config: this talks to the master's socket and to nobody else.
        argv = ["ssh", "-F", "none", "-S", str(folder / "master"), "-O", command, *spec]
        return execute([*argv, "--", self._destination], timeout=_CONTROL_LIMIT)

    def _lost(self, folder: Path) -> PortFault:
        log = folder / "log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return explain(self.name, self._destination, self._port, self._known_hosts, text)

    def _ssh(self, folder: Path, more: Sequence[str]) -> list[str]:
        options = [*_OPTIONS, f"UserKnownHostsFile={folder / 'known_hosts'}", *more]
        if self._agent is not None:
            options += [f"IdentityAgent={self._agent.socket}", "IdentitiesOnly=no"]
        port = ["-p", str(self._port)] if self._port else []
        return ["ssh", "-S", str(folder / "master"), *(f"-o{option}" for option in options), *port]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
