"""The world in memory: a clock, a network and a host that do what a test told them beforehand.

They implement the Protocols of ``ci_lib/ports/protocols.py``. What nobody scripted is an AssertionError, so
that a test notices every question that it did not expect.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ci_lib.domain.gate import JobResult
from ci_lib.domain.outcome import CheckResult, Mark, StepResult
from ci_lib.domain.reasons import Verb
from ci_lib.domain.state import Entry, Lease, lost_lock
from ci_lib.domain.store import Record, Still, Views
from ci_lib.ports.protocols import NotFound, Ran, Response, Tree
from ci_lib.records import chain
from ci_lib.records.statement import plain

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class FakeClock:
    """Stands still but for `sleep`; `slept` lists the pauses, in seconds."""

    start: datetime = START
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that was made."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float
    connect_to: tuple[str, int] | None


Answer = Response | BaseException
Said = bytes | BaseException


@dataclass
class FakeNet:
    """Gives the answers of `pages[URL]` and `lines[address, port]` one after the other, the last for ever.

    An exception among them is raised. `requests` and `talks` (address, port, what was sent) hold what was
    asked.
    """

    pages: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    lines: dict[tuple[str, int], Said | list[Said]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    talks: list[tuple[str, int, bytes]] = field(default_factory=list)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        self.requests.append(
            Request(
                method=method,
                url=url,
                headers=dict(headers or {}),
                body=body,
                timeout=timeout,
                connect_to=connect_to,
            )
        )
        assert url in self.pages, f"nobody expected {method} {url}"
        answer = _next(self.pages[url])
        return Response(status=answer.status, headers=answer.headers, body=answer.body[:limit])

    def talk(self, address: str, port: int, *, send: bytes, receive: int, timeout: float) -> bytes:
        self.talks.append((address, port, send))
        assert (address, port) in self.lines, f"nobody expected a connection to {address}:{port}"
        return _next(self.lines[address, port])[:receive]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command that was run."""

    argv: tuple[str, ...]
    stdin: bytes
    timeout: float
    cwd: str | None
    env: Mapping[str, str]


Reply = Ran | BaseException | Callable[[Call], Ran]


@dataclass
class FakeHost:
    """Files in a dictionary, and commands whose first words are the keys of `commands`.

    The longest key that fits decides; it gives a `Ran`, raises an exception, or calls a function; of a list
    one after the other, the last for ever. `forward` maps a port to itself plus 20000 on 127.0.0.1.
    """

    name: str = "web1"
    local: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    commands: dict[tuple[str, ...], Reply | list[Reply]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    forwards: list[tuple[str, int]] = field(default_factory=list)
    open_forwards: int = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ran:
        call = Call(argv=tuple(argv), stdin=stdin, timeout=timeout, cwd=cwd, env=dict(env or {}))
        self.calls.append(call)
        fitting = [key for key in self.commands if call.argv[: len(key)] == key]
        assert fitting, f"nobody expected {call.argv}"
        reply = _next(self.commands[max(fitting, key=len)])
        return reply if isinstance(reply, Ran) else reply(call)

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise NotFound(f"{self.name}:{path} does not exist")
        return self.files[path]

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        self.files[path] = data
        self.modes[path] = mode

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        there = self.files.get(path, b"")
        if len(there) != expected_size:
            return False
        self.files[path] = there + data
        return True

    def upload(self, tree: Tree, folder: str) -> None:
        for path, file in tree.items():
            self.write(f"{folder}/{path}", file.data, mode=file.mode)

    @contextmanager
    def forward(self, address: str, port: int) -> Iterator[tuple[str, int]]:
        self.forwards.append((address, port))
        self.open_forwards += 1
        try:
            yield "127.0.0.1", port + 20_000
        finally:
            self.open_forwards -= 1


def _next(script: Any) -> Any:
    """The next of a list, which keeps its last one; raises what is an exception."""
    item = script
    if isinstance(script, list):
        item = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(item, BaseException):
        raise item
    return item


Tick = Callable[[str], None]
"""Called with a name before and after every effect; a test may let it raise, as a kill or a signal would."""


def quiet(_: str) -> None:
    """The tick of a test that interrupts nothing."""


@dataclass
class FakeReporter:
    """Remembers what was said."""

    said: list[tuple[str, str]] = field(default_factory=list)

    def begin(self, verb: Verb) -> None:
        self.said.append(("begin", str(verb)))

    def step(self, name: str) -> None:
        self.said.append(("step", name))

    def step_done(self, result: StepResult) -> None:
        self.said.append(("done", f"{result.name} {result.mark}"))

    def check(self, result: CheckResult) -> None:
        self.said.append(("check", f"{result.name} {result.mark}"))

    def output(self, line: str) -> None:
        self.said.append(("output", line))

    def job(self, result: JobResult) -> None:
        self.said.append(("job", f"{result.name} {result.mark}"))

    def note(self, text: str) -> None:
        self.said.append(("note", text))

    def warn(self, text: str) -> None:
        self.said.append(("warn", text))

    def error(self, message: str, hint: str = "") -> None:
        self.said.append(("error", f"{message} {hint}".strip()))

    def text(self, text: str) -> None:
        self.said.append(("text", text))

    def verdict(self, mark: Mark, lines: Sequence[str]) -> None:
        self.said.append(("verdict", f"{mark} {lines[0]}"))

    def mask(self, secrets: Any) -> None:
        self.said.extend(("mask", secret) for secret in secrets)

    def outputs(self, values: Mapping[str, str]) -> None:
        self.said.extend(("output", f"{name}={value}") for name, value in values.items())

    def summary(self, markdown: str) -> None:
        self.said.append(("summary", markdown))


@dataclass
class MemoryState:
    """Lock and journal with the semantics of `stores/state.py`; `busy`: a command is still at work.

    `fault` is raised by everything that writes, as a host does that is not there any more.
    """

    clock: FakeClock
    tick: Tick = quiet
    lease: Lease | None = None
    fence: int = 0
    lines: list[str] = field(default_factory=list)
    busy: bool = False
    fault: Exception | None = None

    def peek(self) -> Lease | None:
        held = self.lease
        return held if held is not None and held.until > self._now() else None

    def acquire(self, owner: str, *, seconds: float, instead_of: str = "") -> Lease | None:
        self._writes("acquire")
        held = self.peek()
        if held is not None and held.owner != owner and held.holder != instead_of:
            return None
        self.fence += 1
        until = self._now() + int(seconds)
        lease = Lease(
            owner=owner, holder=f"holder-{self.fence}", until=until, fence=self.fence, since=self._now()
        )
        self.lease = lease
        self.tick("acquired")
        return lease

    def begin(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        self._writes("begin")
        self._hold(lease, seconds)
        self.lines = [json.dumps(entry)]
        self.tick("began")

    def note(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        what = entry["event"]
        self._writes(f"note {what}")
        self._hold(lease, seconds)
        self.lines.append(json.dumps(entry))
        self.tick(f"noted {what}")

    def journal(self) -> tuple[Entry, ...]:
        return tuple(json.loads(line) for line in self.lines)

    def settle(self, *, seconds: float) -> bool:
        return not self.busy

    def release(self, lease: Lease) -> None:
        self._writes("release")
        if self.mine(lease):
            self.lease = None
        self.tick("released")

    def expire(self) -> None:
        """Let the time of the lease be over, as it is when its holder has slept for long."""
        if self.lease is not None:
            self.lease = replace(self.lease, until=0)

    def _writes(self, what: str) -> None:
        self.tick(what)
        if self.fault is not None:
            raise self.fault

    def _hold(self, lease: Lease, seconds: float) -> None:
        if not self.mine(lease):
            raise lost_lock()
        assert self.lease is not None
        self.lease = replace(self.lease, until=self._now() + int(seconds))

    def mine(self, lease: Lease) -> bool:
        """Whether nobody else has taken the lock since."""
        return self.lease is not None and (self.lease.holder, self.fence) == (lease.holder, lease.fence)

    def _now(self) -> int:
        return int(self.clock.now().timestamp())


@dataclass
class MemoryStore:
    """A ledger in memory with the lines of the real one; `fault` is raised by reading and writing.

    `deaf` lets that many records through before `fault` begins.
    """

    tick: Tick = quiet
    ledgers: dict[str, bytes] = field(default_factory=dict)
    history: str = ""
    verified: dict[str, str] = field(default_factory=dict)
    fault: Exception | None = None
    deaf: int = 0

    def read(self, stack: str) -> bytes:
        if self.fault is not None and not self.deaf:
            raise self.fault
        return self.ledgers.get(stack, b"")

    def append(
        self, stack: str, *bodies: Mapping[str, Any], still: Still | None = None
    ) -> tuple[Record, ...]:
        what = ", ".join(f"{body['type']} {body['phase']}" for body in map(plain, bodies))
        self.tick(f"append {what}")
        if self.fault is not None and not self.deaf:
            raise self.fault
        self.deaf = max(0, self.deaf - 1)
        if still is not None:
            still(self.ledgers.get(stack, b""))
        records = tuple(self._added(stack, body) for body in bodies)
        self.tick(f"appended {what}")
        return records

    def _added(self, stack: str, body: Mapping[str, Any]) -> Record:
        known = chain.check(self.ledgers.get(stack, b""))
        line = chain.encode(body, seq=len(known.lines), prev=known.head)
        self.ledgers[stack] = self.ledgers.get(stack, b"") + line
        return chain.decode(line[:-1])

    def publish(self, stack: str, *, history: tuple[str, ...], verified: str = "") -> None:
        self.history += "".join(history)
        self.verified |= {stack: f"{verified}\n"} if verified else {}

    def views(self, stack: str) -> Views:
        return Views(history=self.history, verified=self.verified.get(stack, ""))

    def bodies(self, stack: str = "shop") -> list[dict[str, Any]]:
        """All records, oldest first."""
        return [dict(record.body) for record in chain.check(self.read(stack)).newest_first()][::-1]
