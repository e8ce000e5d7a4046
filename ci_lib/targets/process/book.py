"""What the process target remembers between runs, in one JSON file."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ci_lib.domain.images import Image, Release
from ci_lib.domain.target import Kept
from ci_lib.ports.protocols import Host, NotFound, Process
from ci_lib.targets.process.specs import ServiceSpec, Specs

KEEP = 5
"""Good releases that are kept, beside the current one and the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process that we started: of which release, from which image, and when (seconds since 1970)."""

    process: Process
    release_id: str
    image: Image
    at: float

    def as_json(self) -> dict[str, Any]:
        """The form used in the book."""
        return {
            "pid": self.process.pid,
            "started": self.process.started,
            "release_id": self.release_id,
            "image": self.image.as_json(),
            "at": self.at,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(
            process=Process(pid=data["pid"], started=data["started"]),
            release_id=data["release_id"],
            image=Image.from_json(data["image"]),
            at=data["at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A release that was switched to, and how its services are started; the rest is explained at ``Kept``."""

    release: Release
    specs: Specs
    good: bool = False
    left: bool = False

    def as_json(self) -> dict[str, Any]:
        """The form used in the book."""
        services = {name: spec.as_json() for name, spec in self.specs.items()}
        marks = {"good": self.good, "left": self.left}
        return {"release": self.release.as_json(), "services": services, **marks}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        specs = {name: ServiceSpec.from_json(item) for name, item in data["services"].items()}
        release = Release.from_json(data["release"])
        return cls(release=release, specs=specs, good=data["good"], left=data["left"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The id of the release that serves, its processes by service, and every known release, newest first."""

    current: str = ""
    started: Mapping[str, Started] = field(default_factory=dict)
    known: tuple[Known, ...] = ()

    @classmethod
    def read(cls, host: Host, path: str) -> Self:
        """Read the file; a missing one is an empty book."""
        try:
            data: dict[str, Any] = json.loads(host.read(path))
        except NotFound:
            return cls()
        return cls(
            current=data["current"],
            started={name: Started.from_json(item) for name, item in data["started"].items()},
            known=tuple(Known.from_json(item) for item in data["known"]),
        )

    def write(self, host: Host, path: str) -> None:
        """Replace the file."""
        data = {
            "current": self.current,
            "started": {name: item.as_json() for name, item in self.started.items()},
            "known": [item.as_json() for item in self.known],
        }
        host.write(path, json.dumps(data, indent=1).encode())

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The known releases, as the engine sees them."""
        return tuple(
            Kept(
                release=item.release,
                good=item.good,
                current=item.release.id == self.current,
                left=item.left,
            )
            for item in self.known
        )

    def find(self, release_id: str) -> Known | None:
        """A known release by its id."""
        return next((item for item in self.known if item.release.id == release_id), None)

    def specs(self, services: str) -> Specs | None:
        """How the services with that hash are started, if a known release has them."""
        return next((item.specs for item in self.known if item.release.services == services), None)

    def leave(self) -> Self:
        """The book when a person rolls back from the release that serves."""
        known = (replace(item, left=item.left or item.release.id == self.current) for item in self.known)
        return replace(self, known=tuple(known))

    def serve(self, release: Release, specs: Specs) -> Self:
        """The book when that release takes the place of what ran; nothing is started yet."""
        before = self.find(release.id)
        newest = Known(release=release, specs=specs, good=before is not None and before.good)
        others = tuple(item for item in self.known if item.release.id != release.id)
        return replace(self, current=release.id, started={}, known=(newest, *others))

    def start(self, service: str, started: Started) -> Self:
        """The book with one more process."""
        return replace(self, started={**self.started, service: started})

    def mark_good(self, release: Release) -> Self:
        """The book when that release has passed here."""
        known = (replace(item, good=True) if item.release.id == release.id else item for item in self.known)
        return replace(self, known=tuple(known))

    def let_go(self, *, stay: Collection[str]) -> Self:
        """The book without what is too old: beside the releases with those ids the newest good ones stay."""
        others = [item.release.id for item in self.known if item.good and item.release.id not in stay]
        kept = {*stay, *others[:KEEP]}
        return replace(self, known=tuple(item for item in self.known if item.release.id in kept))
