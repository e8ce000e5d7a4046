from collections.abc import Mapping, Sequence

import pytest

from ci_lib.domain.errors import StepFault
from ci_lib.evidence.write import folder_name, write
from ci_lib.ports.protocols import NO_ENV, Ran
from tests.golden.outcomes import DEPLOYED, HOSTILE_PARTIAL


class Disk:
    """As much of a host as the writer needs: folders with modes, files with modes."""

    name, local = "here", True

    def __init__(self, *folders: str) -> None:
        self.folders = dict.fromkeys(folders, "there before")
        self.files: dict[str, tuple[bytes, int]] = {}

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] = NO_ENV,
    ) -> Ran:
        assert argv[0] == "mkdir"
        assert timeout > 0
        folder = argv[-1]
        if "-p" not in argv and folder in self.folders:
            return Ran(code=1, stderr=f"mkdir: cannot create directory '{folder}': File exists\n")
        self.folders.setdefault(folder, argv[2] if "-m" in argv else "default")
        return Ran(code=0)

    def write(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        self.files[path] = (data, mode)


def test_files_are_written_into_a_new_private_folder() -> None:
    disk = Disk("/tmp")
    path = write(disk, "/tmp/evidence-x", {"result.json": b"{}", "logs/api.log": b"x"})  # type: ignore[arg-type]
    assert path == "/tmp/evidence-x"
    assert disk.folders == {"/tmp": "there before", "/tmp/evidence-x": "0700"}
    assert disk.files == {
        "/tmp/evidence-x/result.json": (b"{}", 0o600),
        "/tmp/evidence-x/logs/api.log": (b"x", 0o600),
    }


def test_a_folder_that_exists_is_refused_and_left_alone() -> None:
    disk = Disk("/tmp", "/tmp/evidence-x")
    with pytest.raises(StepFault, match="File exists") as caught:
        write(disk, "/tmp/evidence-x", {"result.json": b"{}"})  # type: ignore[arg-type]
    assert "must not exist" in caught.value.hint
    assert disk.files == {}


def test_the_folder_is_named_after_the_run() -> None:
    assert folder_name(DEPLOYED, attempt="2", unique="deadbeef") == (
        "evidence-deploy-shop-production-2-deadbeef"
    )


def test_a_hostile_name_stays_one_component() -> None:
    name = folder_name(HOSTILE_PARTIAL, attempt="", unique="deadbeef")
    assert name.replace("-", "").replace("_", "").isalnum()
    assert len(name) < 255
