"""From which commit the images of a release were built."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from ci_lib.cli.console import Session
from ci_lib.config.resolved import Resolved
from ci_lib.domain.errors import DeployError
from ci_lib.domain.images import Image, Reference
from ci_lib.engine.tools import Variables
from ci_lib.ports.protocols import PortFault

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAG_BEGIN: Final = "sha-"


def references(images: Iterable[Image]) -> dict[str, Reference]:
    """Name → reference of the images of a release."""
    return {
        image.name: Reference(repository=image.repository, tag=image.tag, digest=image.digest)
        for image in images
    }


def references_in(facts: Variables) -> dict[str, Reference]:
    """The same from the release's facts, where DEPLOY_IMAGES is JSON."""
    return {name: Reference.parse(text) for name, text in json.loads(facts["DEPLOY_IMAGES"]).items()}


def commits_of(session: Session, settings: Resolved, images: Mapping[str, Reference]) -> dict[str, str]:
    """Name → commit of each image; empty where it cannot be told.

    A tag ``sha-`` with all digits of a commit says it, as ``build`` makes them; else the registry is asked
    for the label ``org.opencontainers.image.revision``.
    """
    return {
        name: _tagged(image) or _labelled(session, settings, name, image) for name, image in images.items()
    }


def commit_of(session: Session, settings: Resolved, images: Mapping[str, Reference]) -> str:
    """The commit that all images are of; empty where they are of several, or one of them is not known."""
    found = set(commits_of(session, settings, images).values())
    return found.pop() if len(found) == 1 else ""


def _tagged(image: Reference) -> str:
    commit = image.tag.removeprefix(_TAG_BEGIN)
    return commit if image.tag.startswith(_TAG_BEGIN) and _COMMIT.fullmatch(commit) else ""


def _labelled(session: Session, settings: Resolved, name: str, image: Reference) -> str:
    known = settings.images.get(name)
    if settings.target == "process" or known is None or known.resolve == "host":
        return ""  # there is no registry, or this machine does not reach it
    # Not above: the wiring hands the gate that asks this to the engine.
    from ci_lib.cli.wiring import registry_access
    from ci_lib.images.remote import remote_image

    wanted = Reference(repository=image.repository, digest=image.digest)
    try:
        found = remote_image(wanted, **registry_access(session, settings)).revisions
    except (DeployError, PortFault):
        return ""
    commit = next(iter(found)) if len(found) == 1 else ""
    return commit if _COMMIT.fullmatch(commit) else ""
