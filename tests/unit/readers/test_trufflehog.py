import json
from collections.abc import Callable

import pytest

from ci_lib.domain.gate import Finding, Severity, Spot, Unreadable
from ci_lib.readers.trufflehog import read

Recorded = Callable[[str], bytes]
LOG = {"level": "info-0", "ts": "2026-07-06T23:50:36Z", "logger": "trufflehog", "msg": "running source"}
FOUND = {"SourceMetadata": {"Data": {"Docker": {"layer": "x"}}}, "DetectorName": "AWS", "Verified": False}


def lines(*entries: object) -> bytes:
    return "\n".join(json.dumps(entry) for entry in entries).encode()


def test_a_secret_that_works_in_a_repositorys_history(recorded: Recorded) -> None:
    assert read(recorded("trufflehog-git.jsonl")).findings == (
        Finding(
            severity=Severity.CRITICAL,
            rule="AWS",
            message="a secret of kind AWS in commit fbc14303ffbf, verified: it works",
            spot=Spot(path="keys", line=4),
        ),
    )


def test_a_secret_in_a_file_among_lines_of_the_log(recorded: Recorded) -> None:
    (finding,) = read(recorded("trufflehog-filesystem.jsonl")).findings
    assert finding.message == "a secret of kind AWS, not verified"
    assert finding.severity is Severity.CRITICAL
    assert finding.spot == Spot(path="/home/runner/work/shop/shop/secrets.txt", line=1)


@pytest.mark.parametrize("name", ["trufflehog-git.jsonl", "trufflehog-filesystem.jsonl"])
def test_no_part_of_the_secret_is_taken_over(recorded: Recorded, name: str) -> None:
    shown = repr(read(recorded(name)))
    assert "AKIA" not in shown
    assert "wJalr" not in shown
    assert "canarytokens" not in shown


def test_no_output_means_that_nothing_was_found() -> None:
    assert read(b"").findings == read(b"\n").findings == read(lines(LOG)).findings == ()


def test_a_source_without_files_has_no_place() -> None:
    assert read(lines(FOUND)).findings[0].spot is None


def test_an_error_in_the_log_means_that_not_all_was_looked_at() -> None:
    with pytest.raises(Unreadable, match="could not look at everything: no such repository"):
        read(lines(LOG, LOG | {"level": "error", "msg": "no such repository"}))


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"level": "info", "ts": "now", "logger": "somebody", "msg": "x"},
        {"level": "info", "logger": "trufflehog", "msg": "x"},
        {"DetectorName": "AWS", "SourceMetadata": {}},
        {"branch": "master", "stringsFound": ["x"]},  # TruffleHog 2
    ],
)
def test_a_line_that_is_neither_a_finding_nor_its_log_is_not_passed_over(entry: object) -> None:
    with pytest.raises(Unreadable, match="line 2 of the TruffleHog report is neither a finding nor"):
        read(lines(LOG, entry))


def test_a_finding_does_not_hide_as_a_line_of_the_log() -> None:
    assert len(read(lines(LOG | FOUND)).findings) == 1


@pytest.mark.parametrize("tail", [b"{", b"Found verified result", b"[]", b"\xff"])
def test_a_damaged_line_is_not_passed_over(tail: bytes) -> None:
    with pytest.raises(Unreadable):
        read(lines(LOG) + b"\n" + tail)


def test_a_damaged_line_is_named() -> None:
    with pytest.raises(Unreadable, match="line 2: the TruffleHog report is not JSON"):
        read(lines(LOG) + b"\n{")
