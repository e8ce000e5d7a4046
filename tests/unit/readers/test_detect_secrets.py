import json
from collections.abc import Callable

import pytest

from ci_lib.domain.gate import Finding, Severity, Spot, Unreadable
from ci_lib.readers.detect_secrets import read

Recorded = Callable[[str], bytes]


def report(results: object) -> bytes:
    return json.dumps({"version": "1.5.0", "plugins_used": [], "results": results}).encode()


def test_a_scan(recorded: Recorded) -> None:
    findings = read(recorded("detect-secrets.json")).findings
    assert [(finding.rule, finding.spot) for finding in findings] == [
        ("Basic Auth Credentials", Spot(path="notes.txt", line=1)),
        ("AWS Access Key", Spot(path="settings.ini", line=2)),
        ("Base64 High Entropy String", Spot(path="settings.ini", line=3)),
        ("Secret Keyword", Spot(path="settings.ini", line=3)),
        ("Secret Keyword", Spot(path="settings.ini", line=4)),
    ]
    assert {finding.severity for finding in findings} == {Severity.CRITICAL}


def test_what_an_audit_found_harmless_does_not_count_and_what_it_skipped_does(recorded: Recorded) -> None:
    findings = read(recorded("detect-secrets-audited.json")).findings
    assert [(finding.rule, finding.spot) for finding in findings] == [
        ("Basic Auth Credentials", Spot(path="notes.txt", line=1)),
        ("Base64 High Entropy String", Spot(path="settings.ini", line=3)),
        ("Secret Keyword", Spot(path="settings.ini", line=3)),
    ]


def test_not_even_a_hash_is_taken_over(recorded: Recorded) -> None:
    assert b"25910f981e85ca04baf359199dd0bd4a3ae738b6" in recorded("detect-secrets.json")
    assert "25910f" not in repr(read(recorded("detect-secrets.json")))


def test_a_secret_that_works_is_said() -> None:
    entry = {"type": "Slack Token", "line_number": 3, "is_verified": True}
    assert read(report({"a.py": [entry]})).findings == (
        Finding(
            severity=Severity.CRITICAL,
            rule="Slack Token",
            message="a secret of kind Slack Token, verified: it works",
            spot=Spot(path="a.py", line=3),
        ),
    )


@pytest.mark.parametrize("verdict", [None, True, 0, "false"])
def test_only_a_clear_no_is_a_verdict(verdict: object) -> None:
    assert len(read(report({"a.py": [{"type": "x", "is_secret": verdict}]})).findings) == 1


def test_nothing_found_is_good() -> None:
    assert read(report({})).findings == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"{}", "lacks `results` or `plugins_used`"),
        (b'{"results": {}}', "lacks `results` or `plugins_used`"),
        (report([]), "lacks `results` or `plugins_used`"),
        (
            report({"a\nb.py": {}}),
            r"results of a\\nb.py in the detect-secrets report is not a list of objects",
        ),
        (report({"a.py": [{}]}), "does not say what it found in a.py"),
    ],
)
def test_what_is_no_report_of_it_is_said(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data)
