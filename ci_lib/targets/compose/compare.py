"""How a candidate differs from what serves, beside its images."""

from collections.abc import Mapping

from ci_lib.domain.differences import Difference, Differences, How, compared
from ci_lib.domain.target import Candidate
from ci_lib.targets.compose.kept import OnHost, on_host
from ci_lib.targets.compose.memory import Remembered
from ci_lib.targets.compose.site import Site

_ADOPTED = "what serves was not deployed by deploy-actions, so its settings are not known"
_NOT_NOTED = "what serves was deployed by a version that did not note its settings; the next deploy does"


def compare(
    site: Site, remembered: Remembered, entries: Mapping[str, str], candidate: Candidate
) -> Differences:
    """The settings against those that were noted at the switch, the checkout's files (``entries``) likewise.

    What was adopted has left no more than its files in the run directory: those are compared by content.
    """
    found = on_host(site, entries)
    current = next((item.release for item in remembered.kept if item.current), None)
    if current is None:
        return Differences(files=_over(found, entries), unknown=(_ADOPTED,))
    pin = remembered.layouts.get(current.id, "").rstrip("\n").rpartition("\n")[2]
    files = compared(found.entries(without=pin), entries)
    if found.settings is None:
        return Differences(files=files, unknown=(_ADOPTED if current.adopted else _NOT_NOTED,))
    return Differences(settings=compared(found.settings, candidate.settings), files=files)


def _over(found: OnHost, entries: Mapping[str, str]) -> tuple[Difference, ...]:
    """What a first switch puts into the run directory in place of other content; nothing is removed."""
    contents = {path: text.partition(" ")[2] for path, text in entries.items()}
    there = {path: digest for path, digest in found.there.items() if path in contents}
    return tuple(item for item in compared(there, contents) if item.how is not How.REMOVED)
