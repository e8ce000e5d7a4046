"""File operations with Python's own hands, on the machine that we run on."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ci_lib.domain.text import one_line
from ci_lib.ports.flock import locked
from ci_lib.ports.protocols import NotFound, PortFault, Tree
from ci_lib.ports.scripts import LOCK_LIMIT
from ci_lib.ports.trees import escaped, refuse_escapes


class DirectFiles:
    """Reads and writes files; the contracts are those of ``protocols.Host``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise ``NotFound`` when there is none."""
        with self._faults(path, "read"):
            return Path(path).read_bytes()

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file atomically, making missing folders (mode 0700) on the way."""
        with self._faults(path, "written"):
            folder = Path(path).parent
            _make_folder(folder, 0o700)
            _replace(Path(path), data, mode)
            _sync_folder(folder)

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        """Append and fsync under the lock if the file has just this size; else return False."""
        with self._faults(path, "written"):
            _make_folder(Path(path).parent, 0o700)
            with locked(path + ".lock", wait=LOCK_LIMIT):
                size = Path(path).stat().st_size if Path(path).exists() else 0
                if size != expected_size:
                    return False
                _append(path, data, size)
                _sync_folder(Path(path).parent)
        return True

    def upload(self, tree: Tree, folder: str) -> None:
        """Write a tree of files below ``folder``: none before every path is allowed; nothing is deleted."""
        refuse_escapes(tree)
        with self._faults(folder, "written"):
            _make_folder(Path(folder), 0o700)
            base = Path(folder).resolve()
            for path in tree:
                # A part that does not exist yet cannot be a link.
                if not (base / path).parent.resolve().is_relative_to(base):
                    raise escaped(path, folder, self._name)
            for path, file in tree.items():
                _make_folder((base / path).parent, 0o755)
                _replace(base / path, file.data, file.mode)

    @contextmanager
    def _faults(self, path: str, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise NotFound(f"{one_line(path)} does not exist on {self._name}") from None
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            why = getattr(error, "strerror", None) or error
            raise PortFault(f"{one_line(path)} cannot be {done} on {self._name}: {why}") from None


def _make_folder(folder: Path, mode: int) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir()
            each.chmod(mode)  # whatever the umask is


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Write beside the file and rename, so that a reader finds the old bytes or the new ones."""
    fresh = path.with_name(f".deploy-actions.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            _write_all(handle, data)
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _append(path: str, data: bytes, size: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    except BaseException:
        os.ftruncate(handle, size)  # a full disk or a cancel leaves no half line
        raise
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
