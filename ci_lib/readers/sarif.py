"""SARIF 2.1.0, the format of findings that many linters and scanners write.

The specification: https://docs.oasis-open.org/sarif/sarif/v2.1.0/. Paragraphs are its.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ci_lib.domain.gate import Finding, Reading, Severity, Unreadable
from ci_lib.readers.raw import decoded, json_object, member, objects, objects_if_any
from ci_lib.readers.sarif_places import spot_of
from ci_lib.readers.words import label, message

KIND: Final = "SARIF"
_LEVELS: Final = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.UNKNOWN,
}
_SCORES: Final = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
    (0.0, Severity.UNKNOWN),
)
"""Lowest CVSS score of each severity, as CVSS 3.1 has them."""
_NO_PROBLEM: Final = ("pass", "informational", "notApplicable")
"""Kinds of results (3.27.9) that report something else than a problem."""

Object = dict[str, Any]


def read(data: bytes) -> Reading:
    """The findings of all runs in a SARIF log. Raises ``Unreadable``."""
    log = json_object(decoded(data, KIND), KIND)
    version = log.get("version")
    if not isinstance(version, str) or version.split("-")[0] != "2.1.0":
        raise Unreadable(f"the SARIF report is of version {label(str(version))}; 2.1.0 is read")
    runs = objects(log.get("runs"), "runs", KIND)
    if not runs:
        raise Unreadable("the SARIF report holds no run: nothing was looked at")
    return Reading(findings=tuple(finding for run in runs for finding in _findings(run)))


def _findings(run: Object) -> Iterator[Finding]:
    """What one tool found; no results at all (3.14.23) means that it did not look."""
    tool = label(member(run, "tool", "driver", "name")) or "the tool"
    invocations = objects_if_any(run.get("invocations"), "invocations", KIND)
    if any(one.get("executionSuccessful") is False for one in invocations):
        raise Unreadable(f"{tool} says in its SARIF report that it did not succeed")
    if run.get("results") is None:
        raise Unreadable(f"the SARIF report of {tool} holds no results, not even an empty list")
    rules = _Rules.of(run)
    for result in objects(run["results"], "results", KIND):
        if _counts(result):
            name, rule = rules.named(result)
            yield Finding(
                severity=_severity(result, rule),
                rule=label(name) or "(no rule)",
                message=message(_text(result, rule)),
                spot=spot_of(result, run),
            )


@dataclass(frozen=True, slots=True)
class _Rules:
    """The rules of a run's tool: those of its driver, then those of each extension."""

    components: list[list[Object]]
    by_id: dict[str, Object]

    @classmethod
    def of(cls, run: Object) -> "_Rules":
        extensions = objects_if_any(member(run, "tool", "extensions"), "tool.extensions", KIND)
        parts = [member(run, "tool", "driver"), *extensions]
        components = [objects_if_any(member(part, "rules"), "rules", KIND) for part in parts]
        every = [rule for rules in reversed(components) for rule in reversed(rules)]
        return cls(components, {rule["id"]: rule for rule in every if isinstance(rule.get("id"), str)})

    def named(self, result: Object) -> tuple[object, object]:
        """A result's rule (3.27.5 to 3.27.7): its name, and its description; None where there is none."""
        name = result.get("ruleId") or member(result, "rule", "id")
        if isinstance(name, str):  # CA1000/1 may be described as CA1000
            return name, self.by_id.get(name) or self.by_id.get(name.rpartition("/")[0])
        index = result.get("ruleIndex", member(result, "rule", "index"))
        extension = member(result, "rule", "toolComponent", "index")
        rule = member(self.components, extension + 1 if isinstance(extension, int) else 0, index)
        return member(rule, "id"), rule


def _counts(result: Object) -> bool:
    """Whether a result is a problem that is still there and that nobody has accepted (3.27.23)."""
    suppressions = objects_if_any(result.get("suppressions"), "suppressions", KIND)
    accepted = bool(suppressions) and all(one.get("status") in (None, "accepted") for one in suppressions)
    gone = result.get("baselineState") == "absent"
    return not accepted and not gone and result.get("kind") not in _NO_PROBLEM


def _severity(result: Object, rule: object) -> Severity:
    """The CVSS score of the result or its rule; else the level of the same, which is ``warning`` unsaid."""
    for holder in (result, rule):
        score = _score(member(holder, "properties", "security-severity"))
        if score is not None:
            return next(severity for least, severity in _SCORES if score >= least)
    level = result.get("level") or member(rule, "defaultConfiguration", "level") or "warning"
    if not isinstance(level, str) or level not in _LEVELS:
        raise Unreadable(f"the SARIF report knows a level {label(str(level))}, which SARIF does not")
    return _LEVELS[level]


def _score(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        score = float(value)
    except (ValueError, OverflowError):
        return None
    return score if 0 <= score <= 10 else None


def _text(result: Object, rule: object) -> str:
    """The message, which may be one of the rule's with its arguments in it (3.11)."""
    said = member(result, "message") or {}
    text = member(said, "text") or member(rule, "messageStrings", str(member(said, "id")), "text")
    if not isinstance(text, str):
        return str(member(rule, "shortDescription", "text") or "")
    arguments = member(said, "arguments")
    return re.sub(r"\{(\d{1,2})\}", lambda hole: label(member(arguments, int(hole[1]))), text[:10_000])
