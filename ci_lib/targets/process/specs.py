"""How the services of a release are started: part of its identity, and kept with it.

deploy.yml says it for what is deployed now. Going back means what was said then.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ci_lib.config.resolved import Resolved
from ci_lib.domain.differences import fingerprints, named


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service: the image whose folder it runs in, its command (argv), and its own environment."""

    image: str
    command: tuple[str, ...]
    env: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """The form used in the book, and to compute the hash."""
        return {"image": self.image, "command": list(self.command), "env": dict(self.env)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(image=data["image"], command=tuple(data["command"]), env=data["env"])


Specs = Mapping[str, ServiceSpec]
"""Service → how it is started."""


def configured(settings: Resolved) -> Specs:
    """What deploy.yml says now."""
    images = {service: name for name, image in settings.images.items() for service in image.services}
    return {
        name: ServiceSpec(image=images[name], command=service.command, env=service.env)
        for name, service in settings.settings.process.services.items()
    }


def settings_of(specs: Specs) -> Mapping[str, str]:
    """``api.command``, ``api.env.PORT`` → SHA-256 of the value."""
    return {
        key: value
        for name, spec in specs.items()
        for key, value in fingerprints(named(name), spec.as_json()).items()
    }


def specs_hash(specs: Specs) -> str:
    """SHA-256 of the specs in canonical JSON: the ``services`` of a release."""
    text = json.dumps({name: spec.as_json() for name, spec in specs.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
