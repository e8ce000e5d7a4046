"""The pin: an override file that fixes the digest of every managed service.

Plain ``docker compose`` loads it by itself, so a person's ``up -d`` at night keeps the digest. Where the
stack has an override of its own, or several files, the pin cannot have that name: it then lies in our own
folder, and ``status`` prints the command that includes it.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from ci_lib.config.resolved import Resolved
from ci_lib.domain.images import Release
from ci_lib.targets.compose.commands import CONFIG, RELEASE, VERSION, pin_reference

LOADED = "compose.override.yaml"
EXPLICIT = ".deploy-actions/images.yaml"
MARK = "# Written by deploy-actions: fixes the image of every managed service. Do not edit."

DEFAULTS = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""Names that Compose looks for, in its order (compose-go, DefaultFileNames, DefaultOverrideFileNames)."""


def render(
    release: Release,
    settings: Resolved,
    *,
    labels: Mapping[str, Mapping[str, str]],
    defined: Collection[str],
) -> bytes:
    """The file's content; ``labels`` are those of services that keep the release they carry.

    Only services that the Compose file defines (``defined``) stand in it: the pin must not make one.

    JSON is YAML, and needs no quoting rules of its own.
    """
    services: dict[str, Any] = {}
    own = {RELEASE: release.id, VERSION: release.version, CONFIG: settings.config_hash}
    for service, reference in pinned(release, settings).items():
        if service in defined:
            services[service] = {"image": reference, "labels": dict(labels.get(service, own))}
    data = {"name": settings.settings.compose.project, "services": dict(sorted(services.items()))}
    return f"{MARK}\n{json.dumps(data, indent=2)}\n".encode()


def pinned(release: Release, settings: Resolved) -> Mapping[str, str]:
    """Service → reference. An image that deploy.yml has no more is left as the Compose file has it."""
    return {
        service: pin_reference(image)
        for image in release.images
        if image.name in settings.images
        for service in settings.images[image.name].services
    }


def is_loaded(files: tuple[str, ...], foreign: tuple[str, ...]) -> bool:
    """Whether Compose would find the pin by itself."""
    return len(files) == 1 and files[0] in DEFAULTS and not foreign
