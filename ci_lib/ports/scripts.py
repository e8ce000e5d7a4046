"""File operations as constant sh scripts, for where our own hands do not reach: behind SSH or sudo.

What varies arrives as positional arguments and on standard input, never in a script's text. A connection
that breaks looks like the end of the input, so every script takes the number of bytes to expect and changes
nothing before they have all arrived. Programs that have nothing to do are not started: each costs about a
millisecond, a call three.
"""

import posixpath
from collections.abc import Mapping, Sequence
from typing import Protocol

from ci_lib.domain.text import one_line
from ci_lib.ports.child import Finished
from ci_lib.ports.protocols import NO_ENV, NotFound, PortFault, TimedOut, Tree
from ci_lib.ports.trees import as_tar, escaped, refuse_escapes
from ci_lib.ports.wording import last_line

FILE_LIMIT = 60.0
"""Seconds that one file may take."""
TREE_LIMIT = 300.0
"""Seconds that a tree of files may take."""
LOCK_LIMIT = 30
"""Seconds to wait for the lock of a file that is appended to; it is held for milliseconds."""

_BUSY, _CHANGED, _ESCAPED = 75, 73, 77

_ENTER = 'cd -- "$1" || exit 125; shift; exec "$@"'

# Arguments: size, folder. Leaves the input in $temp.
_RECEIVE = """
set -eu
umask 077
export LC_ALL=C
size=$1 folder=$2
[ -d "$folder" ] || mkdir -p -- "$folder"
temp=$(mktemp -- "$folder/.deploy-actions.XXXXXXXX")
trap 'rm -f -- "$temp"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$temp"
[ "$(stat -c %s -- "$temp")" = "$size" ] || { echo 'the data did not arrive completely' >&2; exit 1; }
"""

# Further arguments: path, mode.
WRITE = (
    _RECEIVE
    + """
path=$3 mode=$4
[ "$mode" = 600 ] || chmod -- "$mode" "$temp"
sync -- "$temp"
mv -f -T -- "$temp" "$path"
trap - EXIT
sync -- "$folder"
"""
)

# Further arguments: path, expected size, lock limit.
APPEND = (
    _RECEIVE
    + f"""
path=$3 expected=$4
exec 9>>"$path.lock"
flock -w "$5" 9 || exit {_BUSY}
found=0
[ ! -e "$path" ] || found=$(stat -L -c %s -- "$path")
[ "$found" = "$expected" ] || exit {_CHANGED}
if ! cat -- "$temp" >>"$path"; then
    truncate -s "$expected" -- "$path"
    exit 1
fi
sync -- "$path" "$folder"
"""
)

# The tree is unpacked beside its place, looked at, and only then moved there, file by file. Folders come
# before what is in them, so nothing is made behind a link that leads away.
_CHECK_FOLDERS = """
base=$1 refused=$2
shift 2
for folder do
    [ ! -s "$refused" ] || exit 0
    if [ ! -d "$base/$folder" ]; then
        mkdir -- "$base/$folder"
        chmod 755 -- "$base/$folder"
    fi
    real=$(cd -P -- "$base/$folder" && pwd -P && echo .)
    real=${real%??}
    case $real/ in
    "$base"/*) ;;
    *) printf %s "$folder" >"$refused" ;;
    esac
done
"""
_MOVE_FILES = """
base=$1
shift
for file do
    mv -f -T -- "$file" "$base/$file"
done
"""
UPLOAD = (
    _RECEIVE
    + f"""
base=$(cd -P -- "$folder" && pwd -P && echo .)
base=${{base%??}} # so that a line break at the end of the name stays
stage=$(mktemp -d -- "$base/.deploy-actions.XXXXXXXX")
trap 'rm -rf -- "$temp" "$stage"' EXIT
mkdir -- "$stage/tree"
tar -x -p -o -f "$temp" -C "$stage/tree"
cd -- "$stage/tree"
find . -type d -exec sh -euc "$3" sh "$base" "$stage/refused" {{}} +
if [ -s "$stage/refused" ]; then
    cat -- "$stage/refused" >&2
    exit {_ESCAPED}
fi
find . -type f -exec sync -- {{}} +
find . -type f -exec sh -euc "$4" sh "$base" {{}} +
"""
)


def placed(argv: Sequence[str], cwd: str | None, env: Mapping[str, str] = NO_ENV) -> list[str]:
    """Return ``argv`` so that it runs in a folder and with more environment, wherever sh and env exist."""
    inner = list(argv)
    if cwd is not None:
        inner = ["sh", "-c", _ENTER, "sh", cwd, *inner]
    elif "=" in inner[0]:  # env and sudo would take it for one more variable
        inner = ["sh", "-c", 'exec "$@"', "sh", *inner]
    return ["env", *(f"{key}={value}" for key, value in env.items()), *inner] if env else inner


class RunsArgv(Protocol):
    """What the scripts need of a host."""

    def __call__(self, argv: Sequence[str], stdin: bytes, timeout: float, label: str) -> Finished:
        """Run ``argv`` there; ``label`` names it in messages."""


class ScriptFiles:
    """Reads and writes files through commands; the contracts are those of ``protocols.Host``."""

    def __init__(self, name: str, run: RunsArgv) -> None:
        self._name = name
        self._run = run

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise ``NotFound`` when there is none."""
        argv = ["env", "LC_ALL=C", "cat", "--", path]
        done = self._run(argv, b"", FILE_LIMIT, self._label("reading", path))
        if done.code == 0:
            return done.stdout
        said = last_line(done.ran().said)
        if said.endswith(": No such file or directory"):
            raise NotFound(f"{one_line(path)} does not exist on {self._name}")
        raise PortFault(f"{one_line(path)} cannot be read on {self._name}: {said}")

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file atomically, making missing folders (mode 0700) on the way."""
        self._checked(path, self._change(WRITE, path, data, path, f"{mode:o}"))

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        """Append and fsync under the lock if the file has just this size; else return False."""
        done = self._change(APPEND, path, data, path, str(expected_size), str(LOCK_LIMIT))
        if done.code == _CHANGED:
            return False
        if done.code == _BUSY:
            raise TimedOut(f"the lock of {one_line(path)} on {self._name} was not free in {LOCK_LIMIT} s")
        self._checked(path, done)
        return True

    def upload(self, tree: Tree, folder: str) -> None:
        """Write a tree of files below ``folder``: nothing before all of it is there; nothing is deleted."""
        refuse_escapes(tree)
        below = posixpath.join(folder, "")
        done = self._change(UPLOAD, below, as_tar(tree), _CHECK_FOLDERS, _MOVE_FILES, limit=TREE_LIMIT)
        if done.code == _ESCAPED:
            raise escaped(done.stderr.decode(errors="replace"), folder, self._name)
        self._checked(folder, done)

    def _change(
        self, script: str, path: str, data: bytes, *arguments: str, limit: float = FILE_LIMIT
    ) -> Finished:
        folder = posixpath.dirname(path) or "."
        argv = ["sh", "-c", script, "sh", str(len(data)), folder, *arguments]
        return self._run(argv, data, limit, self._label("writing", path))

    def _label(self, doing: str, path: str) -> str:
        return f"{doing} {one_line(path)} on {self._name}"

    def _checked(self, path: str, done: Finished) -> None:
        if done.code != 0:
            said = last_line(done.ran().said)
            raise PortFault(f"{one_line(path)} cannot be written on {self._name}: {said}")
