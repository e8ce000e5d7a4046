"""The world in memory: a clock, a network and a host that do what a test told them beforehand.

They implement the Protocols of ``ci_lib/ports/protocols.py``. What nobody scripted is an AssertionError, so
that a test notices every question that it did not expect.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ci_lib.ports.protocols import NotFound, Ran, Response, Tree

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
        timeout: float,
        follow: bool = False,
        limit: int = 4_194_304,
        connect_to: tuple[str, int] | None = None,
    ) -> Response:
        self.requests.append(
            Request(
                method=method, url=url, headers=dict(headers or {}), timeout=timeout, connect_to=connect_to
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
