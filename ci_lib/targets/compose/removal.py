"""Removing a project, or what a release that failed has added: and before, what that would take along."""

import re
from collections.abc import Collection
from typing import Final

from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.targets.compose.commands import ONE_OFF, PROJECT, SERVICE
from ci_lib.targets.compose.observe import containers, label
from ci_lib.targets.compose.site import Site, demand

_FOLDER: Final = "com.docker.compose.project.working_dir"
_NAMELESS: Final = re.compile(r"[0-9a-f]{64}")

_NAMED: Final = f'{{{{.Label "{PROJECT}"}}}} {{{{.Names}}}}'

# $1 label of the project, $2 its name, $3 label of one-off containers. Those go first, since Compose leaves
# them, and with them the networks that they are on; what it did not make itself it leaves too.
_REMOVE = """
set -eu; project=$1=$2
remove() { for id in $(docker ps -aq --filter "label=$project" "$@"); do docker rm -f "$id" || true; done; }
remove --filter "label=$3=True"
docker compose -p "$2" down
remove
left=$(docker ps -a --filter "label=$project" --format '{{.Names}}')
[ -z "$left" ] || { echo "still there: $left" >&2; exit 1; }
"""


def removable(site: Site, services: Collection[str]) -> tuple[CheckResult, ...]:
    """A row each for what does not come back by itself, and for what is of another project here.

    ``services`` are those that the release starts.
    """
    found, _, _ = containers(site)
    nameless = [
        f"{label(item, SERVICE)} {mount['Destination']} ({mount['Name'][:12]})"
        for item in found
        for mount in item.get("Mounts") or ()
        if mount.get("Type") == "volume" and _NAMELESS.fullmatch(mount.get("Name", ""))
    ]
    orphans = sorted({label(item, SERVICE) for item in found} - set(services))
    return (
        _row("volumes without a name", nameless, "none: they stay, and nothing mounts them", Mark.WARNED),
        _row("services beside the release", orphans, "none: nothing starts them again", Mark.WARNED),
        _row(f"projects in {site.run_dir}", _strangers(site), f"{site.project} alone", Mark.FAILED),
    )


def _strangers(site: Site) -> list[str]:
    """Containers of another project that were started from the run directory: it was renamed, for one."""
    ran = site.look(
        "docker", "ps", "--all", "--filter", f"label={_FOLDER}={site.run_dir}", "--format", _NAMED
    )
    text = demand(ran, "the engine does not say what else was started from there").stdout
    pairs = (line.partition(" ")[::2] for line in text.splitlines())
    return sorted(f"{name} of {project}" for project, name in pairs if project != site.project)


def _row(name: str, found: list[str], bound: str, mark: Mark) -> CheckResult:
    value = ", ".join(found) or "none"
    return CheckResult(name=name, mark=mark if found else Mark.PASSED, value=value, bound=bound)


def remove(site: Site, *, limit: float) -> None:
    """Remove every container of the project, one-off ones too, and its networks; volumes stay."""
    argv = ("env", *site.environment, "sh", "-c", _REMOVE, "sh", PROJECT, site.project, ONE_OFF)
    demand(site.change(*argv, limit=limit), "not everything could be removed")


def remove_new(site: Site, seen: Collection[str], known: Collection[str], *, limit: float) -> None:
    """Remove what a first release that failed has brought: what is ``seen`` and was not ``known`` before."""
    gone = [instance for instance in seen if instance not in known]
    if not gone:
        return
    # By project name alone: the files may not have reached the run directory.
    down = ("env", *site.environment, "docker", "compose", "-p", site.project, "down")
    argv = ("docker", "rm", "-f", *gone) if known else down
    demand(site.change(*argv, limit=limit), "the failed release cannot be removed")
