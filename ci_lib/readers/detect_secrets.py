"""What ``detect-secrets scan`` prints, and a baseline, which is the same with the verdicts of an audit.

Every secret is critical. The report holds hashes of secrets; short secrets can be guessed from them, so not
even a hash is taken over.
"""

from collections.abc import Iterator
from typing import Final

from ci_lib.domain.gate import Finding, Reading, Severity, Unreadable
from ci_lib.readers.raw import decoded, json_object, objects
from ci_lib.readers.words import label, spot

KIND: Final = "detect-secrets"


def read(data: bytes) -> Reading:
    """The secrets that were found and that no audit found harmless. Raises ``Unreadable``."""
    report = json_object(decoded(data, KIND), KIND)
    results = report.get("results")
    if not isinstance(results, dict) or not isinstance(report.get("plugins_used"), list):
        raise Unreadable("the detect-secrets report lacks `results` or `plugins_used`: is it one?")
    return Reading(findings=tuple(_findings(results)))


def _findings(results: dict[str, object]) -> Iterator[Finding]:
    for file, entries in results.items():
        for entry in objects(entries, f"results of {label(file)}", KIND):
            kind = entry.get("type")
            if not isinstance(kind, str):
                raise Unreadable(f"the detect-secrets report does not say what it found in {label(file)}")
            if entry.get("is_secret") is False:  # a person's verdict
                continue
            verified = ", verified: it works" if entry.get("is_verified") is True else ""
            yield Finding(
                severity=Severity.CRITICAL,
                rule=label(kind) or "(no type)",
                message=f"a secret of kind {label(kind)}{verified}",
                spot=spot(file, entry.get("line_number")),
            )
