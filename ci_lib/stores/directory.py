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
from ci_lib.domain.store import Record, Still, Views
from ci_lib.ports.protocols import Clock, Host, NotFound, PortFault, TimedOut, UnknownHostKey, Unreachable
from ci_lib.records import chain
from ci_lib.stores.chained import chained

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

# $1 folder, $2 stack, $3 its verified version or nothing, $4 bytes of history on standard input; a connection
# that breaks looks like the end of the input. The views are for everybody to read, the ledger is not: what it
# holds is masked, but nobody else needs it.
_PUBLISH = """
set -eu; umask 022; mkdir -p "$1/verified"; cd "$1"; log=deploy-history.log
exec 9>>"$log.lock"; flock -w 20 9
cat > "$log.new"
[ "$(stat -c %s "$log.new")" = "$4" ] || { echo 'the lines did not arrive completely' >&2; exit 1; }
cat "$log.new" >> "$log"; rm "$log.new"
[ -n "$3" ] || exit 0
printf '%s\\n' "$3" > "verified/$2.txt.new"; mv "verified/$2.txt.new" "verified/$2.txt"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tail:
    """How a ledger ends: its size in bytes, and what stands from the byte ``start`` on."""

    size: int
    start: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Where a ledger goes on: its size in bytes, and number and ``prev`` of the line to come."""

    size: int
    seq: int
    prev: str


class DirectoryStore:
    """``Store`` on a folder of a ``Host``."""

    def __init__(self, *, host: Host, path: str, clock: Clock) -> None:
        self._host = host
        self._path = path
        self._clock = clock
        self._tails: dict[str, _Tail] = {}

    def read(self, stack: str) -> bytes:
        """All lines of the ledger; the rest of a torn last line comes along."""
        path = self._ledger(stack)
        try:
            data = self._host.read(path)
        except NotFound:
            return b""  # and not remembered: looking at its end makes the folders, readable for everybody
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._unreachable(fault) from fault
        self._remember(path, len(data), data)
        return data

    def append(
        self, stack: str, *bodies: Mapping[str, Any], still: Still | None = None
    ) -> tuple[Record, ...]:
        """Append to the chain; tried again as long as somebody else is faster."""
        path = self._ledger(stack)
        try:
            for _ in range(_TRIES):
                if still is not None and path not in self._tails:
                    still(self.read(stack))
                end = self._end(path)
                records = chained(bodies, seq=end.seq, prev=end.prev)
                data = "".join(f"{record.raw}\n" for record in records).encode()
                if self._host.append(path, data, expected_size=end.size):
                    self._remember(path, end.size + len(data), b"\n" + data if end.size else data)
                    return records
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._unreachable(fault) from fault
        raise Refusal(
            f"the ledger of {stack} is being written by others all the time",
            hint="run again later",
            reason=Reason.CANNOT_DECIDE,
        )

    def publish(self, stack: str, *, history: tuple[str, ...], verified: str = "") -> None:
        """The log that all stacks share, and the version that production may take."""
        data = "".join(history).encode()
        script = ["sh", "-c", _PUBLISH, "sh", self._path, stack, verified, str(len(data))]
        ran = self._host.run(script, stdin=data, timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not write the views in {self._path} on {self._host.name}: {ran.said}")

    def views(self, stack: str) -> Views:
        """The text views."""
        try:
            return Views(
                history=self._text("deploy-history.log"), verified=self._text(f"verified/{stack}.txt")
            )
        except UnknownHostKey:
            raise
        except PortFault as fault:
            raise self._unreachable(fault) from fault

    def _text(self, name: str) -> str:
        try:
            return self._host.read(f"{self._path}/{name}").decode(errors="replace")
        except NotFound:
            return ""

    def _remember(self, path: str, size: int, data: bytes) -> None:
        """Keep how the ledger ends, which saves a look; what may be torn is looked at again."""
        tail = data[-_TAIL:]
        if not tail or tail.endswith(b"\n"):
            self._tails[path] = _Tail(size=size, start=size - len(tail), data=tail)

    def _ledger(self, stack: str) -> str:
        return f"{self._path}/stacks/{stack}/ledger.jsonl"

    def _end(self, path: str) -> _End:
        """Where to go on: behind what we read or wrote last, unless somebody has written since."""
        known = self._tails.pop(path, None) or self._look(path)
        size, start, tail = known.size, known.start, known.data
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

    def _look(self, path: str) -> _Tail:
        ran = self._host.run(["sh", "-c", _READ_TAIL, "sh", path, str(_TAIL)], timeout=_LIMIT)
        if not ran.ok:
            raise Unreachable(f"could not read {path} on {self._host.name}: {ran.said}")
        size_text, _, data = ran.stdout.partition("\n")
        size = int(size_text)
        return _Tail(size=size, start=max(0, size - _TAIL), data=data.encode())

    def _unreachable(self, fault: PortFault) -> Refusal:
        slow = "answered too late" if isinstance(fault, TimedOut) else "cannot be reached"
        return Refusal(
            f"the ledger in {self._path} on {self._host.name} {slow}: {fault}",
            hint="check `records:` in deploy.yml and the host; without the ledger nothing can be decided",
            reason=Reason.CANNOT_DECIDE,
        )
