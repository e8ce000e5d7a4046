"""The ledger in a directory: on this machine, or on a host over SSH.

``<path>/stacks/<stack>/ledger.jsonl`` is the ledger; ``<path>/verified/<stack>.txt`` and
``<path>/deploy-history.log`` are views that people read. Writers agree by ``flock`` and by comparing the
ledger's size before they append, so that a lost race is tried again and nothing is overwritten.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.ports.protocols import Clock, Host, NotFound, PortFault, TimedOut, Unreachable
from ci_lib.records import chain

_TRIES = 50
_TAIL = 1_048_576
_LIMIT = 30.0

# Size and tail are read under the lock, or a line that is just being written would look torn.
_READ_TAIL = """
set -eu; umask 077; mkdir -p "$(dirname "$1")"; exec 9>>"$1.lock"; flock -w 20 9
[ -e "$1" ] || { echo 0; exit 0; }
stat -c %s "$1"; tail -c "$2" "$1"
"""

# $3 bytes at the end are a torn line; nothing is cut unless the size is still the one we saw.
_SET_ASIDE = """
set -eu; umask 077; exec 9>>"$1.lock"; flock -w 20 9
[ "$(stat -c %s "$1")" = "$2" ] || exit 0
tail -c "$3" "$1" > "$4"; truncate -s "-$3" "$1"; sync "$1" "$4"
"""


class DirectoryStore:
    """``Store`` on a folder of a ``Host``."""

    def __init__(self, *, host: Host, path: str, clock: Clock) -> None:
        self._host = host
        self._path = path
        self._clock = clock

    def read(self, stack: str) -> bytes:
        """All lines of the ledger; the rest of a torn last line comes along."""
        try:
            return self._host.read(self._ledger(stack))
        except NotFound:
            return b""
        except PortFault as fault:
            raise self._unreachable(fault) from fault

    def append(self, stack: str, body: Mapping[str, Any]) -> Record:
        """Append to the chain; tried again as long as somebody else is faster."""
        path = self._ledger(stack)
        try:
            for _ in range(_TRIES):
                size, seq, prev = self._end(path)
                line = chain.encode(body, seq=seq, prev=prev)
                if self._host.append(path, line, expected_size=size):
                    return chain.decode(line[:-1])
        except PortFault as fault:
            raise self._unreachable(fault) from fault
        raise Refusal(
            f"the ledger of {stack} is being written by others all the time",
            hint="run again later",
            reason=Reason.CANNOT_DECIDE,
        )

    def add_history(self, lines: tuple[str, ...]) -> None:
        """Append to the log that all stacks share."""
        path = f"{self._path}/deploy-history.log"
        for _ in range(_TRIES):
            size = int(self._tail(path, 0).partition(b"\n")[0])
            if self._host.append(path, "".join(lines).encode(), expected_size=size):
                return
        raise Unreachable(f"{path} is being written by others all the time")

    def set_verified(self, stack: str, text: str) -> None:
        """Replace the version that production may take, as people and old scripts read it."""
        self._host.write(f"{self._path}/verified/{stack}.txt", text.encode(), mode=0o644)

    def _ledger(self, stack: str) -> str:
        return f"{self._path}/stacks/{stack}/ledger.jsonl"

    def _end(self, path: str) -> tuple[int, int, str]:
        """Size of the ledger, sequence number and ``prev`` of the line to come."""
        size_text, _, tail = self._tail(path, _TAIL).partition(b"\n")
        size = int(size_text)
        if tail and not tail.endswith(b"\n"):
            size, tail = self._set_aside(path, size, tail)
        if not tail:
            return size, 0, chain.GENESIS
        last = tail[:-1].rpartition(b"\n")[2]
        return size, chain.decode(last).seq + 1, hashlib.sha256(last).hexdigest()

    def _set_aside(self, path: str, size: int, tail: bytes) -> tuple[int, bytes]:
        whole, _, torn = tail.rpartition(b"\n")
        name = f"{path.removesuffix('.jsonl')}.torn-{self._clock.now():%Y%m%dT%H%M%S}"
        script = ["sh", "-c", _SET_ASIDE, "sh", path, str(size), str(len(torn)), name]
        ran = self._host.run(script, timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not set the torn end of {path} aside: {ran.said}")
        return size - len(torn), whole + b"\n" if whole else b""

    def _tail(self, path: str, count: int) -> bytes:
        ran = self._host.run(["sh", "-c", _READ_TAIL, "sh", path, str(count)], timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not read {path} on {self._host.name}: {ran.said}")
        return ran.stdout.encode()

    def _unreachable(self, fault: PortFault) -> Refusal:
        slow = "answered too late" if isinstance(fault, TimedOut) else "cannot be reached"
        return Refusal(
            f"the ledger in {self._path} on {self._host.name} {slow}: {fault}",
            hint="check `records:` in deploy.yml and the host; without the ledger nothing can be decided",
            reason=Reason.CANNOT_DECIDE,
        )
