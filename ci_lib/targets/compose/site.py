"""Where a stack lives on a host, and how commands are run there."""

import shlex
from dataclasses import dataclass

from ci_lib.config.models import Compose
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import Fence, in_time, unfenced
from ci_lib.ports.protocols import Clock, Host, Ran

LOOK = 60.0
"""Seconds that a command which only looks may take."""

_GRACE = 15.0
_BUSY_WAIT = 30
_BUSY = 75
_TIMEOUT_CODES = (124, 137)

# $1 file, $2 size: a connection that breaks looks like the end of the input. $3 mode.
_PUT = """
set -eu; umask 077
temp=$(mktemp -- "$(dirname -- "$1")/.deploy-actions.XXXXXXXX"); trap 'rm -f -- "$temp"' EXIT
cat > "$temp"
[ "$(stat -c %s -- "$temp")" = "$2" ] || { echo 'the data did not arrive completely' >&2; exit 1; }
chmod "$3" "$temp"; sync "$temp"; mv -f -T -- "$temp" "$1"; trap - EXIT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One stack in one environment on one host.

    ``environment`` are arguments of ``env`` for every ``docker compose``: on the machine that we run on, the
    job's variables must not beat those of the stack's ``.env``. ``fence`` keeps a command from beginning once
    another run has the lock.
    """

    settings: Resolved
    host: Host
    clock: Clock
    environment: tuple[str, ...] = ()
    fence: Fence = unfenced

    @property
    def compose(self) -> Compose:
        """The target's settings."""
        return self.settings.settings.compose

    @property
    def run_dir(self) -> str:
        """The folder that ``docker compose`` runs in."""
        return self.compose.run_dir

    @property
    def state(self) -> str:
        """Our own folder in it."""
        return f"{self.run_dir}/.deploy-actions"

    @property
    def project(self) -> str:
        """The Compose project."""
        return self.compose.project

    def look(self, *argv: str, stdin: bytes = b"", limit: float = LOOK) -> Ran:
        """Run a command that changes nothing."""
        return self.host.run(argv, stdin=stdin, timeout=limit)

    def change(
        self,
        *argv: str,
        stdin: bytes = b"",
        limit: float,
        label: str = "",
        reason: Reason = Reason.STOPPED,
    ) -> Ran:
        """Run a command that changes something; ``label`` is how a message calls it.

        Raises ``StepFault`` with ``reason`` when it has not ended within ``limit`` seconds, and ``Refusal``
        (LOST_LOCK) when another run has the lock by now; then it did not begin.

        Under ``flock``: a client that is killed leaves the command running on the host, and the next run
        takes this lock before it goes on. Under ``timeout``: it ends even if nobody waits for it any more.
        """
        guard = ("flock", "-w", str(_BUSY_WAIT), "-E", str(_BUSY), f"{self.state}/busy")
        timed = ("timeout", "-k", "5", str(max(1, int(limit))))
        fenced = (*guard, *self.fence(), *timed, *argv)
        ran = in_time(self.host.run(fenced, stdin=stdin, timeout=limit + _BUSY_WAIT + _GRACE))
        if ran.code == _BUSY:
            raise StepFault(
                f"another command of deploy-actions is at work in {self.run_dir}",
                hint="wait for it, then run again",
                reason=Reason.STATE,
            )
        if ran.code in _TIMEOUT_CODES:
            text = f"{label or shlex.join(argv[:2])} took longer than {limit:.0f} s"
            raise StepFault(text, reason=reason)
        return ran

    def put(self, path: str, content: bytes, *, mode: int) -> Ran:
        """Replace a file in a folder that is there, as a change like any other: fenced, under ``flock``."""
        arguments = (path, str(len(content)), f"{mode:o}")
        return self.change("sh", "-c", _PUT, "sh", *arguments, stdin=content, limit=LOOK)


def demand(ran: Ran, what: str, *, hint: str = "", reason: Reason = Reason.STOPPED) -> Ran:
    """Return ``ran`` if it succeeded; raise ``StepFault`` saying what failed and what it printed."""
    if not ran.ok:
        raise StepFault(f"{what}: {ran.said}", hint=hint, reason=reason)
    return ran
