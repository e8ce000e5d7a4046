"""What lies on the host against what the last switch put there: the pin, the labels, the files."""

import json
from collections.abc import Iterator, Mapping

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.tree import entries_hash
from ci_lib.ports.protocols import NotFound
from ci_lib.targets.compose.commands import LABELS, SERVICE
from ci_lib.targets.compose.kept import OnHost, on_host
from ci_lib.targets.compose.memory import Memory, Remembered
from ci_lib.targets.compose.observe import containers, label
from ci_lib.targets.compose.pin import LOADED, OVERRIDES
from ci_lib.targets.compose.site import Site

_ELSE = "another release lies there"


def drift(site: Site, memory: Memory, release: Release) -> tuple[CheckResult, ...]:
    """Compare with the kept files of ``release``, which is what the ledger says was deployed."""
    remembered = memory.read()
    if not any(item.current and item.release.id == release.id for item in remembered.kept):
        return (CheckResult(name="files", mark=Mark.SKIPPED, value=_ELSE, bound="those of the release"),)
    found = on_host(site)
    layout = remembered.layouts.get(release.id, "").split("\n")[:-1]
    pin = layout[-1] if layout else ""
    return (
        *_kept(found, release, pin),
        *_files(found, pin),
        *(_pin(site, found, release, pin) if pin else ()),
        *_overrides(remembered, layout),
    )


def _kept(found: OnHost, release: Release, pin: str) -> Iterator[CheckResult]:
    """What we compare with has to be what was recorded itself; of an adopted release no hash is known."""
    if release.adopted:
        return
    same = entries_hash(found.entries(without=pin)) == release.files
    yield CheckResult(
        name="kept files",
        mark=Mark.PASSED if same else Mark.FAILED,
        value="the recorded hash" if same else "another hash: they were changed, or are not whole",
        bound=f"SHA-256 {release.files[:12]}, as recorded",
    )


def _files(found: OnHost, pin: str) -> Iterator[CheckResult]:
    """A row for each file that is another one, or one for all that are the same."""
    kept = {path: digest for path, digest in found.kept.items() if path != pin}
    wrong = {path: _state(found, path) for path in sorted(kept) if found.there.get(path) != kept[path]}
    for path, state in wrong.items():
        yield CheckResult(name=f"file {path}", mark=Mark.FAILED, value=state, bound="as deployed")
    if not wrong:
        yield CheckResult(
            name="files", mark=Mark.PASSED, value=f"{len(kept)} as deployed", bound=f"{len(kept)} as deployed"
        )


def _state(found: OnHost, path: str) -> str:
    return "changed" if path in found.there else "missing, or no plain file"


def _pin(site: Site, found: OnHost, release: Release, pin: str) -> Iterator[CheckResult]:
    written = found.kept.get(pin)
    same = written is not None and found.there.get(pin) == written
    value = "as written" if same else _state(found, pin)
    mark = Mark.PASSED if same else Mark.FAILED
    yield CheckResult(name=f"pin {pin}", mark=mark, value=value, bound="as written")
    expected = _expected(site, release, pin)
    if expected is None:
        yield CheckResult(
            name="labels", mark=Mark.FAILED, value="the kept pin cannot be read", bound="those of the pin"
        )
        return
    yield from _labels(site, expected)


def _expected(site: Site, release: Release, pin: str) -> Mapping[str, Mapping[str, str]] | None:
    """Service → labels that its containers were started with; None where the kept pin does not tell."""
    try:
        text = site.host.read(f"{site.state}/releases/{release.id}/files/{pin}").decode()
        services = json.loads(text.partition("\n")[2])["services"]
        return {name: {key: str(value["labels"][key]) for key in LABELS} for name, value in services.items()}
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None


def _labels(site: Site, expected: Mapping[str, Mapping[str, str]]) -> Iterator[CheckResult]:
    found, _, _ = containers(site)
    for service, labels in expected.items():
        there = [item for item in found if label(item, SERVICE) == service]
        wrong = sorted(name for name in LABELS if any(label(item, name) != labels[name] for item in there))
        if there:
            yield CheckResult(
                name=f"labels of {service}",
                mark=Mark.FAILED if wrong else Mark.PASSED,
                value=f"missing or other: {', '.join(wrong)}" if wrong else "as deployed",
                bound="as deployed",
            )


def _overrides(remembered: Remembered, layout: list[str]) -> Iterator[CheckResult]:
    """What Compose would load beside, or instead of, the release's files, when a person calls it by hand."""
    files = "none: no release brought it"
    named = "no COMPOSE_FILE, so that Compose loads the pin"
    for name in remembered.foreign:
        if name in OVERRIDES and layout and name not in layout:
            yield CheckResult(name=f"override {name}", mark=Mark.FAILED, value="there", bound=files)
        if name not in OVERRIDES and LOADED in layout:
            yield CheckResult(name=name, mark=Mark.FAILED, value="names COMPOSE_FILE", bound=named)
