"""A branch in memory, with a remote that can misbehave: the fake behind the tests of `stores/git.py`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ci_lib.domain.branch import BranchFile
from ci_lib.ports.protocols import PortFault

Push = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Commit:
    parent: str
    files: Mapping[str, bytes]
    message: str = ""


@dataclass
class MemoryRemote:
    """What all writers share: the newest commit, and every commit that there is."""

    tip: str = ""
    commits: dict[str, Commit] = field(default_factory=dict)

    def add(self, commit: Commit) -> str:
        name = hashlib.sha1(repr((commit.parent, sorted(commit.files.items()), commit.message)).encode())
        self.commits[name.hexdigest()] = commit
        return name.hexdigest()

    def put(self, files: Mapping[str, bytes], *, parent: str | None = None) -> str:
        """What somebody else does to the branch: exactly these files, on top of it."""
        self.tip = self.add(Commit(parent=self.tip if parent is None else parent, files=dict(files)))
        return self.tip

    @property
    def files(self) -> Mapping[str, bytes]:
        return self.commits[self.tip].files if self.tip else {}

    def history(self) -> list[Commit]:
        found, at = [], self.tip
        while at:
            found.append(self.commits[at])
            at = found[-1].parent
        return found


@dataclass
class MemoryBranch:
    """`Branch` on a `MemoryRemote`.

    Before each push the first of `before` is called, after each accepted one the first of `after`; before
    each fetch the first of `fetching`. What they raise is what the caller gets.
    """

    remote: MemoryRemote = field(default_factory=MemoryRemote)
    name: str = "branch deploy-records of origin"
    modes: dict[str, str] = field(default_factory=dict)
    before: list[Push] = field(default_factory=list)
    after: list[Push] = field(default_factory=list)
    fetching: list[Push] = field(default_factory=list)
    fetches: int = 0
    pushes: int = 0

    def fetch(self) -> str:
        self.fetches += 1
        _next(self.fetching)
        return self.remote.tip

    def descends(self, commit: str, ancestor: str) -> bool:
        while commit and commit != ancestor:
            commit = self.remote.commits[commit].parent
        return bool(commit)

    def files(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        there = self.remote.commits[commit].files
        below = {path.removeprefix(f"{folder}/"): path for path in there if path.startswith(f"{folder}/")}
        return {name: self._file(path, there[path]) for name, path in below.items()}

    def entries(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        found: dict[str, BranchFile] = {}
        for name, file in self.files(commit, folder).items():
            first, below, _ = name.partition("/")
            found[first] = BranchFile(mode="040000", id="", size=0) if below else file
        return found

    def find(self, commit: str, path: str) -> BranchFile | None:
        there = self.remote.commits[commit].files
        return self._file(path, there[path]) if path in there else None

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        every = (data for commit in self.remote.commits.values() for data in commit.files.values())
        held = {_id(data): data for data in every}
        return tuple(held[name] for name in ids)

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, at: datetime) -> str:
        there = self.remote.commits[parent].files if parent else {}
        return self.remote.add(Commit(parent=parent, files={**there, **files}, message=message))

    def push(self, commit: str, *, instead_of: str) -> None:
        self.pushes += 1
        _next(self.before)
        if self.remote.tip != instead_of:
            raise PortFault("it does not take the records: [rejected] (stale info)")
        self.remote.tip = commit
        _next(self.after)

    def _file(self, path: str, data: bytes) -> BranchFile:
        return BranchFile(mode=self.modes.get(path, "100644"), id=_id(data), size=len(data))


def _id(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _next(script: list[Push]) -> None:
    if script:
        script.pop(0)()
