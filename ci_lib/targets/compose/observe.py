"""What runs: every container of the project, with the names its image is known by."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ci_lib.domain.errors import StepFault, UsageFault
from ci_lib.domain.images import KEPT, Image, Reference, Release
from ci_lib.domain.reasons import Reason
from ci_lib.domain.running import Health, Running
from ci_lib.targets.compose.commands import LABELS, ONE_OFF, PROJECT, RELEASE, SERVICE
from ci_lib.targets.compose.site import Site

_TRIES = 3
_NEVER_STARTED = "0001-01-01"

# An image that was deleted by force must not hide the others: what is found is printed all the same.
_LOOK = """
set -eu
date -u +%s
ids=$(docker ps -aq --no-trunc --filter "label=$1")
[ -n "$ids" ] || exit 0
found=$(docker inspect --format '{{.Image}} {{json .}}' $ids)
printf '%s\\n---\\n' "$found"
docker image inspect --format '{{json .}}' $(printf '%s\\n' "$found" | cut -d ' ' -f 1 | sort -u) || true
"""


def containers(site: Site) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Mapping[str, Any]], float]:
    """Inspected containers, inspected images by id, and the host's time; one-off containers left out."""
    for _ in range(_TRIES):
        ran = site.look("sh", "-c", _LOOK, "sh", f"{PROJECT}={site.project}")
        if ran.ok:
            break
    else:
        raise StepFault(
            f"the engine on {site.host.name} does not say what runs: {ran.said}",
            hint="is the Docker engine running there, and may this user use it?",
            reason=Reason.UNREACHABLE,
        )
    now, *lines = ran.stdout.splitlines()
    middle = lines.index("---") if "---" in lines else len(lines)
    found = [json.loads(line.partition(" ")[2]) for line in lines[:middle]]
    images = [json.loads(line) for line in lines[middle + 1 :]]
    lasting = (item for item in found if label(item, ONE_OFF) != "True")
    return tuple(lasting), {image["Id"]: image for image in images}, float(now)


def observe(site: Site) -> tuple[Running, ...]:
    """Every container of the project as ``Running``."""
    found, images, now = containers(site)
    return tuple(running(item, images, now, site.host.name) for item in found)


def running(
    item: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], now: float, host: str
) -> Running:
    """Read one inspected container; ``now`` in seconds of the host's clock."""
    state = item["State"]
    image = images.get(item["Image"], {})
    return Running(
        workload=label(item, SERVICE),
        instance=item["Id"],
        host=host,
        image_ids=(*_digests(item, image), item["Image"]) if image else (),
        health=_health(state),
        started_at=state["StartedAt"],
        restarts=int(item.get("RestartCount", 0)),
        release_id=label(item, RELEASE),
        exit_code=int(state["ExitCode"]) if state["Status"] in ("exited", "dead") else None,
        age=_age(state["StartedAt"], now),
    )


def _digests(item: Mapping[str, Any], image: Mapping[str, Any]) -> list[str]:
    """The image by digest, as the repository calls it that the container was started from; then by others.

    The engine knows an image that two repositories hold by both names, in no order that means anything.
    """
    own = _repository(item["Config"]["Image"])
    return sorted(image.get("RepoDigests") or (), key=lambda known: _repository(known) != own)


def labels(site: Site) -> Mapping[str, Mapping[str, str]]:
    """Service → our labels on its containers, for those that have them."""
    found, _, _ = containers(site)
    return {
        label(item, SERVICE): {name: label(item, name) for name in LABELS}
        for item in found
        if label(item, RELEASE)
    }


def adopted(site: Site) -> Release | None:
    """The managed services that run, as a release; None when there are none.

    Asked only where no current release is remembered: what carries our label then comes from a run directory
    that was lost or moved, and must not be taken for nothing.

    An image that came from the configured repository keeps its digest; any other is known by its own id,
    under a tag that exists on this host only.
    """
    found, inspected, _ = containers(site)
    images: dict[str, Image] = {}
    for name, settings in site.settings.images.items():
        for item in found:
            if label(item, SERVICE) in settings.services:
                image = _adopt(name, settings.repository, item, inspected, site.project)
                if images.setdefault(name, image).digest != image.digest:
                    raise StepFault(
                        f"the services of image {name} run different images and cannot be adopted as one",
                        hint=f"bring {', '.join(settings.services)} to the same image first",
                        reason=Reason.PREFLIGHT,
                    )
    if not images:
        return None
    return Release(images=tuple(images.values()), adopted=True)


def _adopt(
    name: str,
    repository: str,
    item: Mapping[str, Any],
    inspected: Mapping[str, Mapping[str, Any]],
    project: str,
) -> Image:
    digests = inspected.get(item["Image"], {}).get("RepoDigests") or ()
    for known in digests:
        if known.startswith(f"{repository}@"):
            started = _parsed(item["Config"]["Image"])
            tag = started.tag if started else ""
            return Image(name=name, repository=repository, tag=tag, digest=known.partition("@")[2])
    own = Image(name=name, repository=f"{KEPT}{project}/{name}", digest=item["Image"])
    return Image(name=name, repository=own.repository, tag=own.kept_as, digest=own.digest)


def _repository(text: str) -> str:
    named = _parsed(text)
    return named.repository if named else ""


def _parsed(text: str) -> Reference | None:
    """What a container calls its image; None for an odd name, which is no fault: the digest decides."""
    try:
        return Reference.parse(text)
    except UsageFault:
        return None


def _health(state: Mapping[str, Any]) -> Health:
    status = state["Status"]
    if status in ("exited", "dead"):
        return Health.EXITED
    if status != "running":
        return Health.UNHEALTHY if status == "paused" else Health.STARTING
    health = (state.get("Health") or {}).get("Status", "none")
    return Health(health) if health in set(Health) else Health.NONE


def _age(started_at: str, now: float) -> float:
    if started_at.startswith(_NEVER_STARTED):
        return 0.0
    # Nanoseconds are more than fromisoformat reads.
    return now - datetime.fromisoformat(started_at[:19] + "+00:00").timestamp()


def label(item: Mapping[str, Any], name: str) -> str:
    """A label of an inspected container, empty when it has none of that name."""
    return str((item["Config"].get("Labels") or {}).get(name, ""))
