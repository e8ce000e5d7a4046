"""The connection to a machine behind SSH: login, the master process that holds it, its end.

The system's own ``ssh`` makes it, so ssh_config, jump hosts and proxies work as everywhere, and goes on in
the background as the master. What must not be left to ssh_config is in the options here.
"""

import shutil
import tempfile
import threading
from pathlib import Path

from ci_lib.domain.text import one_line
from ci_lib.ports.agent import Agent
from ci_lib.ports.child import execute
from ci_lib.ports.protocols import PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.ports.ssh_faults import explain
from ci_lib.ports.ssh_master import Master

_LOGIN_LIMIT = 30.0  # seconds; ConnectTimeout covers no authentication

# ssh uses the first value it meets, so these win over the user's ssh_config, which counts for all the rest.
STRICT = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
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
    "ClearAllForwardings=yes",
)
"""Options of every ssh that we start: nobody is asked, and only a known host is talked to."""

_OPTIONS = (
    *STRICT,
    "GlobalKnownHostsFile=/dev/null",
    "LogLevel=INFO",
    "ControlMaster=yes",
    "ControlPersist=300",  # the master ends by itself when we were killed and could not end it
)

# A master in the background must not keep our pipes open, or we would wait for its end. The shell does until
# ssh has gone there: the end of its output is seen at once, the end of a process only by looking again.
_QUIETLY = '"$@" </dev/null >/dev/null 2>>"$0"; exit "$?"'


class Connection:
    """A connection that is made when it is needed; the arguments are those of ``SshHost``.

    Threads may share it.
    """

    def __init__(
        self, name: str, destination: str, *, known_hosts: str, port: int | None, private_key: str | None
    ) -> None:
        self._name = name
        self._destination = destination
        self._known_hosts = known_hosts
        self._port = port
        self._private_key = private_key
        self._folder: Path | None = None
        self._agent: Agent | None = None
        self._master: Master | None = None
        self._logins = 0
        self._changing = threading.Lock()

    def master(self) -> Master:
        """Return the living master, connecting where there is none (any more)."""
        with self._changing:
            if self._master is None or not self._master.alive():
                return self._login()
            return self._master

    def renew(self, master: Master) -> Master:
        """Return another master than this one, which opens no more sessions and so is given up."""
        with self._changing:
            if self._master is None or self._master is master:
                master.retire()
                return self._login()
            return self._master

    def close(self) -> None:
        """End the connection and the agent; any number of times."""
        master, self._master = self._master, None
        agent, self._agent = self._agent, None
        folder, self._folder = self._folder, None
        try:
            if master is not None:
                master.end()
        finally:
            if agent is not None:
                agent.close()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def lost(self) -> PortFault:
        """The fault of a connection that broke, by what ssh said about it."""
        log = self._folder / "log" if self._folder else None
        text = log.read_text(errors="replace") if log and log.exists() else ""
        return explain(self._name, self._destination, self._port, self._known_hosts, text)

    def unreachable(self, why: str) -> Unreachable:
        """The fault of a host that does not let us in or do anything."""
        return Unreachable(f"host {self._name} ({self._destination}) cannot be reached: {why}")

    def _login(self) -> Master:
        folder = self._folder or self._prepare()
        log = folder / "log"
        log.unlink(missing_ok=True)
        self._logins += 1
        socket = folder / f"master{self._logins}"  # one that was given up may still live at its own
        self._master = Master(socket)  # known before it lives, so that `close` finds it after a cancel too
        argv = [*self._ssh(folder), "-S", str(socket), "-f", "-N", "-E", str(log), "--", self._destination]
        try:
            done = execute(["sh", "-c", _QUIETLY, str(log), *argv], timeout=_LOGIN_LIMIT)
        except TimedOut:
            raise self.unreachable(f"it does not let us in within {_LOGIN_LIMIT:g} s") from None
        if done.code != 0:
            raise self.lost()
        log.write_bytes(b"")  # warnings at the login are no reason for what happens later
        return self._master

    def _ssh(self, folder: Path) -> list[str]:
        options = [*_OPTIONS, f"UserKnownHostsFile={folder / 'known_hosts'}"]
        if self._agent is not None:
            options += [f"IdentityAgent={self._agent.socket}", "IdentitiesOnly=no"]
        port = ["-p", str(self._port)] if self._port else []
        return ["ssh", *(f"-o{option}" for option in options), *port]

    def _prepare(self) -> Path:
        try:
            keys = Path(self._known_hosts).read_bytes()
        except OSError as error:
            raise UnknownHostKey(
                f"the known_hosts file {one_line(self._known_hosts)} of host {self._name} cannot be read: "
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
