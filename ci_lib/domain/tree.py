"""The content hash of a tree of files."""

import hashlib

from ci_lib.ports.protocols import Tree


def tree_hash(tree: Tree) -> str:
    """SHA-256 over path, executable bit and content of every file, in the order of the paths.

    Other permission bits and times are left out: they differ between checkouts of the same commit.
    """
    whole = hashlib.sha256()
    for path, file in sorted(tree.items()):
        kind = "x" if file.mode & 0o100 else "-"
        whole.update(f"{kind} {hashlib.sha256(file.data).hexdigest()} {path}\n".encode())
    return whole.hexdigest()
