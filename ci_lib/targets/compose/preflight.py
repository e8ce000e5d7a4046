"""The compose target's checks before a deploy: each says what was found and what was demanded."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Release
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.compose.parsed import Parsed, Service
from ci_lib.targets.compose.site import Site, demand

COMPOSE = (2, 20)
ENGINE = (20, 10)
_TOOLS = ("sh", "tar", "flock", "timeout", "docker")

# $1 run directory, then the images that a failure would go back to; the paths of the release's files arrive
# on standard input. df looks at the nearest folder that exists: the run directory may still have to be made.
# What takes its time runs side by side.
_ASK = """
run=$1; shift
for tool in sh tar flock timeout docker; do command -v "$tool" >/dev/null || echo "missing $tool"; done
folder=$run; while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
disk() { df -P "$1" | tail -n 1 | { read -r _ _ _ _ used _; echo "used $used $1"; }; }
{ echo "engine $(docker version --format '{{.Server.Version}}' 2>&1 | tail -n 1)"; } &
{ echo "compose $(docker compose version --short 2>&1 | tail -n 1)"; } &
docker network ls --format 'network {{.Name}}' &
{ root=$(docker info --format '{{.DockerRootDir}}'); [ ! -d "$root" ] || disk "$root"; } &
disk "$folder"
[ -w "$folder" ] || echo "closed $folder"
while IFS= read -r path; do
  [ ! -L "$run/$path" ] || echo "closed $path (a link)"
  [ ! -e "$run/$path" ] || [ -w "$run/$path" ] || echo "closed $path"
done
for image in "$@"; do docker image inspect --format ok "$image" >/dev/null 2>&1 || echo "lost $image"; done
wait
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What the host says of itself; ``used`` maps a folder to the percentage of its disk in use.

    ``closed`` are files that could not be replaced, ``lost`` images that could not be gone back to.
    """

    missing: tuple[str, ...]
    engine: str
    compose: str
    networks: frozenset[str]
    used: Mapping[str, int]
    closed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def ask(site: Site, files: Iterable[str], images: Iterable[str]) -> HostFacts:
    """Collect the host's facts in one go, about the release's ``files`` and the ``images`` to go back to."""
    paths = "".join(f"{path}\n" for path in files).encode()
    ran = site.look("sh", "-c", _ASK, "sh", site.run_dir, *images, stdin=paths)
    lines = demand(ran, f"could not look at {site.host.name}").stdout.splitlines()
    rows = [line.partition(" ")[::2] for line in lines]

    def those(word: str) -> tuple[str, ...]:
        return tuple(text for found, text in rows if found == word)

    used = (text.partition("% ") for text in those("used") if text[:1].isdigit())
    return HostFacts(
        missing=those("missing"),
        engine="".join(those("engine")[:1]),
        compose="".join(those("compose")[:1]),
        networks=frozenset(those("network")),
        used={place: int(percent) for percent, _, place in used},
        closed=those("closed"),
        lost=those("lost"),
    )


def judge(settings: Resolved, parsed: Parsed, host: HostFacts) -> Iterator[CheckResult]:
    """Every check, passed or not."""
    yield from judge_host(settings, host)
    for network in parsed.external_networks:
        there = network in host.networks
        yield _row(f"network {network}", there, "exists" if there else "missing", "exists")
    managed = settings.managed
    missing = sorted(managed - set(parsed.services))
    yield _row("managed services", not missing, ", ".join(missing) or "all in the Compose file", "defined")
    for service in parsed.services.values():
        yield from _service(service, settings, managed=service.name in managed)


def judge_host(settings: Resolved, host: HostFacts) -> Iterator[CheckResult]:
    """The checks that need no release: tools, versions, room, and whether the files can be replaced."""
    lacking = ", ".join(host.missing)
    yield _row("tools on the host", not lacking, lacking or "all there", ", ".join(_TOOLS))
    yield _version("Docker engine", host.engine, ENGINE)
    yield _version("Docker Compose", host.compose, COMPOSE)
    bound = settings.settings.preflight.disk_free
    if not host.used:  # a check that cannot decide does not pass
        yield _row("disk free", bool(host.used), "df does not say", f"more than {bound:g} %")
    for place, used in sorted(host.used.items()):
        free = 100 - used
        yield _row(f"disk free at {place}", free > bound, f"{free} %", f"more than {bound:g} %")
    closed = ", ".join(host.closed)
    yield _row("files in the run directory", not closed, closed or "writable", "files, and writable")


def rollback_target(previous: Release, host: HostFacts) -> CheckResult:
    """Whether the images that a failure would go back to are on the host."""
    lost = f"{previous.version}: not there: {', '.join(host.lost)}"
    value = lost if host.lost else previous.version
    return _row("rollback target", not host.lost, value, "its images are on the host")


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
