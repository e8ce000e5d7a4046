"""What the process target remembers between runs, in one JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ci_lib.domain.images import Release
from ci_lib.domain.target import Kept
from ci_lib.ports.protocols import Host, NotFound, Process

KEEP = 5
"""Good releases that are kept, beside the current one and the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A process that we started: which one, for which release, and when (seconds since 1970)."""

    process: Process
    release_id: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Processes by service, and the releases that can be gone back to, newest first."""

    current: str = ""
    started: Mapping[str, Started] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()

    @classmethod
    def read(cls, host: Host, path: str) -> Self:
        """Read the file; a missing one is an empty book."""
        try:
            data: dict[str, Any] = json.loads(host.read(path))
        except NotFound:
            return cls()
        return cls(
            current=data["current"],
            started={name: _started(item) for name, item in data["started"].items()},
            kept=tuple(
                Kept(
                    release=Release.from_json(item["release"]),
                    good=item["good"],
                    current=item["release"]["id"] == data["current"],
                )
                for item in data["kept"]
            ),
        )

    def write(self, host: Host, path: str) -> None:
        """Replace the file."""
        data = {
            "current": self.current,
            "started": {
                name: {
                    "pid": item.process.pid,
                    "started": item.process.started,
                    "release_id": item.release_id,
                    "at": item.at,
                }
                for name, item in self.started.items()
            },
            "kept": [{"release": item.release.as_json(), "good": item.good} for item in self.kept],
        }
        host.write(path, json.dumps(data, indent=1).encode())

    def serve(self, release: Release, started: Mapping[str, Started]) -> Self:
        """The book after a switch: the release is current, and known."""
        known = tuple(item for item in self.kept if item.release.id != release.id)
        good = any(item.good for item in self.kept if item.release.id == release.id)
        newest = Kept(release=release, good=good, current=True)
        return replace(self, current=release.id, started=started, kept=(newest, *known))

    def retain(self, release: Release, *, good: bool, previous: str) -> Self:
        """The book after a success: of the good releases the newest ones stay, the others go."""
        marked = tuple(
            replace(item, good=item.good or good) if item.release.id == release.id else item
            for item in self.kept
        )
        spared = {release.id, previous}
        others = [item.release.id for item in marked if item.good and item.release.id not in spared]
        stay = spared | set(others[:KEEP])
        return replace(self, kept=tuple(item for item in marked if item.release.id in stay))

    def release(self, release_id: str) -> Release | None:
        """A kept release by its id."""
        return next((item.release for item in self.kept if item.release.id == release_id), None)


def _started(item: Mapping[str, Any]) -> Started:
    return Started(
        process=Process(pid=item["pid"], started=item["started"]),
        release_id=item["release_id"],
        at=item["at"],
    )
