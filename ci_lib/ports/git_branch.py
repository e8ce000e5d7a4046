"""A branch of a git remote, by git's own plumbing in a bare repository of our own.

The caller's checkout is never written to: what is fetched and committed lies in a temporary folder, and goes
with us. Nothing is ever checked out, so no name or link in the branch can lead anywhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from ci_lib.domain.branch import BranchFile
from ci_lib.ports.child import Finished
from ci_lib.ports.git import Git, reason
from ci_lib.ports.git_access import Access, Remote, opened, plain
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.scratch import scratch
from ci_lib.ports.ssh_faults import host_key_fault

_FIRST_LIMIT: Final = 120.0  # seconds; the first fetch brings every record
_LIMIT: Final = 30.0
_TIP: Final = "refs/deploy-actions/tip"
_NEW: Final = "refs/deploy-actions/new"
_AUTHOR: Final = "deploy-actions <noreply@deploy-actions.invalid>"
_NO_SUCH_REF: Final = 2
"""The exit code of ``ls-remote --exit-code`` when the remote answers and has no such branch."""
_OLDEST: Final = (2, 31)
"""The first git that takes settings from its environment; an older one would ignore them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The repository of our own, and the remote."""

    git: Git
    remote: Remote


class GitBranch:
    """``Branch`` by git. A context manager: its folder, and an agent for the key, live until its end."""

    def __init__(self, branch: str, access: Access) -> None:
        self.name = f"branch {branch} of {plain(access.url) if access.url else 'origin'}"
        self._ref = f"refs/heads/{branch}"
        self._access = access
        self._exits = ExitStack()
        self._place: _Place | None = None
        self._begun = False

    def fetch(self) -> str:
        """The newest commit; the first time without its history, later with what came since."""
        place = self._opened()
        depth, limit = ((), _LIMIT) if self._begun else (("--depth=1",), _FIRST_LIMIT)
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
        where = ("--", place.remote.url, f"+{self._ref}:{_TIP}")
        done = place.git.run("fetch", *quiet, *depth, *where, limit=limit)
        if done.code == 0:
            self._begun = True
            return place.git.demand("rev-parse", "--verify", _TIP).decode().strip()
        # There may be no branch yet. Its absence is asked for, and not guessed from words.
        asked = place.git.run("ls-remote", "--exit-code", "--", place.remote.url, self._ref, limit=_LIMIT)
        if asked.code == _NO_SUCH_REF:
            return ""
        raise self._fault("cannot be fetched", asked if asked.code else done)

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether one commit is, or came after, the other."""
        if not commit:
            return False
        done = self._opened().git.run("merge-base", "--is-ancestor", ancestor, commit)
        if done.code not in (0, 1):
            raise PortFault(f"git merge-base failed: {reason(done)}")
        return done.code == 0

    def files(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        """All files below a folder."""
        at = self._folder(commit, folder)
        return self._listed("-r", at) if at else {}

    def entries(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        """What lies in a folder itself."""
        at = self._folder(commit, folder)
        return self._listed(at) if at else {}

    def _folder(self, commit: str, folder: str) -> str:
        """The id of a folder, empty for none; each folder on the way there must be one.

        git finds it through folders alone. Where it finds none, each part is asked for, since a link or a
        file in the place of one must not look like a ledger that has no records yet.
        """
        whole = self.find(commit, folder)
        if whole is not None and whole.folder:
            return whole.id
        at = commit
        for part in folder.split("/"):
            found = self.find(at, part)
            if found is None:
                return ""
            if not found.folder:
                raise PortFault(f"{part} in commit {commit[:12]} is no folder (mode {found.mode})")
            at = found.id
        return at

    def _listed(self, *words: str) -> Mapping[str, BranchFile]:
        return dict(_entries(self._opened().git.demand("ls-tree", "-z", "--long", "--full-tree", *words)))

    def find(self, commit: str, path: str) -> BranchFile | None:
        """What lies at a path."""
        return self._listed(commit, "--", path).get(path)

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """Contents, all in one call."""
        if not ids:
            return ()
        asked = "".join(f"{name}\n" for name in ids).encode()
        return tuple(_contents(self._opened().git.demand("cat-file", "--batch", stdin=asked), len(ids)))

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, at: datetime) -> str:
        """Make a commit; git's importer needs no index and reads only the folders that change."""
        head = [f"commit {_NEW}", "mark :1", f"committer {_AUTHOR} {int(at.timestamp())} +0000"]
        stream = "".join(f"{line}\n" for line in head).encode() + _data(message.encode())
        stream += f"from {parent}\n".encode() if parent else b""
        for path, data in files.items():
            stream += f"M 100644 inline {path}\n".encode() + _data(data)
        stream += b"get-mark :1\ndone\n"
        importer = ("fast-import", "--quiet", "--done", "--force")
        # From now on a fetch must bring what came since, or what came after this commit could not be told.
        self._begun = True
        return self._opened().git.demand(*importer, stdin=stream).decode().strip()

    def push(self, commit: str, *, instead_of: str) -> None:
        """Push, if the branch is still what we think it is."""
        place = self._opened()
        lease = f"--force-with-lease={self._ref}:{instead_of}"
        how = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", lease)
        done = place.git.run("push", *how, "--", place.remote.url, f"{commit}:{self._ref}", limit=_LIMIT)
        if done.code != 0:
            raise self._fault("does not take the records", done)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    def _opened(self) -> _Place:
        """The repository, made when it is first needed: many commands need none."""
        if self._place is None:
            with ExitStack() as exits:
                remote = opened(self._access, exits)
                git = Git(exits.enter_context(scratch("ledger")), settings=remote.settings, env=remote.env)
                _demand_version(git)
                git.demand("init", "--quiet", "--bare", "--template=")
                self._place = _Place(git=git, remote=remote)
                self._exits.push(exits.pop_all())
            self.name = f"{self.name.partition(' of ')[0]} of {plain(remote.url)}"
        return self._place

    def _fault(self, what: str, done: Finished) -> PortFault:
        if self._opened().remote.transport == "ssh":
            known = self._access.known_hosts or "known_hosts"
            text = done.stderr.decode(errors="replace")
            if fault := host_key_fault(self.name, self._opened().remote.url, None, known, text):
                return fault
        rejected = re.search(rb"^!\t[^\t]*\t(.*)$", done.stdout, re.MULTILINE)
        said = f"{rejected[1].decode(errors='replace')}; " if rejected else ""
        return PortFault(f"it {what}: {said}{reason(done)}")


def _entries(listed: bytes) -> Iterator[tuple[str, BranchFile]]:
    """The rows of ``ls-tree -z --long``: mode, kind, id, size (none for a folder), tabulator, path."""
    for row in listed.split(b"\0")[:-1]:
        head, _, path = row.partition(b"\t")
        mode, _, name, size = head.decode().split()
        file = BranchFile(mode=mode, id=name, size=int(size) if size.isdigit() else 0)
        yield path.decode(errors="replace"), file


def _contents(answer: bytes, count: int) -> Iterator[bytes]:
    """The answers of ``cat-file --batch``: id, kind and size on a line, then the content and a line feed."""
    start = 0
    for _ in range(count):
        end = answer.index(b"\n", start)
        name, _, size = answer[start:end].partition(b" blob ")
        if not size.isdigit():
            raise PortFault(f"git has no content {name.decode(errors='replace')[:80]}")
        start = end + 1 + int(size) + 1
        yield answer[end + 1 : start - 1]


def _data(data: bytes) -> bytes:
    """Bytes as fast-import reads them: their number first, so that nothing in them has a meaning."""
    return b"data %d\n%s\n" % (len(data), data)


def _demand_version(git: Git) -> None:
    said = git.demand("version").decode(errors="replace")
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        raise PortFault(f"{said.strip()[:60]} is too old for a ledger in a branch: {wanted} is needed")
