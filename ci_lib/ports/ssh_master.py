"""The ssh process that holds a connection, asked to run a command on it or to forward a port.

This is the client's side of ssh's connection sharing: PROTOCOL.mux in OpenSSH's source, version 4. ``ssh -S``
speaks it too, but it takes longer to start than a session takes, says 255 for any fault, and quietly makes a
connection of its own where the shared one is gone.
"""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ci_lib.ports.child import NOT_EXECUTABLE, Finished
from ci_lib.ports.pipes import exchange, left, new_pipe

_VERSION = 4
_ANSWER_LIMIT = 5.0  # seconds; what is answered on this machine is answered at once
_COMMAND_LIMIT = 131_071  # bytes; Linux takes no longer argument, and the shell there gets it as one
_KILLED = 255  # as ssh says where a signal ended the command; which one is not told

_HELLO, _NEW_SESSION, _TERMINATE = 0x00000001, 0x10000002, 0x10000005
_OPEN_FORWARD, _CLOSE_FORWARD, _STOP_LISTENING = 0x10000006, 0x10000007, 0x10000009
_OK, _EXIT, _OPENED = 0x80000001, 0x80000004, 0x80000006
_REQUEST = 0  # the number of our request; a conversation has one
_LOCAL = 1  # the type of a forward that listens here
_NO_ESCAPE = 0xFFFFFFFF


class NotOpened(Exception):
    """No session came about, so nothing was started; the text says why."""


class Gone(Exception):
    """The master hung up; what it was asked for may have begun, and may go on."""


class Master:
    """A master process, known by its control socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def alive(self) -> bool:
        """Whether it answers."""
        with suppress(NotOpened), _conversation(self._path):
            return True
        return False

    def run(self, command: bytes, stdin: bytes, deadline: float) -> Finished:
        """Run a line of the remote user's shell until ``deadline``, a point of the monotonic clock.

        Nothing of our environment goes with it. Raises ``NotOpened``, ``Gone`` or ``TimeoutError``.
        """
        if len(command) > _COMMAND_LIMIT:
            return Finished(code=NOT_EXECUTABLE, stderr=b"the command is too long\n")
        with ExitStack() as stack:
            talk = stack.enter_context(_conversation(self._path))
            talk.deadline = deadline
            (stdin_end, feed), (out, out_end), (err, err_end) = (new_pipe(stack) for _ in range(3))
            talk.open_session(command, (stdin_end, out_end, err_end))
            stdout, stderr = exchange(feed, stdin, (out, err), deadline)
            code = talk.exit_code()
        if code is None:
            if not self.alive():
                raise Gone
            code = _KILLED
        return Finished(code=code, stdout=stdout, stderr=stderr)

    def forward(self, here: int, address: str, port: int) -> bool:
        """Listen on 127.0.0.1:``here`` for the host's ``address:port``; False when that cannot be."""
        return self._granted(_OPEN_FORWARD, _forward(here, address, port))

    def cancel(self, here: int, address: str, port: int) -> None:
        """End a forward."""
        self._granted(_CLOSE_FORWARD, _forward(here, address, port))

    def retire(self) -> None:
        """Take no more requests, and end with the last session."""
        self._granted(_STOP_LISTENING)

    def end(self) -> None:
        """End, and every session with it."""
        self._granted(_TERMINATE)

    def _granted(self, kind: int, body: bytes = b"") -> bool:
        with suppress(NotOpened, Gone, OSError), _conversation(self._path) as talk:
            talk.send(kind, _numbers(_REQUEST) + body)
            return talk.receive()[0] == _OK
        return False


class _Conversation:
    """Whole messages to and from a master; what waits past ``deadline`` (monotonic) raises TimeoutError."""

    def __init__(self, line: socket.socket, incoming: io.BufferedIOBase) -> None:
        self.deadline = time.monotonic() + _ANSWER_LIMIT
        self._line = line
        self._incoming = incoming

    def open_session(self, command: bytes, ends: tuple[io.FileIO, ...]) -> None:
        """Start a command with these ends of pipes as its standard streams; they are closed on our side."""
        flags = _numbers(0, 0, 0, 0, _NO_ESCAPE)  # no terminal, X11, agent, subsystem
        try:
            self.send(_NEW_SESSION, _numbers(_REQUEST) + _text(b"") + flags + _text(b"") + _text(command))
            for end in ends:
                socket.send_fds(self._line, [b"\0"], [end.fileno()])
                end.close()
        except ConnectionError as error:
            raise NotOpened(f"the connection ended: {error.strerror}") from None
        kind, body = self.receive()
        if kind != _OPENED:  # then the request's number is followed by the reason
            raise NotOpened(body[8:].decode(errors="replace"))

    def exit_code(self) -> int | None:
        """Wait for the command's exit code; None when the master hangs up without one."""
        with suppress(Gone):
            kind, body = self.receive()
            if kind == _EXIT:
                return int.from_bytes(body[4:8], "big")
        return None

    def send(self, kind: int, body: bytes) -> None:
        """Send a message."""
        self._line.settimeout(left(self.deadline))
        self._line.sendall(_text(_numbers(kind) + body))

    def receive(self) -> tuple[int, bytes]:
        """Wait for a message; return its kind and its body."""
        message = self._exactly(int.from_bytes(self._exactly(4), "big"))
        return int.from_bytes(message[:4], "big"), message[4:]

    def _exactly(self, size: int) -> bytes:
        self._line.settimeout(left(self.deadline))
        try:
            data = self._incoming.read(size)
        except ConnectionError:
            data = b""
        if len(data) < size:
            raise Gone
        return data


@contextmanager
def _conversation(path: Path) -> Iterator[_Conversation]:
    """Connect to a master and agree on the version; raise ``NotOpened`` where that does not work."""
    with socket.socket(socket.AF_UNIX) as line, line.makefile("rb") as incoming:
        talk = _Conversation(line, incoming)
        line.settimeout(_ANSWER_LIMIT)
        try:
            line.connect(str(path))
            talk.send(_HELLO, _numbers(_VERSION))
            kind, body = talk.receive()
        except (OSError, Gone):
            raise NotOpened("the connection ended") from None
        if (kind, body[:4]) != (_HELLO, _numbers(_VERSION)):
            raise NotOpened("this ssh shares connections in a way that is not known")
        yield talk


def _forward(here: int, address: str, port: int) -> bytes:
    places = ((b"127.0.0.1", here), (address.encode(), port))
    return _numbers(_LOCAL) + b"".join(_text(host) + _numbers(number) for host, number in places)


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "big") for value in values)


def _text(data: bytes) -> bytes:
    return _numbers(len(data)) + data
