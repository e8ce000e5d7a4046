import json
from collections.abc import Callable
from typing import Any

import pytest

from ci_lib.domain.gate import Finding, Severity, Spot, Unreadable
from ci_lib.readers.sarif import read

Recorded = Callable[[str], bytes]
CHECKOUT = "/home/runner/work/shop/shop"


def log(*results: object, version: object = "2.1.0", **run: Any) -> bytes:
    return json.dumps({"version": version, "runs": [{"results": results, **run}]}).encode()


def one(result: object, **run: Any) -> Finding:
    (finding,) = read(log(result, **run)).findings
    return finding


def at(location: object, line: object = 1) -> dict[str, Any]:
    physical = {"artifactLocation": location, "region": {"startLine": line}}
    return {"locations": [{"physicalLocation": physical}]}


def test_ruff(recorded: Recorded) -> None:
    findings = read(recorded("ruff.sarif")).findings
    assert [finding.rule for finding in findings] == ["F401", "F841", "S101"]
    assert findings[0] == Finding(
        severity=Severity.HIGH,
        rule="F401",
        message="`sys` imported but unused",
        spot=Spot(path=f"{CHECKOUT}/shop/wrong.py", line=2),
    )


def test_what_eslint_was_told_to_ignore_does_not_count(recorded: Recorded) -> None:
    findings = read(recorded("eslint.sarif")).findings
    assert [(finding.rule, finding.severity.word, finding.spot) for finding in findings] == [
        ("no-unused-vars", "high", Spot(path=f"{CHECKOUT}/src/wrong.js", line=1)),
        ("eqeqeq", "medium", Spot(path=f"{CHECKOUT}/src/wrong.js", line=8)),
    ]


def test_bandit_has_relative_paths(recorded: Recorded) -> None:
    (finding,) = read(recorded("bandit.sarif")).findings
    assert (finding.severity, finding.spot) == (Severity.LOW, Spot(path="shop/wrong.py", line=7))


def test_the_score_of_grypes_rules_is_the_severity(recorded: Recorded) -> None:
    findings = read(recorded("grype.sarif")).findings
    assert [finding.severity for finding in findings] == [Severity.MEDIUM, Severity.LOW]


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        ("10.0", "critical"), ("9.0", "critical"), ("8.9", "high"), (7, "high"), (6.9, "medium"),
        ("4.0", "medium"), ("3.9", "low"), ("0.1", "low"), ("0.0", "unknown"),
        ("", "high"), ("11", "high"), ("nan", "high"), ("-1", "high"),
        (True, "high"), (None, "high"), ([], "high"),
    ],
)  # fmt: skip
def test_a_score_wins_over_the_level_if_it_is_one(score: object, severity: str) -> None:
    finding = one({"ruleId": "r", "level": "error", "properties": {"security-severity": score}})
    assert finding.severity.word == severity


def test_the_results_own_score_wins_over_its_rules() -> None:
    driver = {"rules": [{"id": "r", "properties": {"security-severity": "9.8"}}]}
    assert one({"ruleId": "r"}, tool={"driver": driver}).severity is Severity.CRITICAL
    own = {"ruleId": "r", "properties": {"security-severity": "5"}}
    assert one(own, tool={"driver": driver}).severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("level", "severity"), [("error", "high"), ("warning", "medium"), ("note", "low"), ("none", "unknown")]
)
def test_levels(level: str, severity: str) -> None:
    assert one({"level": level}).severity.word == severity
    rule = {"id": "r", "defaultConfiguration": {"level": level}}
    assert one({"ruleId": "r"}, tool={"driver": {"rules": [rule]}}).severity.word == severity


def test_a_level_that_nobody_states_is_a_warning() -> None:
    assert one({}).severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "result",
    [
        {"ruleId": "r", "ruleIndex": 1},
        {"ruleIndex": 1},
        {"rule": {"id": "r"}},
        {"rule": {"index": 1}},
        {"rule": {"index": 0, "toolComponent": {"index": 0}}},
        {"ruleId": "r/sub"},
    ],
)
def test_a_rule_is_found_by_name_or_position(result: dict[str, Any]) -> None:
    rule = {"id": "r", "shortDescription": {"text": "what r is"}}
    tool = {"driver": {"rules": [{"id": "other"}, rule]}, "extensions": [{"rules": [rule]}]}
    finding = one(result, tool=tool)
    assert finding.rule.startswith("r")
    assert finding.message == "what r is"


def test_a_message_of_the_rule_gets_its_arguments_once() -> None:
    rule = {"id": "r", "messageStrings": {"m": {"text": "{0} is {1}, {2}"}}}
    result = {"ruleId": "r", "message": {"id": "m", "arguments": ["{1}{1}", "b"]}}
    assert one(result, tool={"driver": {"rules": [rule]}}).message == "{1}{1} is b,"


@pytest.mark.parametrize(
    ("suppressions", "counts"),
    [
        ([], True),
        (None, True),
        ([{"kind": "inSource"}], False),
        ([{"kind": "external", "status": "accepted"}], False),
        ([{"kind": "external", "status": "underReview"}], True),
        ([{"kind": "inSource"}, {"kind": "external", "status": "rejected"}], True),
    ],
)
def test_a_suppression_counts_once_it_is_accepted(suppressions: object, counts: bool) -> None:
    assert bool(read(log({"suppressions": suppressions})).findings) == counts


@pytest.mark.parametrize(
    ("result", "counts"),
    [
        ({"kind": "pass"}, False),
        ({"kind": "notApplicable"}, False),
        ({"kind": "review"}, True),
        ({"kind": "fail"}, True),
        ({"baselineState": "absent"}, False),
        ({"baselineState": "unchanged"}, True),
    ],
)
def test_only_problems_that_are_there_count(result: dict[str, str], counts: bool) -> None:
    assert bool(read(log(result)).findings) == counts


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ({"uri": "src/a%20b.py"}, "src/a b.py"),
        ({"uri": "src/a.py", "uriBaseId": "%SRCROOT%"}, "src/a.py"),
        ({"uri": "a.py", "uriBaseId": "ROOTPATH"}, "/srv/work/a.py"),
        ({"uri": "a.py", "uriBaseId": "UNKNOWN"}, "a.py"),
        ({"uri": "file:///srv/work/a.py"}, "/srv/work/a.py"),
        ({"uri": "file://localhost/srv/a.py"}, "/srv/a.py"),
        ({"index": 0}, "listed.py"),
    ],
)
def test_where_a_result_is(location: dict[str, Any], path: str) -> None:
    bases = {"%SRCROOT%": {"uri": "file:///in/a/container/"}, "ROOTPATH": {"uri": "file:///srv/work/"}}
    artifacts = [{"location": {"uri": "listed.py"}}]
    finding = one(at(location, 3), originalUriBaseIds=bases, artifacts=artifacts)
    assert finding.spot == Spot(path=path, line=3)


@pytest.mark.parametrize(
    "location",
    [
        {"uri": "https://example.com/a.py"},
        {"uri": "file://server/a.py"},
        {"uri": "//[x"},
        {"uri": 1},
        {"index": 9},
        1,
    ],
)
def test_what_is_no_file_has_no_place(location: object) -> None:
    assert one(at(location)).spot is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"[]", "JSON, but not an object"),
        (log(version="1.0.0"), "of version 1.0.0; 2.1.0 is read"),
        (log(version=2.1), "of version 2.1;"),
        (b'{"version": "2.1.0"}', "runs in the SARIF report is not a list"),
        (b'{"version": "2.1.0", "runs": []}', "holds no run: nothing was looked at"),
        (b'{"version": "2.1.0", "runs": [{}]}', "of the tool holds no results, not even an empty list"),
        (
            log(invocations=[{"executionSuccessful": False}]),
            "says in its SARIF report that it did not succeed",
        ),
        (log({"level": "fatal"}), "knows a level fatal"),
        (log({"suppressions": {}}), "suppressions in the SARIF report is not a list of objects"),
        (log(1), "results in the SARIF report is not a list of objects"),
    ],
)
def test_what_decides_nothing_is_said(data: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(data)


def test_a_tool_that_looked_and_found_nothing_is_good() -> None:
    assert read(log(invocations=[{"executionSuccessful": True}])).findings == ()
