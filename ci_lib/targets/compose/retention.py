"""What is kept for a rollback, and what is let go."""

from collections.abc import Collection, Iterable

from ci_lib.domain.images import KEPT
from ci_lib.targets.compose.commands import kept_tag
from ci_lib.targets.compose.memory import Memory
from ci_lib.targets.compose.site import LOOK, Site, demand

KEEP = 5
"""Good releases that are kept, beside the current one and the rollback target."""

# $1 state, $2 id of a release that is to be marked as good, or nothing, $3 pattern of our own tags. What a
# look left behind that the host did not survive is swept away by the way.
_MARK = """
set -eu; cd "$1"; [ -z "$2" ] || : > "releases/$2/good"
find . -maxdepth 1 -name 'plan-*' -mmin +60 -exec rm -rf {} +
docker image ls --format '{{.Repository}}:{{.Tag}}' --filter "reference=$3"
"""

# $1 is the number of folders; what follows them are tags. By tag, since by id all tags of an image would go.
# One that a stopped container still needs stays, and goes another time.
_REMOVE = """
set -eu; left=$1; shift
while [ "$left" -gt 0 ]; do rm -rf -- "$1"; shift; left=$((left - 1)); done
[ $# -eq 0 ] || docker image rm "$@" || true
"""


def marked(site: Site, release_id: str) -> tuple[str, ...]:
    """Mark a release as good, unless the id is empty; returns our own tags on the host."""
    mark = ("sh", "-c", _MARK, "sh", site.state, release_id, f"{KEPT}{site.project}/*")
    return tuple(demand(site.change(*mark, limit=LOOK), "could not mark the release").stdout.split())


def let_go(site: Site, memory: Memory, *, stay: Collection[str], tags: Iterable[str]) -> None:
    """Remove the kept releases that are too old, and those of ``tags`` that only they needed.

    The releases whose ids are in ``stay`` are not counted, and remain.
    """
    kept = {item.release.id: item for item in memory.read().kept}
    others = [key for key, item in kept.items() if item.good and key not in stay]
    spared = {*stay, *others[:KEEP]}
    folders = [f"{site.state}/releases/{key}" for key in kept if key not in spared]
    images = (image for key, item in kept.items() if key in spared for image in item.release.images)
    needed = {kept_tag(site.project, image) for image in images}
    unneeded = [tag for tag in tags if tag not in needed]
    if folders or unneeded:
        argv = ("sh", "-c", _REMOVE, "sh", str(len(folders)), *folders, *unneeded)
        demand(site.change(*argv, limit=LOOK), "could not remove old releases")
        memory.changed()
