"""An ssh-agent of our own that holds one private key: the key is never in a file nor in an argument list."""

import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from ci_lib.ports.child import execute
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.system import environment
from ci_lib.ports.wording import last_line

KEY_LIFE = 3600
"""Seconds after which the agent forgets the key."""

_START_LIMIT = 10.0  # seconds

# The agent ends when the command it was given ends, and that one ends when its input does: with us, however
# we end. So nothing that holds a key is left behind, not even after SIGKILL.
_WAIT = 'echo "$SSH_AGENT_PID"; exec cat'


class Agent:
    """Starts an agent that listens on ``socket`` and gives it the key; ``close`` ends it.

    Raises ``PortFault`` when there is no ssh-agent or the key cannot be read (wrong format, passphrase).
    """

    def __init__(self, socket: Path, private_key: str) -> None:
        self.socket = str(socket)
        try:
            self._guard = subprocess.Popen(
                ["ssh-agent", "-a", self.socket, "sh", "-c", _WAIT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise PortFault(f"ssh-agent cannot be started: {error.strerror}") from None
        self._pid = 0
        try:
            self._pid = self._read_pid()
            self._add(private_key)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the agent; it forgets the key and removes its socket."""
        with self._guard:  # closes its input, so it ends, and waits for that
            if self._pid:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGTERM)
                self._pid = 0

    def _read_pid(self) -> int:
        assert self._guard.stdout is not None
        ready, _, _ = select.select([self._guard.stdout], [], [], _START_LIMIT)
        line = self._guard.stdout.readline() if ready else b""
        if not line.strip().isdigit():
            raise PortFault("ssh-agent cannot be started: it does not answer")
        return int(line)

    def _add(self, private_key: str) -> None:
        # A CI variable often loses the last line break, or gains carriage returns; ssh-add minds both.
        text = private_key.replace("\r\n", "\n").strip() + "\n"
        done = execute(
            ["ssh-add", "-q", "-t", str(KEY_LIFE), "-"],
            stdin=text.encode(errors="surrogateescape"),
            timeout=_START_LIMIT,
            env={**environment(), "SSH_AUTH_SOCK": self.socket, "SSH_ASKPASS_REQUIRE": "never"},
        )
        if done.code != 0:
            raise PortFault(
                f"ssh-add does not take the private key: {last_line(done.ran().said)}. It must be the whole "
                "text of an OpenSSH or PEM private key without a passphrase"
            )
