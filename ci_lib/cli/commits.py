"""From which commit the images of a release were built."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ci_lib.cli.console import Session
from ci_lib.cli.registries import registry_access
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Image, Reference
from ci_lib.domain.text import one_line
from ci_lib.engine.tools import Variables
from ci_lib.ports.protocols import PortFault

Resolve = Callable[[str, Reference], str]
"""Name and reference of an image → the digest that its tag stands for now, as the wiring's ``digest``."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAG_BEGIN: Final = "sha-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The commit that an image is of; where it is not known (empty), why, and what to do about it."""

    commit: str = ""
    why: str = ""
    hint: str = ""


_LABEL_IT: Final = (
    "label the image with org.opencontainers.image.revision, as `build` does, or deploy it by a tag "
    "sha-<commit> that points to it"
)


def references(images: Iterable[Image]) -> dict[str, Reference]:
    """Name → reference of the images of a release."""
    return {
        image.name: Reference(repository=image.repository, tag=image.tag, digest=image.digest)
        for image in images
    }


def references_in(facts: Variables) -> dict[str, Reference]:
    """The same from the release's facts, where DEPLOY_IMAGES is JSON."""
    return {name: Reference.parse(text) for name, text in json.loads(facts["DEPLOY_IMAGES"]).items()}


def origins_of(
    session: Session, settings: Resolved, images: Mapping[str, Reference], resolve: Resolve | None = None
) -> dict[str, Origin]:
    """Name → origin of each image.

    Where its registry is asked from here, the image's own label ``org.opencontainers.image.revision`` says
    it, and a tag ``sha-`` with all digits of another commit makes it unknown: whoever runs a verb can write
    any tag in front of a digest. Without a label such a tag is believed as long as it points to that digest.

    Elsewhere (``resolve: host``, builds of the process target) there is only the tag, which is believed if
    ``resolve`` finds that digest under it; without ``resolve`` it is believed as it is.
    """
    return {name: _origin(session, settings, name, image, resolve) for name, image in images.items()}


def commits_of(session: Session, settings: Resolved, images: Mapping[str, Reference]) -> dict[str, str]:
    """Name → commit of each image, as ``origins_of`` says; empty where it cannot be told."""
    return {name: found.commit for name, found in origins_of(session, settings, images).items()}


def commit_of(session: Session, settings: Resolved, images: Mapping[str, Reference]) -> str:
    """The commit that all images are of; empty where they are of several, or one of them is not known."""
    found = set(commits_of(session, settings, images).values())
    return found.pop() if len(found) == 1 else ""


def _origin(
    session: Session, settings: Resolved, name: str, image: Reference, resolve: Resolve | None
) -> Origin:
    known = settings.images.get(name)
    try:
        if settings.target == "process" or (known is not None and known.resolve == "host"):
            return _tagged(name, image, resolve)
        if known is None:
            return Origin(why="it is no image of this stack any more", hint=_LABEL_IT)
        return _published(session, settings, name, image)
    except DeployError as error:
        return Origin(why=error.message, hint=error.hint)
    except PortFault as fault:
        return Origin(why=str(fault))


def _published(session: Session, settings: Resolved, name: str, image: Reference) -> Origin:
    """What the registry says, which is asked from here. Raises as ``remote_image`` and ``resolve_digest``."""
    from ci_lib.images.registry import resolve_digest
    from ci_lib.images.remote import remote_image

    access = registry_access(session, settings)
    wanted = Reference(repository=image.repository, digest=image.digest)
    labels = remote_image(wanted, **access).revisions
    if labels <= {""}:
        return _tagged(name, image, lambda _, tag: resolve_digest(tag, **access))
    return _labelled(labels, _claimed(image))


def _labelled(labels: frozenset[str], claimed: str) -> Origin:
    """The commit of an image with these labels, one for each platform, whose tag claims a commit or none."""
    label = next(iter(labels))
    if len(labels) > 1:
        return Origin(why="its platforms are not labelled with one and the same commit", hint=_LABEL_IT)
    if claimed not in ("", label):
        return Origin(
            why=f"its tag says {claimed[:12]}, and its label {one_line(label, 50)}",
            hint="that tag is not that image's own: name the image by its own tag, or by its digest alone",
        )
    if not _COMMIT.fullmatch(label):
        return Origin(why=f"its label {one_line(label, 50)} is no commit", hint=_LABEL_IT)
    return Origin(commit=label)


def _tagged(name: str, image: Reference, resolve: Resolve | None) -> Origin:
    """The commit that the tag says, if it points to that image; raises as ``resolve``."""
    claimed = _claimed(image)
    if not claimed:
        return Origin(why="neither a label nor its tag names one", hint=_LABEL_IT)
    found = resolve(name, Reference(repository=image.repository, tag=image.tag)) if resolve else image.digest
    if found != image.digest:
        return Origin(why=f"its tag sha-{claimed[:12]}… does not point to that image", hint=_LABEL_IT)
    return Origin(commit=claimed)


def _claimed(image: Reference) -> str:
    """The commit that a tag names with all its digits, as ``build`` makes them; empty for none."""
    commit = image.tag.removeprefix(_TAG_BEGIN)
    return commit if image.tag.startswith(_TAG_BEGIN) and _COMMIT.fullmatch(commit) else ""
