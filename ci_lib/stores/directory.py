"""The ledger in a directory: on this machine, or on a host over SSH.

``<path>/stacks/<stack>/ledger.jsonl`` is the ledger; ``<path>/verified/<stack>.txt`` and
``<path>/deploy-history.log`` are views that people read. Writers agree by ``flock`` and by comparing the
ledger's size before they append, so that a lost race is tried again and nothing is overwritten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.errors import Refusal
from ci_lib.domain.reasons import Reason
from ci_lib.domain.store import Record
from ci_lib.ports.protocols import Clock, Host, NotFound, PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records import chain

_TRIES = 50
_TAIL = 131_072
_LIMIT = 30.0

# Size and tail are read under the lock, or a line that is just being written would look torn.
_READ_TAIL = """
set -eu; umask 022; mkdir -p "$(dirname "$1")"; umask 077; exec 9>>"$1.lock"; flock -w 20 9
[ -e "$1" ] || { echo 0; exit 0; }
stat -c %s "$1"; tail -c "$2" "$1"
"""

# $3 bytes at the end are a torn line; nothing is cut unless the size is still the one we saw.
_SET_ASIDE = """
set -eu; umask 077; exec 9>>"$1.lock"; flock -w 20 9
[ "$(stat -c %s "$1")" = "$2" ] || exit 0
tail -c "$3" "$1" > "$4"; truncate -s "-$3" "$1"; sync "$1" "$4"
"""

# $2 bytes on standard input; a connection that breaks looks like the end of the input. The views are for
# everybody to read, the ledger is not: what it holds is masked, but nobody else needs it.
_VIEW = """
set -eu; umask 022; mkdir -p "$(dirname "$1")"; exec 9>>"$1.lock"; flock -w 20 9
cat > "$1.new"
[ "$(stat -c %s "$1.new")" = "$2" ] || { echo 'the lines did not arrive completely' >&2; exit 1; }
if [ "$3" = add ]; then cat "$1.new" >> "$1"; rm "$1.new"; else mv "$1.new" "$1"; fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Where a ledger ends: its size in bytes, and number and ``prev`` of the line to come."""

    size: int
    seq: int
    prev: str


class DirectoryStore:
    """``Store`` on a folder of a ``Host``."""

    def __init__(self, *, host: Host, path: str, clock: Clock) -> None:
        self._host = host
        self._path = path
        self._clock = clock
        self._ends: dict[str, _End] = {}

    def read(self, stack: str) -> bytes:
        """All lines of the ledger; the rest of a torn last line comes along."""
        try:
            return self._host.read(self._ledger(stack))
        except NotFound:
            return b""
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._unreachable(fault) from fault

    def append(self, stack: str, body: Mapping[str, Any]) -> Record:
        """Append to the chain; tried again as long as somebody else is faster."""
        path = self._ledger(stack)
        try:
            for _ in range(_TRIES):
                # Our own last line is the end, unless somebody else has written since: then we look.
                end = self._ends.pop(path, None) or self._end(path)
                line = chain.encode(body, seq=end.seq, prev=end.prev)
                if self._host.append(path, line, expected_size=end.size):
                    record = chain.decode(line[:-1])
                    self._ends[path] = _End(size=end.size + len(line), seq=end.seq + 1, prev=record.line)
                    return record
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._unreachable(fault) from fault
        raise Refusal(
            f"the ledger of {stack} is being written by others all the time",
            hint="run again later",
            reason=Reason.CANNOT_DECIDE,
        )

    def add_history(self, lines: tuple[str, ...]) -> None:
        """Append to the log that all stacks share."""
        self._view("deploy-history.log", "".join(lines), "add")

    def set_verified(self, stack: str, text: str) -> None:
        """Replace the version that production may take, as people and old scripts read it."""
        self._view(f"verified/{stack}.txt", text, "replace")

    def _view(self, name: str, text: str, how: str) -> None:
        path, data = f"{self._path}/{name}", text.encode()
        script = ["sh", "-c", _VIEW, "sh", path, str(len(data)), how]
        ran = self._host.run(script, stdin=data, timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not write {path} on {self._host.name}: {ran.said}")

    def _ledger(self, stack: str) -> str:
        return f"{self._path}/stacks/{stack}/ledger.jsonl"

    def _end(self, path: str) -> _End:
        size_text, _, tail = self._tail(path, _TAIL).partition(b"\n")
        size = int(size_text)
        start = max(0, size - _TAIL)
        if start and tail.count(b"\n") < 2:  # the last line alone is longer
            tail = self._host.read(path)
            size, start = len(tail), 0
        if tail and not tail.endswith(b"\n"):
            size, tail = self._set_aside(path, size, start, tail)
        if not tail:
            return _End(size=size, seq=0, prev=chain.GENESIS)
        last = chain.decode(tail[:-1].rpartition(b"\n")[2])
        return _End(size=size, seq=last.seq + 1, prev=last.line)

    def _set_aside(self, path: str, size: int, start: int, tail: bytes) -> tuple[int, bytes]:
        # Counted from the front: what is torn may hold any bytes, and has come here as text.
        whole = tail[: tail.rfind(b"\n") + 1]
        kept = start + len(whole)
        name = f"{path.removesuffix('.jsonl')}.torn-{self._clock.now():%Y%m%dT%H%M%S}"
        script = ["sh", "-c", _SET_ASIDE, "sh", path, str(size), str(size - kept), name]
        ran = self._host.run(script, timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not set the torn end of {path} aside: {ran.said}")
        return kept, whole

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
