"""How a ledger lies in a branch: one file for each append, made once and never touched again.

``stacks/<stack>/<thousand>/<number>.jsonl`` holds the lines of one append. The number is that of its first
line, in 12 digits; the folder is the same without the last three, so that no folder has more than a thousand
files: more is shown by no forge.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ci_lib.domain.branch import BranchFile
from ci_lib.records.chain import damaged

LARGEST: Final = 8_388_608
"""Bytes of a file. An append has some kilobytes: what is larger is no record, and is not even read."""

_THOUSAND: Final = re.compile(r"[0-9]{9}")
_NAME: Final = re.compile(r"([0-9]{9})/(\1[0-9]{3})\.jsonl")


def folder_of(stack: str) -> str:
    """The folder of a stack's ledger in the branch."""
    return f"stacks/{stack}"


def path_of(stack: str, seq: int) -> str:
    """The file for an append whose first line has this number."""
    number = f"{seq:012d}"
    return f"{folder_of(stack)}/{number[:9]}/{number}.jsonl"


def newest_thousand(entries: Mapping[str, BranchFile]) -> str:
    """The newest of a ledger's folders, empty for none; raises ``Refusal`` where anything else lies there."""
    for name, entry in entries.items():
        if not _THOUSAND.fullmatch(name) or not entry.folder:
            raise damaged(f"{name[:100]!r} among its folders is none of records (mode {entry.mode})")
    return max(entries, default="")


def in_order(files: Mapping[str, BranchFile]) -> tuple[str, ...]:
    """The names of a ledger's files, oldest first; raises ``Refusal`` where anything else lies there."""
    for name, file in files.items():
        if not _NAME.fullmatch(name) or not file.plain:
            raise damaged(f"{name[:100]!r} among its files is no record (mode {file.mode})")
        if not 0 < file.size <= LARGEST:
            raise damaged(f"{name} has {file.size} bytes")
    return tuple(sorted(files))


def number_of(name: str) -> int:
    """The number of the first line in a file that ``in_order`` has let pass."""
    return int(name[-18:-6])


def joined(names: Sequence[str], contents: Sequence[bytes]) -> bytes:
    """The lines of all files; raises ``Refusal`` where a file is not what its name says."""
    for name, data in zip(names, contents, strict=True):
        if not data.startswith(b'{"seq":%d,' % number_of(name)) or not data.endswith(b"\n"):
            raise damaged(f"{name} does not hold whole lines from its number on")
    return b"".join(contents)
