"""The content hash of a tree of files."""

import hashlib
from collections.abc import Mapping

from ci_lib.ports.protocols import Tree


def tree_hash(tree: Tree) -> str:
    """SHA-256 over path, executable bit and content of every file, in the order of the paths.

    Other permission bits and times are left out: they differ between checkouts of the same commit.
    """
    return entries_hash(entries(tree))


def entries(tree: Tree) -> Mapping[str, str]:
    """Path → what the hash is made of, as ``entry`` spells it."""
    return {
        path: entry(hashlib.sha256(file.data).hexdigest(), executable=bool(file.mode & 0o100))
        for path, file in tree.items()
    }


def entry(digest: str, *, executable: bool) -> str:
    """A file: ``x`` if it may be executed, else ``-``, and the SHA-256 of its content."""
    return f"{'x' if executable else '-'} {digest}"


def entries_hash(found: Mapping[str, str]) -> str:
    """The hash of a tree whose files are known by their entries alone."""
    whole = hashlib.sha256()
    for path, text in sorted(found.items()):
        whole.update(f"{text} {path}\n".encode())
    return whole.hexdigest()
