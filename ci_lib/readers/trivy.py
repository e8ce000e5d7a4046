"""The JSON that ``trivy fs``, ``repo`` and ``image`` write: vulnerabilities, settings, secrets, licences."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from ci_lib.domain.gate import Finding, Reading, Severity, Unreadable
from ci_lib.readers.raw import decoded, json_object, member, objects_if_any
from ci_lib.readers.words import label, message, spot

KIND: Final = "Trivy"
_SCHEMA: Final = 2
_SEVERITIES: Final = {severity.name: severity for severity in Severity}
_CHECKOUTS: Final = ("filesystem", "repository")
"""Kinds of artifacts whose files are those of a checkout; those of an image are not."""

Object = Mapping[str, Any]


def read(data: bytes) -> Reading:
    """The findings of a Trivy report. Raises ``Unreadable``.

    Trivy leaves ``Results`` out when there is nothing to tell.
    """
    report = json_object(decoded(data, KIND), KIND)
    if report.get("SchemaVersion") != _SCHEMA:
        raise Unreadable(f"the Trivy report is not of schema version {_SCHEMA}, as `--format json` writes it")
    results = objects_if_any(report.get("Results"), "Results", KIND)
    checkout = report.get("ArtifactType") in _CHECKOUTS
    return Reading(findings=tuple(one for result in results for one in _findings(result, checkout=checkout)))


class _Part(NamedTuple):
    """What differs between kinds of findings. ``path`` is foreign and may be anything."""

    rule: object
    text: str
    path: object = None
    line: object = 0


def _findings(result: Object, *, checkout: bool) -> Iterator[Finding]:
    for key, describe in _KINDS.items():
        for entry in objects_if_any(result.get(key), key, KIND):
            if entry.get("Status") in ("PASS", "EXCEPTION"):  # of a misconfiguration; --include-non-failures
                continue
            part = describe(entry, result)
            yield Finding(
                severity=_severity(entry),
                rule=label(part.rule) or "(no name)",
                message=message(part.text),
                spot=spot(part.path, part.line) if checkout else None,
            )


def _severity(entry: Object) -> Severity:
    word = entry.get("Severity") or "UNKNOWN"
    if not isinstance(word, str) or word not in _SEVERITIES:
        raise Unreadable(f"the Trivy report knows a severity {label(str(word))}, which Trivy does not")
    return _SEVERITIES[word]


def _vulnerability(entry: Object, result: Object) -> _Part:
    package = f"{label(entry.get('PkgName'))} {label(entry.get('InstalledVersion'))}"
    fixed = label(entry.get("FixedVersion"))
    text = f"{package}: {label(entry.get('Title'))}" + (f" (fixed in {fixed})" if fixed else "")
    # The target of a system's packages is its name, not a file.
    path = entry.get("PkgPath") or (result.get("Target") if result.get("Class") == "lang-pkgs" else None)
    return _Part(entry.get("VulnerabilityID"), text, path)


def _misconfiguration(entry: Object, result: Object) -> _Part:
    text = f"{label(entry.get('Title'))}: {label(entry.get('Message'))}"
    line = member(entry, "CauseMetadata", "StartLine")
    return _Part(entry.get("AVDID") or entry.get("ID"), text, result.get("Target"), line)


def _secret(entry: Object, result: Object) -> _Part:
    """Without ``Match`` and ``Code``, which show the secret's surroundings and sometimes another secret."""
    text = f"a secret: {label(entry.get('Title'))}"
    return _Part(entry.get("RuleID"), text, result.get("Target"), entry.get("StartLine"))


def _licence(entry: Object, _: Object) -> _Part:
    where = label(entry.get("PkgName")) or label(entry.get("FilePath"))
    text = f"licence {label(entry.get('Name'))} ({label(entry.get('Category'))}) of {where}"
    return _Part(entry.get("Name"), text, entry.get("FilePath"))


_KINDS: Final[Mapping[str, Callable[[Object, Object], _Part]]] = {
    "Vulnerabilities": _vulnerability,
    "Misconfigurations": _misconfiguration,
    "Secrets": _secret,
    "Licenses": _licence,
}
