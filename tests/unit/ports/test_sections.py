"""Sections of a file: each whole, none lost, and no way out of the file."""

import fcntl
import os
from pathlib import Path

import pytest

from ci_lib.ports import sections
from ci_lib.ports.protocols import PortFault
from ci_lib.ports.sections import append_section


def test_the_heading_comes_first_and_once(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "release" / "2026-03-01.md"
    for text in ("\none\n", "\ntwo\n"):
        append_section(path, text, heading="# Day\n")
    assert path.read_text() == "# Day\n\none\n\ntwo\n"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    path, elsewhere = tmp_path / "day.md", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    make = {"link": lambda: path.symlink_to(elsewhere), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}
    make[kind]()
    with pytest.raises(PortFault, match="day"):
        append_section(path, "x", heading="")
    assert elsewhere.read_text() == "mine"


def test_a_write_that_fails_leaves_no_half_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "day.md"
    append_section(path, "one\n", heading="# Day\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sections.os, "fsync", full)
    with pytest.raises(PortFault, match="No space left"):
        append_section(path, "two\n", heading="# Day\n")
    assert path.read_text() == "# Day\none\n"


def test_who_cannot_have_the_file_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "LIMIT", 0.0)
    path = tmp_path / "day.md"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PortFault, match="was not free"):
            append_section(path, "x", heading="")
