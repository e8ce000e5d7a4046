"""What ``trufflehog --json`` prints: one JSON object a line for each secret.

Every secret is critical, whether TruffleHog could log in with it (verified) or not. The secret itself, which
stands in each line, is never taken over.
"""

from collections.abc import Iterator
from typing import Any, Final

from ci_lib.domain.gate import Finding, Reading, Severity, Spot, Unreadable
from ci_lib.readers.raw import decoded, json_object, member
from ci_lib.readers.words import label, spot

KIND: Final = "TruffleHog"


def read(data: bytes) -> Reading:
    """The secrets that TruffleHog found. Raises ``Unreadable``.

    No output at all is what it prints when it finds nothing: whether it ran to its end, its exit code tells.
    """
    if not data.strip():
        return Reading()
    return Reading(findings=tuple(_findings(decoded(data, KIND))))


def _findings(text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json_object(line, KIND)
        except Unreadable as fault:
            raise Unreadable(f"line {number}: {fault}") from None
        if not _is_log(entry):
            yield _finding(entry, number)


def _is_log(entry: dict[str, Any]) -> bool:
    """Whether this is a line of TruffleHog's log; an error in it means that not all was looked at."""
    parts = [entry.get(key) for key in ("level", "ts", "logger", "msg")]
    if not all(isinstance(part, str) for part in parts) or "DetectorName" in entry:
        return False
    if str(entry["logger"]).split(".")[0] != "trufflehog":
        return False
    if entry["level"] == "error":
        raise Unreadable(f"TruffleHog could not look at everything: {label(entry['msg'])}")
    return True


def _finding(entry: dict[str, Any], number: int) -> Finding:
    detector, verified = entry.get("DetectorName"), entry.get("Verified")
    if not isinstance(detector, str) or not isinstance(verified, bool) or "SourceMetadata" not in entry:
        raise Unreadable(f"line {number} of the TruffleHog report is neither a finding nor a line of its log")
    place, commit = _source(entry)
    state = "verified: it works" if verified else "not verified"
    return Finding(
        severity=Severity.CRITICAL,
        rule=label(detector) or "(no detector)",
        message=f"a secret of kind {label(detector)}{commit}, {state}",
        spot=place,
    )


def _source(entry: dict[str, Any]) -> tuple[Spot | None, str]:
    """File and line, and a word on the commit, from the one kind of source in ``SourceMetadata.Data``."""
    data = member(entry, "SourceMetadata", "Data")
    source = next(iter(data.values()), None) if isinstance(data, dict) else None
    commit = label(member(source, "commit"))[:12]
    place = spot(member(source, "file"), member(source, "line"))
    return place, f" in commit {commit}" if commit else ""
