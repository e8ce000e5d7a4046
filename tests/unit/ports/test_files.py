from pathlib import Path

import pytest

from ci_lib.ports.files import LocalFiles
from ci_lib.ports.protocols import PortFault


def test_bytes_are_appended_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_bytes(b"a\n")
    LocalFiles().append(str(file), "é\n".encode())
    assert file.read_bytes() == "a\né\n".encode()
    assert LocalFiles().size(str(file)) == 5


def test_a_missing_file_has_no_size(tmp_path: Path) -> None:
    assert LocalFiles().size(str(tmp_path / "none")) == 0


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(PortFault, match="Is a directory"):
        LocalFiles().append(str(tmp_path), b"x")
