"""A machine behind SSH, as a ``Host``: every call is one session on one connection, and one round trip.

This is the one place that makes a string out of an argument list.
"""

import os
import shlex
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from ci_lib.domain.text import one_line
from ci_lib.ports.child import SUDO, Finished
from ci_lib.ports.protocols import NO_ENV, PortFault, Ran, TimedOut, Tree, Unreachable
from ci_lib.ports.scripts import ScriptFiles, placed
from ci_lib.ports.ssh_connection import Connection
from ci_lib.ports.ssh_master import Gone, Master, NotOpened

SESSIONS = 8
"""Sessions at once; sshd's own default limit is 10."""

_FORWARD_TRIES = 3


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
        self._sudo = sudo
        self._connection = Connection(
            name, destination, known_hosts=known_hosts, port=port, private_key=private_key
        )
        self._files = ScriptFiles(name, self._session)
        self._free_sessions = threading.BoundedSemaphore(SESSIONS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; any number of times."""
        self._connection.close()

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
        master = self._connection.master()
        for _ in range(_FORWARD_TRIES):  # somebody may take the free port before ssh does
            here = _free_port()
            if master.forward(here, address, port):
                break
        else:
            if not master.alive():
                raise self._connection.lost()
            raise Unreachable(f"no port could be forwarded to {one_line(address)}:{port} on {self.name}")
        try:
            yield "127.0.0.1", here
        finally:
            master.cancel(here, address, port)

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
        command = _encoded(remote_command(argv, sudo=self._sudo, cwd=cwd, env=env), label)
        master = self._connection.master()
        deadline = time.monotonic() + timeout
        if not self._free_sessions.acquire(timeout=timeout):
            raise TimedOut(f"{label} did not get a session within {timeout:g} s")
        try:
            return self._run_with(master, command, stdin, deadline)
        except NotOpened as fault:
            raise self._connection.unreachable(f"no session is opened ({one_line(str(fault))})") from None
        except Gone:
            raise self._connection.lost() from None
        except TimeoutError:
            raise TimedOut(f"{label} did not end within {round(timeout, 1):g} s") from None
        finally:
            self._free_sessions.release()

    def _run_with(self, master: Master, command: bytes, stdin: bytes, deadline: float) -> Finished:
        try:
            return master.run(command, stdin, deadline)
        except NotOpened:  # it just ended, or sshd's MaxSessions are used up by commands that we gave up
            return self._connection.renew(master).run(command, stdin, deadline)


def _encoded(command: str, label: str) -> bytes:
    if "\0" in command:
        raise PortFault(f"{label} cannot be started: there is a null character in an argument")
    try:
        return os.fsencode(command)
    except UnicodeEncodeError as error:
        raise PortFault(f"{label} cannot be started: {error}") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
