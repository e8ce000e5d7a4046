"""The compose target's checks before a deploy: each says what was found and what was demanded."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ci_lib.config.resolved import Resolved
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.compose.parsed import Parsed, Service
from ci_lib.targets.compose.site import Site, demand

COMPOSE = (2, 20)
ENGINE = (20, 10)
_TOOLS = ("sh", "tar", "flock", "timeout", "docker")

# df on the nearest folder that exists: the run directory may still have to be made.
_ASK = """
for tool in sh tar flock timeout docker; do command -v "$tool" >/dev/null || echo "missing $tool"; done
echo "engine $(docker version --format '{{.Server.Version}}' 2>&1 | tail -n 1)"
echo "compose $(docker compose version --short 2>&1 | tail -n 1)"
docker network ls --format 'network {{.Name}}'
folder=$1; while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
for place in "$folder" "$(docker info --format '{{.DockerRootDir}}')"; do
  [ ! -d "$place" ] || df -P "$place" | tail -n 1 | { read -r _ _ _ _ used _; echo "used $used $place"; }
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What the host says of itself; ``used`` maps a folder to the percentage of its disk in use."""

    missing: tuple[str, ...]
    engine: str
    compose: str
    networks: frozenset[str]
    used: Mapping[str, int]


def ask(site: Site) -> HostFacts:
    """Collect the host's facts in one go."""
    ran = demand(site.look("sh", "-c", _ASK, "sh", site.run_dir), f"could not look at {site.host.name}")
    rows = [line.partition(" ")[::2] for line in ran.stdout.splitlines()]
    used = (text.partition("% ") for word, text in rows if word == "used" and text[:1].isdigit())
    return HostFacts(
        missing=tuple(text for word, text in rows if word == "missing"),
        engine=next((text for word, text in rows if word == "engine"), ""),
        compose=next((text for word, text in rows if word == "compose"), ""),
        networks=frozenset(text for word, text in rows if word == "network"),
        used={place: int(percent) for percent, _, place in used},
    )


def judge(settings: Resolved, parsed: Parsed, host: HostFacts) -> Iterator[CheckResult]:
    """Every check, passed or not."""
    lacking = ", ".join(host.missing)
    yield _row("tools on the host", not lacking, lacking or "all there", ", ".join(_TOOLS))
    yield _version("Docker engine", host.engine, ENGINE)
    yield _version("Docker Compose", host.compose, COMPOSE)
    bound = settings.settings.preflight.disk_free
    for place, used in sorted(host.used.items()):
        free = 100 - used
        yield _row(f"disk free at {place}", free > bound, f"{free} %", f"more than {bound:g} %")
    for network in parsed.external_networks:
        there = network in host.networks
        yield _row(f"network {network}", there, "exists" if there else "missing", "exists")
    managed = settings.managed
    missing = sorted(managed - set(parsed.services))
    yield _row("managed services", not missing, ", ".join(missing) or "all in the Compose file", "defined")
    for service in parsed.services.values():
        yield from _service(service, settings, managed=service.name in managed)


def _service(service: Service, settings: Resolved, *, managed: bool) -> Iterator[CheckResult]:
    if not managed:
        tag = _tag(service.image)
        fixed = service.builds or tag not in ("", "latest")
        value = f"{service.image} (no tag)" if service.image and not tag else service.image or "built here"
        yield _row(f"tag of {service.name}", fixed, value, "a tag other than latest")
        return
    drop = settings.settings.compose.drop_build
    if service.builds and not drop:
        yield _row(f"build of {service.name}", not service.builds, "build:", "none, or drop_build: true")
    limits = settings.settings.preflight.resource_limits
    if limits == "ignore" or service.limited:
        return
    mark = Mark.FAILED if limits == "fail" else Mark.WARNED
    yield CheckResult(
        name=f"limits of {service.name}", mark=mark, value="CPU or memory unlimited", bound="both limited"
    )


def _row(name: str, passed: bool, value: str, bound: str) -> CheckResult:
    return CheckResult(name=name, mark=Mark.PASSED if passed else Mark.FAILED, value=value, bound=bound)


def _version(name: str, text: str, least: tuple[int, int]) -> CheckResult:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    good = found is not None and (int(found[1]), int(found[2])) >= least
    return _row(name, good, text[:80] or "no answer", f"{least[0]}.{least[1]} or newer")


def _tag(image: str) -> str:
    """The tag of a reference, ``@`` for one by digest, empty for none."""
    if "@" in image:
        return "@"
    return image.rpartition("/")[2].partition(":")[2]
