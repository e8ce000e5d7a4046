"""What the rest of the package may ask of the world, as protocols and plain data.

Nothing here does anything. Real implementations stand beside this file and are built in ``cli/wiring.py``
alone; tests hand in small in-memory ones.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

NO_ENV: Mapping[str, str] = {}
T = TypeVar("T")


class PortFault(Exception):
    """Something outside did not answer as it should; the message is fit for a user."""


class Unreachable(PortFault):
    """A host, registry or URL could not be reached at all."""


class UnknownHostKey(PortFault):
    """The SSH host's key is not among the known ones."""


class TimedOut(PortFault):
    """It answered too late; whatever was started may still be running."""


class NotFound(PortFault):
    """The file asked for does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished command: exit code and what it printed, decoded leniently."""

    code: int
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command exited 0."""
        return self.code == 0

    @property
    def said(self) -> str:
        """The last non-empty line of standard error, else of standard output: the likeliest reason."""
        lines = [line for line in (self.stdout + "\n" + self.stderr).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"no output, exit code {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileData:
    """One regular file of a tree: its bytes and permission bits."""

    data: bytes
    mode: int = 0o644


Tree = Mapping[str, FileData]
"""Relative POSIX path → file. Paths never start with ``/`` and never contain ``..``."""


class Host(Protocol):
    """A machine on which argv lists run and files live: this one, or one behind SSH.

    Every method raises ``Unreachable`` when the machine does not answer, ``UnknownHostKey`` when it is not
    the one we know, and ``TimedOut`` when its time is over.
    """

    @property
    def name(self) -> str:
        """The name under ``hosts:`` in deploy.yml."""

    @property
    def local(self) -> bool:
        """Whether this is the machine that we run on."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
    ) -> Ran:
        """Run ``argv`` without a shell; ``timeout`` in seconds; ``env`` is added to the environment.

        A non-zero exit code is a result, not an error. ``env`` shows in the process list of a remote host:
        never put a secret there.
        """

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise ``NotFound`` when there is none."""

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file atomically, making missing folders (mode 0700) on the way."""

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        """Under ``flock`` on ``path + ".lock"``: append and fsync if the file has just this size.

        Returns False, having written nothing, when somebody else was faster.
        """

    def upload(self, tree: Tree, folder: str) -> None:
        """Write a tree of files below ``folder``; what is there and not in the tree stays."""

    def forward(self, address: str, port: int) -> AbstractContextManager[tuple[str, int]]:
        """Make ``address:port``, as this host sees it, reachable from here; yields address and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Net(Protocol):
    """HTTP and TCP from the machine that we run on."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_ENV,
        body: bytes = b"",
        timeout: float,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        """Do one HTTP request; a redirect is an answer, not followed.

        ``body`` is sent; ``limit`` bounds the body that comes back, in bytes.

        ``connect_to`` is where to connect instead of the URL's own host and port (a forwarded port): the
        Host header and TLS name stay the URL's. Raises ``Unreachable`` or ``TimedOut``.
        """

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        """Open a TCP connection, send ``send``, return at most ``receive`` bytes of the answer."""


class Clock(Protocol):
    """Time, so that nothing else has to know it."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds from some fixed point, never going back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Workers(Protocol):
    """Several things at the same time."""

    def run(self, jobs: Sequence[Callable[[], T]], *, at_once: int) -> Sequence[T | Exception]:
        """Do all ``jobs``, ``at_once`` of them at the same time; what each returned or raised, in order.

        A signal that cancels the run ends the wait: what has begun is left to itself, nothing else begins.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A finished command whose output was told while it ran.

    ``code`` is its exit code: 128 + n after signal n, 125 without the folder, 126 and 127 when the program
    could not be started or is not there, and 124 (never 0) when ``timed_out``. ``output`` is its standard
    output where that was captured.
    """

    code: int
    timed_out: bool = False
    output: bytes = b""


class Live(Protocol):
    """Commands on the machine that we run on, whose output is seen while they run.

    Several threads may use one at the same time.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        told: Callable[[str], None],
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
        capture: bool = False,
    ) -> Watched:
        """Run ``argv`` without a shell; ``timeout`` in seconds; ``env`` is added to the environment.

        ``told`` gets every line of standard output and standard error, without its end, in the calling
        thread. ``capture``: standard output is returned and not told. Raises ``PortFault`` when it is more
        than can be held, and ``Cancelled`` after ``stop``.
        """

    def stop(self) -> None:
        """End what runs now, within seconds, and start nothing any more; any thread may call it.

        It returns at once: every ``run`` raises ``Cancelled`` in its own thread when its command has ended.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process known beyond doubt: ids are used again, so its start time (clock ticks) goes with it."""

    pid: int
    started: str


class Processes(Protocol):
    """Long-lived processes on the machine that we run on; the process target is built on them."""

    def starting(
        self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], log: str
    ) -> AbstractContextManager[Process]:
        """Start a detached process whose output goes to the file ``log``; ``env`` is all it gets.

        Its program begins when the block ends, and never when the block raises or we are killed in it: so
        whoever writes the process down in the block leaves none behind that nobody knows. Raises
        ``PortFault``, behind the block too, when the program does not begin.
        """

    def alive(self, process: Process) -> bool:
        """Whether this very process still runs."""

    def stop(self, process: Process, *, grace: float) -> None:
        """End its process group: SIGTERM, then SIGKILL after ``grace`` seconds; gone is fine."""


class Locked(Protocol):
    """Holding an advisory lock of this machine for a block; see ``ports/flock.py``."""

    def __call__(self, path: str, *, wait: float) -> AbstractContextManager[None]:
        """Lock the file ``path``; raise ``TimedOut`` when that takes longer than ``wait`` seconds."""
