"""Long-lived processes on this machine. Linux: what /proc says decides who is who."""

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ci_lib.ports import gate
from ci_lib.ports.pipes import exchange
from ci_lib.ports.protocols import PortFault, Process
from ci_lib.ports.system import environment

_PROC = Path("/proc")
_POLL = 0.05  # seconds
_BEGIN_LIMIT = 10.0  # seconds from the order to the program's beginning; it takes milliseconds
_KILL_LIMIT = 5.0  # seconds until the kernel has surely ended what got SIGKILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What /proc/<pid>/stat tells: one-letter state, process group, start time in clock ticks."""

    state: str
    group: int
    started: str

    @property
    def dead(self) -> bool:
        """Whether only the entry in the process table is left."""
        return self.state in "ZXx"


def parse_stat(text: str) -> Stat:
    """Read a line of /proc/<pid>/stat; proc(5): field 3 is the state, 5 the group, 22 the start time.

    The second field, the program's name, may hold spaces and brackets, so counting starts at the last one.
    """
    fields = text.rpartition(")")[2].split()
    return Stat(state=fields[0], group=int(fields[2]), started=fields[19])


class SystemProcesses:
    """The processes of this machine, as ``protocols.Processes``."""

    def __init__(self) -> None:
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    @contextmanager
    def starting(
        self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], log: str
    ) -> Iterator[Process]:
        """Start a detached process: own session, no input, output appended to ``log`` (mode 0600).

        It begins its work when the block ends, and never when the block raises or we are killed in it: until
        then it is a ``gate`` that waits for its order. ``env`` is all it gets. Raises ``PortFault`` when it
        cannot be started: before the block where that is known by then, else behind it.
        """
        child = _gate(argv[0], cwd=cwd, log=log)
        self._children[child.pid] = child
        assert isinstance(child.stdin, FileIO)
        assert isinstance(child.stdout, FileIO)
        with child.stdin as orders, child.stdout as report:
            stat = _stat(child.pid)
            if stat is None:  # a child of ours stays in the process table until we ask for it
                raise PortFault("this machine has no /proc: processes can be told apart on Linux alone")
            yield Process(pid=child.pid, started=stat.started)
            order = json.dumps({"argv": list(argv), "env": dict(env)}).encode()
            wrong = _begin(orders, order, report)
        if wrong:
            child.kill()  # or it might begin later
            raise PortFault(f"{argv[0]} cannot be started: {wrong}")

    def alive(self, process: Process) -> bool:
        """Whether this very process still runs; one that waits for its parent to take note is dead."""
        stat = _stat(process.pid)
        if stat is not None and stat.started == process.started and not stat.dead:
            return True
        self._reap(process.pid)
        return False

    def stop(self, process: Process, *, grace: float) -> None:
        """End its process group: SIGTERM, then SIGKILL after ``grace`` seconds; gone is fine.

        Where the id belongs to another process by now, nothing is signalled. Raises ``PortFault`` when we
        are not allowed to, or when it survives.
        """
        stat = _stat(process.pid)
        if stat is None or stat.started != process.started:
            self._reap(process.pid)
            return
        for number, limit in ((signal.SIGTERM, grace), (signal.SIGKILL, _KILL_LIMIT)):
            _signal_group(process.pid, number)
            if self._gone(process.pid, limit):
                return
        raise PortFault(f"process {process.pid} does not end")

    def _gone(self, group: int, limit: float) -> bool:
        """Wait until no living process is left in the group."""
        deadline = time.monotonic() + limit
        while any(stat.group == group and not stat.dead for stat in _stats()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        self._reap(group)
        return True

    def _reap(self, pid: int) -> None:
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            del self._children[pid]


def _gate(program: str, *, cwd: str, log: str) -> subprocess.Popen[bytes]:
    """Start the program that waits for its order, with nothing of our environment but what Python may need.

    One that was moved after it was built finds its library by that variable alone.
    """
    needed = {name: value for name, value in environment().items() if name == "LD_LIBRARY_PATH"}
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", gate.__file__],
                cwd=cwd,
                env=needed,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        raise PortFault(f"{program} cannot be started in {cwd}: {error}") from None


def _begin(orders: FileIO, order: bytes, report: FileIO) -> str:
    """Give a gate its order and wait until it has become the program; return why it has not, if so."""
    try:
        (said,) = exchange(orders, order, [report], time.monotonic() + _BEGIN_LIMIT)
    except TimeoutError:
        return f"it did not begin within {_BEGIN_LIMIT:g} s"
    if said == gate.BEGINS:
        return ""
    return said.removeprefix(gate.BEGINS).decode() or "it ended before it began"


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        try:
            os.killpg(group, number)
        except PermissionError:
            raise PortFault(f"process {group} belongs to another user and cannot be stopped") from None


def _stat(pid: int) -> Stat | None:
    try:
        return parse_stat((_PROC / str(pid) / "stat").read_text(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stats() -> Iterator[Stat]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))) is not None:
            yield stat


def this_process() -> Process:
    """The process that we are."""
    stat = _stat(os.getpid())
    return Process(pid=os.getpid(), started=stat.started if stat else "")


def process_table() -> str:
    """Where a process id means something to us, as 12 hexadecimal digits: boot, PID namespace and user.

    The user belongs to it: /proc may hide the processes of others, who would then seem to be dead. Where the
    system does not tell, it is a table that nobody has.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        parts = (boot, str(Path("/proc/self/ns/pid").readlink()), str(os.getuid()))
    except OSError:
        return secrets.token_hex(6)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def machine() -> str:
    """The name of this machine, as ``uname -n`` prints it."""
    return os.uname().nodename
