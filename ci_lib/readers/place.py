"""Reports name files as the tool saw them; annotations and evidence name them from the checkout on."""

from dataclasses import replace
from posixpath import join, normpath

from ci_lib.domain.gate import Reading, Spot


def placed(reading: Reading, *, checkout: str, folder: str) -> Reading:
    """``reading`` with every place relative to ``checkout``; both folders are absolute.

    A relative path counts from ``folder``, where the job ran. A place outside the checkout becomes part of
    the finding's message, so that it is not lost.
    """
    cases = tuple(replace(case, spot=_within(case.spot, checkout, folder)) for case in reading.cases)
    findings = []
    for finding in reading.findings:
        spot = _within(finding.spot, checkout, folder)
        outside = finding.spot if spot is None else None
        note = f" (in {outside.path}, line {outside.line})" if outside else ""
        findings.append(replace(finding, spot=spot, message=finding.message + note))
    return replace(reading, cases=cases, findings=tuple(findings))


def _within(spot: Spot | None, checkout: str, folder: str) -> Spot | None:
    if spot is None:
        return None
    path = normpath(join(folder, spot.path))
    root = normpath(checkout).rstrip("/") + "/"
    return Spot(path=path.removeprefix(root), line=spot.line) if path.startswith(root) else None
