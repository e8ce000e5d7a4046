"""The process target's own checks before a deploy."""

import os
from pathlib import Path

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.process.site import Site
from ci_lib.targets.process.specs import ServiceSpec, Specs

_LIMIT = 10.0


def programs(site: Site, release: Release, specs: Specs) -> tuple[CheckResult, ...]:
    """Whether the program that each service starts with can be found and executed.

    Only the system itself knows whether it can: what is not seen here fails the switch.
    """
    return tuple(_program(site, release, name, spec) for name, spec in specs.items())


def _program(site: Site, release: Release, name: str, spec: ServiceSpec) -> CheckResult:
    program = spec.command[0]
    wrong = _wrong(site, release, spec)
    return CheckResult(
        name=f"program of {name}",
        mark=Mark.FAILED if wrong else Mark.PASSED,
        value=f"{program} is not {wrong}" if wrong else program,
        bound="can be started",
    )


def _wrong(site: Site, release: Release, spec: ServiceSpec) -> str:
    """What the program is not: in its place, or executable. Empty when it is both."""
    program, image = spec.command[0], release.image(spec.image)
    if "/" in program and image is not None:  # from the release's folder, where the service starts
        file = Path(site.settings.folder) / image.repository / image.tag / program
        if not file.is_file():
            return "in the build"
        return "" if os.access(file, os.X_OK) else "executable"
    found = site.host.run(["sh", "-c", 'command -v "$1"', "sh", program], timeout=_LIMIT).ok
    return "" if found else "on PATH"
