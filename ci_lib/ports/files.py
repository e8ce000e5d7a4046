"""Appending to files of this machine: the CI's command files."""

from pathlib import Path

from ci_lib.ports.protocols import PortFault


class LocalFiles:
    """Files that somebody else made for us to append to."""

    def size(self, path: str) -> int:
        """The file's size in bytes; 0 when there is none."""
        try:
            return Path(path).stat().st_size
        except OSError:
            return 0

    def append(self, path: str, data: bytes) -> None:
        """Append ``data``; raise ``PortFault`` when that cannot be done."""
        try:
            with Path(path).open("ab") as file:
                file.write(data)
        except OSError as fault:
            raise PortFault(f"{path} could not be written: {fault.strerror}") from fault
