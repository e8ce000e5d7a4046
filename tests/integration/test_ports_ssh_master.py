"""A master that is not as it should be: what it says or leaves unsaid, and what becomes of the command."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from ci_lib.ports import ssh_master
from ci_lib.ports.ssh_master import Gone, Master, NotOpened

HELLO, FAILURE, EXIT, OPENED = 0x00000001, 0x80000003, 0x80000004, 0x80000006


def message(*numbers: int, text: bytes | None = None) -> bytes:
    """A message of the protocol: numbers, then perhaps a text."""
    body = b"".join(number.to_bytes(4, "big") for number in numbers)
    if text is not None:
        body += len(text).to_bytes(4, "big") + text
    return len(body).to_bytes(4, "big") + body


HELLO_4 = message(HELLO, 4)


@contextmanager
def master(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[Master]:
    """A process's place in a thread: it takes one conversation, answers, and hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            line, _ = listener.accept()
            listener.close()
            with line:
                answer(line)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Master(path)
        finally:
            thread.join(20)


def soon() -> float:
    return monotonic() + 20


def take_session(line: socket.socket) -> None:
    """Receive the three ends of pipes, and let go of them."""
    ends: list[int] = []
    while len(ends) < 3:
        ends += socket.recv_fds(line, 4096, 3)[1]
    for end in ends:
        os.close(end)


def listen_to_the_end(line: socket.socket) -> None:
    while line.recv(4096):
        pass


def test_a_master_of_another_version_is_not_talked_to(tmp_path: Path) -> None:
    def newer(line: socket.socket) -> None:
        line.sendall(message(HELLO, 5))
        listen_to_the_end(line)

    with (
        master(tmp_path / "m", newer) as other,
        pytest.raises(NotOpened, match="in a way that is not known"),
    ):
        other.run(b"true", b"", soon())


def test_where_nobody_listens_nothing_was_started(tmp_path: Path) -> None:
    with pytest.raises(NotOpened, match="the connection ended"):
        Master(tmp_path / "none").run(b"true", b"", soon())
    assert not Master(tmp_path / "none").alive()
    assert not Master(tmp_path / "none").forward(1, "127.0.0.1", 1)


def test_a_session_that_is_refused_was_not_opened_and_the_reason_is_told(tmp_path: Path) -> None:
    def refuse(line: socket.socket) -> None:
        line.sendall(HELLO_4 + message(FAILURE, 0, text=b"Session open refused by peer"))
        listen_to_the_end(line)

    with (
        master(tmp_path / "m", refuse) as refusing,
        pytest.raises(NotOpened, match="Session open refused by peer"),
    ):
        refusing.run(b"true", b"", soon())


def test_a_master_that_hangs_up_after_the_request_may_have_started_it(tmp_path: Path) -> None:
    def hang_up(line: socket.socket) -> None:
        line.sendall(HELLO_4)
        take_session(line)

    with master(tmp_path / "m", hang_up) as broken, pytest.raises(Gone):
        broken.run(b"true", b"", soon())


def test_a_master_that_hangs_up_without_an_exit_code_is_gone(tmp_path: Path) -> None:
    def half(line: socket.socket) -> None:
        line.sendall(HELLO_4)
        take_session(line)
        line.sendall(message(OPENED, 0, 7) + message(EXIT, 7, 0)[:9])

    with master(tmp_path / "m", half) as broken, pytest.raises(Gone):
        broken.run(b"true", b"", soon())


def test_a_silent_master_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opens_nothing(line: socket.socket) -> None:
        line.sendall(HELLO_4)
        listen_to_the_end(line)

    with master(tmp_path / "m", opens_nothing) as hanging, pytest.raises(TimeoutError):
        hanging.run(b"true", b"", monotonic() + 0.2)
    monkeypatch.setattr(ssh_master, "_ANSWER_LIMIT", 0.2)
    with master(tmp_path / "n", listen_to_the_end) as mute:
        assert not mute.alive()
