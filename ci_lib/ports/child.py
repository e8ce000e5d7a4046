"""Runs one child process to its end, and ends its whole group at a time-out, a cancel or an error."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault, Ran, TimedOut

SUDO = ("sudo", "-n", "--")
"""Never asks for a password; without the right to, it fails."""

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL. A cancelled run has 5 s in all, so there is no more to give."""

KILL_LIMIT = 1.0
"""Seconds after SIGKILL; what the kernel does not let go by then, a dead disk holds."""

NO_FOLDER, NOT_EXECUTABLE, NO_PROGRAM = 125, 126, 127
"""The exit codes of env(1) and sh(1) for a command that could not be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished child: exit code (128 + n after signal n) and its raw output."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""

    def ran(self) -> Ran:
        """The same with text; bytes that are not UTF-8 are replaced."""
        return Ran(
            code=self.code,
            stdout=self.stdout.decode(errors="replace"),
            stderr=self.stderr.decode(errors="replace"),
        )


def execute(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    label: str = "",
) -> Finished:
    """Run ``argv`` without a shell and wait at most ``timeout`` seconds.

    ``env`` is the whole environment (None: ours). ``label`` names the command in messages. A program that is
    missing or cannot be started gives the exit code a shell would give. Raises ``TimedOut``.
    """
    label = label or one_line(shlex.join(argv), 80)
    try:
        child = _started(argv, cwd, env)
    except ValueError as error:
        raise PortFault(f"{label} cannot be started: {error}") from None
    except OSError as error:
        return not_started(argv[0], cwd, error)
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        end(child)
        raise TimedOut(f"{label} did not end within {round(timeout, 1):g} s") from None
    except BaseException:
        end(child)
        raise
    code = child.returncode
    return Finished(code=code if code >= 0 else 128 - code, stdout=stdout, stderr=stderr)


def _started(argv: Sequence[str], cwd: str | None, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        # A session of its own: the SIGINT that a terminal or a CI runner sends to our group must not
        # reach docker half-way. We decide what becomes of it.
        start_new_session=True,
    )


def not_started(program: str, cwd: str | None, error: OSError) -> Finished:
    """The exit code and the words that a shell would have for a program that could not be started."""
    why = error.strerror or str(error)
    if cwd is not None and error.filename == cwd:
        return Finished(code=NO_FOLDER, stderr=f"{cwd}: {why}\n".encode(errors="replace"))
    if isinstance(error, FileNotFoundError):
        return Finished(code=NO_PROGRAM, stderr=f"{program}: command not found\n".encode(errors="replace"))
    return Finished(code=NOT_EXECUTABLE, stderr=f"{program}: {why}\n".encode(errors="replace"))


def end(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the child's group, SIGKILL to what is left of it after ``GRACE`` seconds.

    Its pipes are read on meanwhile, and closed.
    """
    try:
        signal_group(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=GRACE)
    finally:
        signal_group(child, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            child.wait(KILL_LIMIT)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Send a signal to the child and to all that it started in its group; False when all of that is gone."""
    # The group bears the child's id and outlives it: what the child started is in it as well.
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # sudo has become the command itself, which is not ours to signal
        _signal_as_root(child.pid, number)
    return True


def _signal_as_root(group: int, number: signal.Signals) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        null = subprocess.DEVNULL
        argv = [*SUDO, "kill", "-s", str(number.value), "--", f"-{group}"]
        subprocess.Popen(argv, stdin=null, stdout=null, stderr=null).wait(KILL_LIMIT)
