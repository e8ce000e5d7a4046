"""The machine that we run on, as a ``Host``."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from ci_lib.ports.child import SUDO, Finished, execute
from ci_lib.ports.local_files import DirectFiles
from ci_lib.ports.protocols import NO_ENV, Ran, Tree
from ci_lib.ports.scripts import ScriptFiles, placed
from ci_lib.ports.system import environment


class LocalHost:
    """The machine that we run on; ``sudo``: every command and every file is touched as root."""

    def __init__(self, name: str, *, sudo: bool = False) -> None:
        self.name = name
        self.local = True
        self._sudo = sudo
        self._files = ScriptFiles(name, self._run_as_root) if sudo else DirectFiles(name)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
    ) -> Ran:
        """Run ``argv`` without a shell; a missing program is exit code 127, a missing ``cwd`` is 125."""
        if self._sudo:  # which drops the environment: it has to be set on the other side
            argv, cwd, env = [*SUDO, *placed(argv, cwd, env)], None, NO_ENV
        given = {**environment(), **env} if env else None
        return execute(argv, stdin=stdin, timeout=timeout, cwd=cwd, env=given).ran()

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raise ``NotFound`` when there is none."""
        return self._files.read(path)

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Replace a file atomically, making missing folders (mode 0700) on the way."""
        self._files.write(path, data, mode=mode)

    def append(self, path: str, data: bytes, *, expected_size: int) -> bool:
        """Append and fsync under the lock if the file has just this size; else return False."""
        return self._files.append(path, data, expected_size=expected_size)

    def upload(self, tree: Tree, folder: str) -> None:
        """Write a tree of files below ``folder``; nothing is deleted."""
        self._files.upload(tree, folder)

    def forward(self, address: str, port: int) -> AbstractContextManager[tuple[str, int]]:
        """Yield the very same address and port: it is reachable already."""
        return nullcontext((address, port))

    def _run_as_root(self, argv: Sequence[str], stdin: bytes, timeout: float, label: str) -> Finished:
        return execute([*SUDO, *argv], stdin=stdin, timeout=timeout, label=label)
