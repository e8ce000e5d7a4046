import json
from collections.abc import Callable
from typing import Any

import pytest

from ci_lib.domain.gate import Finding, Severity, Spot, Unreadable
from ci_lib.readers.trivy import read

Recorded = Callable[[str], bytes]


def report(*results: object, artifact: str = "filesystem") -> bytes:
    return json.dumps({"SchemaVersion": 2, "ArtifactType": artifact, "Results": results}).encode()


def one(key: str, entry: object, artifact: str = "filesystem", **result: Any) -> Finding:
    (finding,) = read(report({key: [entry], **result}, artifact=artifact)).findings
    return finding


def test_vulnerable_packages(recorded: Recorded) -> None:
    findings = read(recorded("trivy-pip.json")).findings
    assert [finding.severity for finding in findings] == [Severity.HIGH, Severity.MEDIUM]
    assert findings[0] == Finding(
        severity=Severity.HIGH,
        rule="CVE-2019-14806",
        message="Werkzeug 0.11: python-werkzeug: insufficient debugger PIN randomness vulnerability"
        " (fixed in 0.15.3)",
        spot=Spot(path="requirements.txt"),
    )


def test_a_bad_setting(recorded: Recorded) -> None:
    (finding,) = read(recorded("trivy-dockerfile.json")).findings
    assert (finding.severity, finding.rule) == (Severity.HIGH, "AVD-DS-0002")
    assert finding.message.startswith("Image user should not be 'root': Specify at least 1 USER command")
    assert finding.spot == Spot(path="Dockerfile")


def test_secrets_without_what_is_around_them(recorded: Recorded) -> None:
    findings = read(recorded("trivy-secrets.json")).findings
    assert [(finding.severity.word, finding.rule, finding.message, finding.spot) for finding in findings] == [
        ("critical", "aws-access-key-id", "a secret: AWS Access Key ID", Spot(path="deploy.sh", line=3)),
        ("high", "mysecret", "a secret: My Secret", Spot(path="deploy.sh", line=7)),
    ]


def test_licences(recorded: Recorded) -> None:
    findings = read(recorded("trivy-licenses.json")).findings
    assert [finding.severity.word for finding in findings] == ["unknown", "medium", "low", "low"]
    assert findings[1].message == "licence EPL-1.0 (reciprocal) of org.eclipse.sisu:org.eclipse.sisu.plexus"


def test_a_licence_in_a_file() -> None:
    finding = one("Licenses", {"Severity": "CRITICAL", "Name": "AGPL-3.0", "FilePath": "vendor/x/LICENSE"})
    assert finding.spot == Spot(path="vendor/x/LICENSE")


def test_a_setting_says_its_line() -> None:
    entry = {"Severity": "LOW", "ID": "DS005", "CauseMetadata": {"StartLine": 6}}
    assert one("Misconfigurations", entry, Target="Dockerfile").spot == Spot(path="Dockerfile", line=6)


@pytest.mark.parametrize(("status", "count"), [("FAIL", 1), ("PASS", 0), ("EXCEPTION", 0), (None, 1)])
def test_settings_that_are_good_do_not_count(status: object, count: int) -> None:
    assert len(read(report({"Misconfigurations": [{"Severity": "LOW", "Status": status}]})).findings) == count


def test_the_files_of_an_image_are_not_those_of_the_checkout() -> None:
    entry = {"Severity": "LOW", "PkgPath": "usr/lib/x.jar"}
    assert one("Vulnerabilities", entry, Class="lang-pkgs").spot == Spot(path="usr/lib/x.jar")
    assert one("Vulnerabilities", entry, artifact="container_image", Class="lang-pkgs").spot is None


def test_the_target_of_a_systems_packages_is_no_file() -> None:
    assert one("Vulnerabilities", {"Severity": "LOW"}, Class="os-pkgs", Target="debian 12").spot is None


def test_a_severity_that_is_missing_is_unknown() -> None:
    assert one("Vulnerabilities", {}).severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    "results", ["", ', "Results": null', ', "Results": []', ', "Results": [{"Target": "x"}]']
)
def test_nothing_found_is_good(results: str) -> None:
    assert read(b'{"SchemaVersion": 2%s}' % results.encode()).findings == ()


def test_the_list_that_old_versions_wrote_is_not_taken_for_a_good_report(recorded: Recorded) -> None:
    with pytest.raises(Unreadable, match="JSON, but not an object"):
        read(recorded("trivy-image-old.json"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"{}", "not of schema version 2"),
        (b'{"bomFormat": "CycloneDX"}', "not of schema version 2"),
        (b'{"SchemaVersion": 3, "Results": []}', "not of schema version 2"),
        (b'{"SchemaVersion": 2, "Results": {}}', "Results in the Trivy report is not a list of objects"),
        (report({"Secrets": ""}), "Secrets in the Trivy report is not a list of objects"),
        (report({"Vulnerabilities": [1]}), "Vulnerabilities in the Trivy report is not a list of objects"),
        (report({"Secrets": [{"Severity": "BAD"}]}), "knows a severity BAD, which Trivy does not"),
        (report({"Secrets": [{"Severity": ["LOW"]}]}), "knows a severity"),
    ],
)
def test_what_decides_nothing_is_said(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data)
