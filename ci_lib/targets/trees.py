"""Reading a folder of the runner into memory, within bounds."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ci_lib.domain.errors import ConfigFault
from ci_lib.ports.protocols import FileData, Tree

MAX_FILES = 5_000
MAX_BYTES = 64 * 1024 * 1024

_NEVER = frozenset({".git", ".deploy-actions", ".env", "__pycache__"})
"""Never part of a release: history, our own state, the host's own settings, and what running code leaves."""


def read_tree(folder: Path, *, without: Collection[Path] = ()) -> Tree:
    """Every regular file below ``folder``, as relative path → file.

    ``without`` are absolute folders and files that are not part of the tree, such as those that we write
    ourselves; one of them may be a link. One that does not lie below ``folder``, or is missing, changes
    nothing.

    Raises ``ConfigFault`` when the folder is missing or too large, when a link leaves it, or when a name
    holds control characters (such a name could not be listed safely on the host).
    """
    if not folder.is_dir():
        raise ConfigFault(f"{folder} is not a folder", hint="check `source:` or `repository:` in deploy.yml")
    root = folder.resolve()
    tree: dict[str, FileData] = {}
    size = 0
    for path in _files(folder, _places(without)):
        name = path.relative_to(folder).as_posix()
        if re.search(r"[\x00-\x1f\x7f]", name):
            raise ConfigFault(f"{name!r} has control characters in its name")
        if not path.resolve().is_relative_to(root):
            raise ConfigFault(f"{name} is a link that leaves {folder}", hint="copy the file instead")
        data = path.read_bytes()
        size += len(data)
        tree[name] = FileData(data=data, mode=path.stat().st_mode & 0o777)
        if len(tree) > MAX_FILES or size > MAX_BYTES:
            raise ConfigFault(
                f"{folder} holds more than {MAX_FILES} files or {MAX_BYTES // 1024 // 1024} MiB",
                hint="point `source:` at the folder that holds nothing but the stack's files",
            )
    return tree


def _files(folder: Path, left_out: frozenset[Path]) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        place = Path(here).resolve()
        folders[:] = sorted(name for name in folders if name not in _NEVER and place / name not in left_out)
        linked = [name for name in folders if (Path(here) / name).is_symlink()]
        if linked:
            raise ConfigFault(f"{linked[0]} in {here} is a link to a folder", hint="copy the folder instead")
        for name in sorted(files):
            path = Path(here) / name
            if name not in _NEVER and place / name not in left_out and path.is_file():
                yield path


def _places(folders: Collection[Path]) -> frozenset[Path]:
    """Where the folders are, and where they lead to if they are links."""
    named = {path.parent.resolve() / path.name for path in folders}
    return frozenset(named | {path.resolve() for path in folders})
