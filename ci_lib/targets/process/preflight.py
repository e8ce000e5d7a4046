"""The process target's own checks before a deploy."""

from pathlib import Path

from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.process.site import Site
from ci_lib.targets.process.specs import ServiceSpec, Specs

_LIMIT = 10.0


def programs(site: Site, release: Release, specs: Specs) -> tuple[CheckResult, ...]:
    """Whether the program that each service starts with can be found."""
    return tuple(_program(site, release, name, spec) for name, spec in specs.items())


def _program(site: Site, release: Release, name: str, spec: ServiceSpec) -> CheckResult:
    program = spec.command[0]
    image = release.image(spec.image)
    if "/" in program and image is not None:  # from the release's folder, where the service starts
        build = Path(site.settings.folder) / image.repository / image.tag
        found, where = (build / program).is_file(), "in the build"
    else:
        where = "on PATH"
        found = site.host.run(["sh", "-c", 'command -v "$1"', "sh", program], timeout=_LIMIT).ok
    return CheckResult(
        name=f"program of {name}",
        mark=Mark.PASSED if found else Mark.FAILED,
        value=program if found else f"{program} is not {where}",
        bound="can be started",
    )
