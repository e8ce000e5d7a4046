"""A branch of a git remote as a set of files, as a protocol: what the ledger in a branch is built on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFile:
    """An entry of a commit's tree: git's mode, the id of the content, its size in bytes."""

    mode: str
    id: str
    size: int

    @property
    def plain(self) -> bool:
        """Whether it is an ordinary file: no symbolic link, no submodule, no program."""
        return self.mode == "100644"

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.mode == "040000"


class Branch(Protocol):
    """One branch of one remote. A commit is named by its id; the empty id stands for "no branch".

    Every method raises ``PortFault`` when git, or the remote, does not do what it was asked for, and
    ``UnknownHostKey`` when the remote's SSH host is not the one we know.
    """

    @property
    def name(self) -> str:
        """Branch and remote, fit to be shown."""

    def fetch(self) -> str:
        """Ask the remote for the branch's newest commit and bring its files; empty when there is no branch.

        That there is none is the remote's own word: no answer is a fault.
        """

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether ``commit``, which was fetched, is ``ancestor`` or came after it; both are known here."""

    def files(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        """All files below a folder, by the path from there; nothing where there is no such folder.

        Something else in the folder's place, a symbolic link for instance, is a fault.
        """

    def entries(self, commit: str, folder: str) -> Mapping[str, BranchFile]:
        """What lies in a folder itself, folders included, under the same conditions."""

    def find(self, commit: str, path: str) -> BranchFile | None:
        """What lies at a path, whatever it is; None for nothing."""

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """The contents with these ids."""

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, at: datetime) -> str:
        """Make a commit in which these files are new or replaced; nobody but us knows it yet."""

    def push(self, commit: str, *, instead_of: str) -> None:
        """Make a commit the branch's newest if ``instead_of`` is, in one step.

        After a fault nothing is known: also a push whose answer was lost may have been accepted.
        """
