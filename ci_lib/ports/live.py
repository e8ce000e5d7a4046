"""A command whose output is handed on line by line while it runs."""

import codecs
import os
import re
import selectors
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from ci_lib.domain.errors import Cancelled
from ci_lib.domain.text import one_line
from ci_lib.ports.child import GRACE, KILL_LIMIT, end, not_started, signal_group
from ci_lib.ports.protocols import NO_ENV, PortFault, Watched
from ci_lib.ports.system import environment

TIME_OVER = 124
"""The exit code of timeout(1) for a command that did not end in time."""

LONGEST_LINE = 65_536
"""Characters of a line that are held back; a longer one is handed on in parts."""

MOST_OUTPUT = 50 * 1024 * 1024
"""Bytes of captured output that are held. More is an error: half a report might look like a good one."""

_POLL = 0.1  # seconds between two looks whether the command has ended, or is to end
_CHUNK = 65_536  # bytes: what a pipe holds
_LINE_END = re.compile(r"\r\n|\n|\r")

Told = Callable[[str], None]
Sink = Callable[[bytes], None]


class LiveRunner:
    """Commands of this machine, as ``protocols.Live``."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what runs, and start nothing any more; each command is ended by the thread that runs it."""
        self._stopped.set()

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        told: Told,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
        capture: bool = False,
    ) -> Watched:
        """Run ``argv`` without a shell and without input, for at most ``timeout`` seconds.

        At a time-out, a cancel or any error of ``told``, its whole process group ends: SIGTERM, then SIGKILL
        after ``GRACE`` seconds. When it ends and something that it has started holds its output open, that is
        killed as well, after as long. What it has put to work elsewhere, with output of its own, lives on.
        """
        label = one_line(shlex.join(argv), 80)
        self._demand_going_on()
        try:
            child = _started(argv, cwd, {**environment(), **env}, capture=capture)
        except ValueError as error:
            raise PortFault(f"{label} cannot be started: {error}") from None
        except OSError as error:
            failed = not_started(argv[0], cwd, error).ran()
            told(failed.said)
            return Watched(code=failed.code)
        try:
            return self._watched(child, told, label, timeout, capture=capture)
        except BaseException:
            end(child)
            raise

    def _watched(
        self, child: subprocess.Popen[bytes], told: Told, label: str, timeout: float, *, capture: bool
    ) -> Watched:
        lines, output = Lines(told), _Kept(label)
        timed_out = leftover = False
        with _reading(child, [output.feed, lines.feed] if capture else [lines.feed]) as waiting:
            if not self._follow(child, waiting, time.monotonic() + timeout):
                timed_out = child.poll() is None
                if timed_out:
                    signal_group(child, signal.SIGTERM)
                    self._follow(child, waiting, time.monotonic() + GRACE)  # it may have last words
                leftover = signal_group(child, signal.SIGKILL) and not timed_out
                self._follow(child, waiting, time.monotonic() + KILL_LIMIT)
        lines.close()
        if leftover:
            told(f"{label}: what it left running was ended")
        code = TIME_OVER if timed_out else child.returncode
        return Watched(code=code if code >= 0 else 128 - code, timed_out=timed_out, output=bytes(output.data))

    def _follow(
        self, child: subprocess.Popen[bytes], waiting: selectors.BaseSelector, deadline: float
    ) -> bool:
        """Hand on what is printed until the command and its output have ended.

        Returns False when they have not by ``deadline``, or the output not within ``GRACE`` seconds after the
        command.
        """
        ended = False
        while not ended or waiting.get_map():
            self._demand_going_on()
            if not ended and child.poll() is not None:
                ended, deadline = True, min(deadline, time.monotonic() + GRACE)
            pause = min(_POLL, deadline - time.monotonic())
            if pause <= 0:
                return False
            if waiting.get_map():
                _pass_on(waiting, pause)
            elif not ended:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(pause)
        return True

    def _demand_going_on(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("the run was stopped")


class Lines:
    r"""Cuts what is printed into lines; one ends with ``\n``, ``\r\n`` or, of a progress bar, ``\r``.

    A line is handed on whole, however long it takes to end: whoever masks secrets would not find one of which
    half is printed. Only what grows beyond ``LONGEST_LINE`` is handed on in parts. Bytes that are not UTF-8
    are replaced.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._after_return = False

    def feed(self, data: bytes) -> None:
        """Take what was printed next."""
        if text := self._decoder.decode(data):
            self._take(text)

    def close(self) -> None:
        """Nothing comes any more: hand on the line that was not ended."""
        rest = self._begun + self._decoder.decode(b"", final=True)
        self._begun = ""
        if rest:
            self._told(rest)

    def _take(self, text: str) -> None:
        start = 1 if self._after_return and text[0] == "\n" else 0  # of a \r\n whose \r came before
        self._after_return = text[-1] == "\r"
        for found in _LINE_END.finditer(text, start):
            line, self._begun = self._begun + text[start : found.start()], ""
            start = found.end()
            if line or found[0] != "\r":  # a progress bar often begins with its \r
                self._told(self._without_parts(line))
        self._begun = self._without_parts(self._begun + text[start:])

    def _without_parts(self, line: str) -> str:
        """Hand on what is too long to be held back; return the rest."""
        while len(line) > LONGEST_LINE:
            self._told(line[:LONGEST_LINE])
            line = line[LONGEST_LINE:]
        return line


class _Kept:
    """Output that is not told but held."""

    def __init__(self, label: str) -> None:
        self.data = bytearray()
        self._label = label

    def feed(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > MOST_OUTPUT:
            raise PortFault(f"{self._label} printed more than {MOST_OUTPUT >> 20} MiB")


def _started(
    argv: Sequence[str], cwd: str | None, env: Mapping[str, str], *, capture: bool
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # One pipe for both keeps the order in which they were written.
        stderr=subprocess.PIPE if capture else subprocess.STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,  # as in ``child``: what becomes of it at a signal, we decide
    )


@contextmanager
def _reading(child: subprocess.Popen[bytes], sinks: Sequence[Sink]) -> Iterator[selectors.BaseSelector]:
    """Give each of the child's pipes its sink; when the block raises, ``end`` reads on and closes them."""
    pipes = [pipe for pipe in (child.stdout, child.stderr) if pipe is not None]
    with selectors.PollSelector() as waiting:
        for pipe, sink in zip(pipes, sinks, strict=True):
            waiting.register(pipe, selectors.EVENT_READ, sink)
        yield waiting
    for pipe in pipes:
        pipe.close()


def _pass_on(waiting: selectors.BaseSelector, pause: float) -> None:
    """Give the sinks what is there; wait at most ``pause`` seconds for it."""
    for key, _ in waiting.select(pause):
        if chunk := os.read(key.fd, _CHUNK):
            key.data(chunk)
        else:
            waiting.unregister(key.fileobj)
