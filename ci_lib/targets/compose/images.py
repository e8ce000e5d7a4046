"""Images on the host: pulled by digest, and kept by a tag of our own."""

from collections.abc import Callable

from ci_lib.domain.errors import ConfigFault, StepFault
from ci_lib.domain.images import KEPT, Image, Reference, Release
from ci_lib.domain.reasons import Reason
from ci_lib.images.address import address_of
from ci_lib.images.credentials import Credential
from ci_lib.ports.protocols import TimedOut
from ci_lib.targets.compose.commands import kept_tag
from ci_lib.targets.compose.site import LOOK, Site, demand

Logins = Callable[[str], Credential | None]
"""Registry host → credential, as `registries:` in deploy.yml names them.

Raises ``ConfigFault`` when a variable that it names is not set.
"""

# $1 reference, $2 our own tag or nothing, $3 registry and $4 user for a login whose password is on standard
# input. An image that is there needs no registry: a rollback must work when the registry does not. The login
# lives in a folder of its own for one pull: Compose and other users never see it.
_FETCH = """
set -eu; umask 077
there() { if [ -n "$2" ]; then docker tag "$1" "$2"; else docker image inspect "$1"; fi; }
! there "$1" "$2" >/dev/null 2>&1 || exit 0
if [ -n "$3" ]; then
  folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; trap 'exit 1' HUP INT PIPE TERM
  docker --config "$folder" login --username "$4" --password-stdin "$3" >/dev/null
  docker --config "$folder" pull -q "$1"
else docker pull -q "$1"; fi
[ -z "$2" ] || docker tag "$1" "$2"
"""


def pull(site: Site, image: Image, logins: Logins, *, limit: float) -> None:
    """Fetch an image by digest and put our own tag on it; raise ``StepFault`` (PULL) when that fails."""
    if image.repository.startswith(KEPT):
        reference = f"{image.repository}:{image.tag}"
        there = site.look("docker", "image", "inspect", "--format", "{{.Id}}", reference)
        if there.stdout.strip() != image.digest:
            raise StepFault(f"{reference} is not on {site.host.name} any more", reason=Reason.PULL)
        return
    _fetch(site, image.pinned, logins, tag=kept_tag(site.project, image), limit=limit)


def fetch(site: Site, reference: str, logins: Logins, *, limit: float) -> None:
    """Pull a reference unless it is there; nothing that runs is touched, whatever happens."""
    _fetch(site, reference, logins, tag="", limit=limit)


def keep_adopted(site: Site, release: Release) -> None:
    """Put our own tags on what ran before we came."""
    for image in release.images:
        ran = site.change("docker", "tag", local(image), kept_tag(site.project, image), limit=LOOK)
        demand(ran, f"could not keep {image.name} as it ran before", reason=Reason.STOPPED)


def local(image: Image) -> str:
    """What the host knows an image by: its digest, or its own id where it never came from a registry."""
    return image.digest if image.repository.startswith(KEPT) else image.pinned


def _fetch(site: Site, reference: str, logins: Logins, *, tag: str, limit: float) -> None:
    registry = address_of(Reference.parse(reference).repository).host
    try:
        login = logins(registry)
    except ConfigFault:
        # What is on the host already needs no login, and a rollback must not ask for one.
        if not site.look("docker", "image", "inspect", "--format", "{{.Id}}", reference).ok:
            raise
        login = None
    password = login.password.encode() if login else b""
    arguments = (reference, tag, registry if login else "", login.username if login else "")
    try:
        ran = site.change("sh", "-c", _FETCH, "sh", *arguments, stdin=password, limit=limit)
    except TimedOut as error:
        raise _failed(site, reference, str(error)) from error
    except StepFault as error:
        raise _failed(site, reference, error.message) from error
    if not ran.ok:
        raise _failed(site, reference, ran.said)


def _failed(site: Site, reference: str, why: str) -> StepFault:
    return StepFault(
        f"{reference} could not be pulled on {site.host.name}: {why}",
        hint="nothing was changed; can that host reach the registry, and may it read the image?",
        reason=Reason.PULL,
    )
