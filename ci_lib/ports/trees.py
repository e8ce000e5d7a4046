"""Which paths a tree of files may have, and the tree as a tar stream."""

import io
import tarfile

from ci_lib.domain.text import one_line
from ci_lib.ports.protocols import PortFault, Tree


def refuse_escapes(tree: Tree) -> None:
    """Raise ``PortFault`` for a path that is not relative, plain and below the folder it is meant for."""
    for path in tree:
        if path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise PortFault(f"the file name '{one_line(path)}' leads outside its folder or is not plain")


def escaped(path: str, folder: str, name: str) -> PortFault:
    """The fault of a path that a symbolic link on the host leads out of the folder."""
    return PortFault(
        f"'{one_line(path)}' cannot be written on {name}: "
        f"a symbolic link there leads out of {one_line(folder)}"
    )


def as_tar(tree: Tree) -> bytes:
    """Pack a tree: regular files with their modes, owned by root, without times."""
    packed = io.BytesIO()
    # GNU's format: the one that busybox's tar reads as well when names are long.
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, file in tree.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(file.data), file.mode
            archive.addfile(entry, io.BytesIO(file.data))
    return packed.getvalue()
