"""Lock and journal in a folder on the target's host.

``lease`` has five lines: owner, holder, until, fence, since. ``journal.jsonl`` holds the newest run's steps.
Every line of the journal is written by the same script that checks the fencing number and moves ``until``,
under one ``flock``, so that a run which lost the lock cannot write, nor act, any more.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.domain.state import FENCED_OUT, FENCED_OUT_SAYS, Entry, Lease, lost_lock
from ci_lib.ports.protocols import Host, NotFound, Ran, Unreachable

_LIMIT = 60.0

_OPEN = """
set -eu; umask 077
[ -d "$1" ] || { umask 022; mkdir -p "$(dirname "$1")"; umask 077; mkdir -p "$1"; }
cd "$1"; exec 9>>lease.lock; flock -w 20 9
now=$(date +%s); owner=; holder=; until=0; fence=0; since=0
if [ -s lease ]; then
  { IFS= read -r owner; IFS= read -r holder; read -r until; read -r fence; read -r since || since=0; } < lease
fi
put() {
  printf '%s\\n' "$owner" "$holder" "$until" "$fence" "$since" > lease.new; sync lease.new; mv lease.new lease
}
"""

# The epoch tells the fencing numbers of this folder from those of one that was lost and made anew.
_ACQUIRE = _OPEN + """
[ -s epoch ] || { od -An -N8 -tx8 /dev/urandom | tr -d ' ' > epoch.new; sync epoch.new; mv epoch.new epoch; }
if [ "$until" -gt "$now" ] && [ "$owner" != "$2" ] && [ "$holder" != "$5" ]; then exit 3; fi
owner=$2; holder=$3; until=$((now + $4)); fence=$((fence + 1)); since=$now; put; echo "$until $fence $since"
cat epoch
[ ! -e journal.jsonl ] || cat journal.jsonl
"""

# A connection that breaks looks like the end of the input, so the line's size ($6) is checked first. What is
# left of a line that was torn nevertheless is dropped, or the next one would be glued to it.
_NOTE = _OPEN + """
if [ "$holder" != "$2" ] || [ "$fence" != "$3" ]; then exit 3; fi
cat > line.new
[ "$(stat -c %s line.new)" = "$6" ] || { echo 'the line did not arrive completely' >&2; exit 1; }
until=$((now + $4))
if [ "$5" = begin ]; then sync line.new; mv line.new journal.jsonl
else
  [ ! -s journal.jsonl ] || [ -z "$(tail -c 1 journal.jsonl)" ] || sed -i '$d' journal.jsonl
  cat line.new >> journal.jsonl; sync journal.jsonl
fi
put
"""

_RELEASE = _OPEN + """
if [ "$holder" != "$2" ] || [ "$fence" != "$3" ]; then exit 0; fi
owner=; holder=; until=0; put
"""

# Looking must leave no trace, so no folder is made and no lock file is opened for writing.
_PEEK = """
[ -s "$1/lease" ] || exit 0
cd "$1"
{ IFS= read -r owner; IFS= read -r holder; read -r until; read -r fence; read -r since || since=0; } < lease
[ "$until" -gt "$(date +%s)" ] || exit 0
printf '%s\\n' "$owner" "$holder" "$until" "$fence" "$since"
"""

# $1 folder, $2 holder, $3 fence; what follows is the command. The lease is exchanged by a rename: it is read
# whole without its lock.
_FENCED = f"""
{{ IFS= read -r owner; IFS= read -r holder; read -r until; read -r fence; }} < "$1/lease" || holder=
if [ "$holder" != "$2" ] || [ "$fence" != "$3" ]; then echo '{FENCED_OUT_SAYS}' >&2; exit {FENCED_OUT}; fi
shift 3; exec "$@"
"""

# On another host than that of the lease: $1 folder, $2 holder, $3 fence, $4 the lease's epoch, $5 whether to
# take a new epoch. The highest number that was seen there counts. It runs behind `flock busy`, so nobody else
# is in here.
_ELSEWHERE = f"""
epoch=; fence=0; holder=
[ ! -s "$1/fence" ] || {{ IFS= read -r epoch; read -r fence; IFS= read -r holder; }} < "$1/fence"
out() {{ echo '{FENCED_OUT_SAYS}' >&2; exit {FENCED_OUT}; }}
take() {{ printf '%s\\n' "$3" "$2" "$1" > fence.new && sync fence.new && mv fence.new fence; }}
if [ -n "$epoch" ] && [ "$epoch" != "$4" ] && [ "$5" != new ]; then out
elif [ "$epoch" = "$4" ] && [ "$3" -lt "$fence" ]; then out
elif [ "$epoch" = "$4" ] && [ "$3" = "$fence" ]; then [ "$holder" = "$2" ] || out
else ( umask 077; cd "$1" && take "$2" "$3" "$4" ) || exit 1
fi
shift 5; exec "$@"
"""

_FOLDER = '[ -d "$1" ] || { ( umask 022; mkdir -p "$(dirname "$1")" ); ( umask 077; mkdir -p "$1" ); }'
_BUSY = 4
_OBEY = f'set -eu; {_FOLDER}; busy=$1/busy; shift; exec flock -w 20 -E {_BUSY} "$busy" "$@" true'
_SETTLE = f'set -eu; {_FOLDER}; exec flock -w "$2" -E {_BUSY} "$1/busy" true'


class HostState:
    """``State`` in ``folder`` of a ``Host``."""

    def __init__(self, *, host: Host, folder: str) -> None:
        self._host = host
        self._folder = folder
        self._lease: Lease | None = None
        self._epoch = ""
        self._read: tuple[Entry, ...] | None = None
        """The journal as it was when the lock was taken, until we write to it."""

    def peek(self) -> Lease | None:
        """Who holds the lock now."""
        lines = self._script(_PEEK).stdout.splitlines()
        if len(lines) != 5:
            return None
        until, fence, since = map(int, lines[2:])
        return Lease(owner=lines[0], holder=lines[1], until=until, fence=fence, since=since)

    def acquire(self, owner: str, *, seconds: float, instead_of: str = "") -> Lease | None:
        """Take the lock; see ``State``."""
        holder = secrets.token_hex(8)
        ran = self._script(_ACQUIRE, owner, holder, str(int(seconds)), instead_of or "-", allowed=3)
        if ran.code == 3:
            return None
        line, _, rest = ran.stdout.partition("\n")
        self._epoch, _, journal = rest.partition("\n")
        until, fence, since = map(int, line.split())
        self._read = _entries(journal)
        self._lease = Lease(owner=owner, holder=holder, until=until, fence=fence, since=since)
        return self._lease

    def fence(self) -> tuple[str, ...]:
        """The words before a command that may begin only under the lock that was taken last; see ``Fence``.

        They stay when it was given back: whatever is to change something then, comes too late.
        """
        if self._lease is None:
            return ()
        return ("sh", "-c", _FENCED, "sh", self._folder, self._lease.holder, str(self._lease.fence))

    def fence_elsewhere(self, *, taken: bool = False) -> tuple[str, ...]:
        """The same on another host of the environment, which has no lease to compare with.

        It remembers the highest fencing number that it saw, and whose it was. ``taken``: the lock was taken
        just now, so that what it remembers of another lease, of one that was lost say, counts no more.
        """
        if self._lease is None:
            return ()
        ours = (self._lease.holder, str(self._lease.fence), self._epoch, "new" if taken else "known")
        return ("sh", "-c", _ELSEWHERE, "sh", self._folder, *ours)

    def obey(self, fence: tuple[str, ...]) -> None:
        """Have this host see the fencing number of a lock on another one, once nothing is at work here.

        Raises ``StepFault`` (STATE) when it has seen a higher one of the same lease: that one was put back.
        """
        ran = self._host.run(["sh", "-c", _OBEY, "sh", self._folder, *fence], timeout=_LIMIT)
        if ran.code == FENCED_OUT:
            raise StepFault(
                f"{self._host.name} has seen a newer lock than the one that was taken",
                hint=f"was the first host restored? If no run is at work, remove {self._folder}/fence there",
                reason=Reason.STATE,
            )

    def begin(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Start a new journal."""
        self._write(lease, entry, seconds, "begin")

    def note(self, lease: Lease, entry: Entry, *, seconds: float) -> None:
        """Append to the journal."""
        self._write(lease, entry, seconds, "append")

    def journal(self) -> tuple[Entry, ...]:
        """The lines that were written whole."""
        if self._read is not None:
            return self._read
        try:
            return _entries(self._host.read(f"{self._folder}/journal.jsonl").decode())
        except NotFound:
            return ()

    def settle(self, *, seconds: float) -> bool:
        """Every changing command runs under ``flock busy``: getting that lock means none is left."""
        return self._script(_SETTLE, str(int(seconds)), allowed=_BUSY, limit=seconds + _LIMIT).ok

    def release(self, lease: Lease) -> None:
        """Give the lock back; somebody else's is left alone."""
        self._read = None
        self._script(_RELEASE, lease.holder, str(lease.fence))

    def _write(self, lease: Lease, entry: Mapping[str, Any], seconds: float, how: str) -> None:
        self._read = None
        line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        arguments = (lease.holder, str(lease.fence), str(int(seconds)), how, str(len(line)))
        if self._script(_NOTE, *arguments, stdin=line, allowed=3).code == 3:
            raise lost_lock()

    def _script(
        self, script: str, *arguments: str, stdin: bytes = b"", allowed: int = 0, limit: float = _LIMIT
    ) -> Ran:
        argv = ["sh", "-c", script, "sh", self._folder, *arguments]
        ran = self._host.run(argv, stdin=stdin, timeout=limit)
        if ran.code not in (0, allowed):
            raise Unreachable(f"lock and journal in {self._folder} on {self._host.name}: {ran.said}")
        return ran


def _entries(text: str) -> tuple[Entry, ...]:
    return tuple(json.loads(line) for line in text.split("\n")[:-1])
