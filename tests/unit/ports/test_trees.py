import io
import tarfile

import pytest

from ci_lib.ports.protocols import FileData, PortFault
from ci_lib.ports.trees import as_tar, refuse_escapes

ESCAPES = ["/etc/x", "..", "../x", "a/../x", "a/..", ".", "./x", "a/./x", "a//x", "a/", "", "a\0"]


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_that_is_not_plainly_below_is_refused(path: str) -> None:
    with pytest.raises(PortFault, match="leads outside its folder or is not plain"):
        refuse_escapes({"good": FileData(data=b""), path: FileData(data=b"")})


@pytest.mark.parametrize("path", ["a", "a/b", ".env", "..a", "a..", "...", "a b/\n", "-rf", "~", "a\\b"])
def test_odd_names_that_stay_below_are_fine(path: str) -> None:
    refuse_escapes({path: FileData(data=b"")})


def test_the_tar_holds_bytes_modes_and_long_names_and_nothing_else() -> None:
    tree = {
        "run.sh": FileData(data=b"\0\xff", mode=0o755),
        "d/" + "n" * 250: FileData(data=b""),
        "odd\udcff\n": FileData(data=b"x"),
    }
    with tarfile.open(fileobj=io.BytesIO(as_tar(tree))) as archive:
        entries = archive.getmembers()
        files = {entry.name: (archive.extractfile(entry), entry.mode) for entry in entries}
        assert {name: FileData(data=f.read(), mode=mode) for name, (f, mode) in files.items() if f} == tree
        assert {(entry.uid, entry.gid, entry.mtime, entry.isreg()) for entry in entries} == {(0, 0, 0, True)}


def test_the_same_tree_gives_the_same_tar() -> None:
    tree = {"a": FileData(data=b"1")}
    assert as_tar(tree) == as_tar(dict(tree))
