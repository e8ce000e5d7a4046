"""What a deploy would do, as somebody is asked to approve it."""

from dataclasses import dataclass
from typing import Any

from ci_lib.domain.differences import Differences
from ci_lib.domain.images import Image, Release
from ci_lib.domain.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """One managed service: ``old`` is what it runs by the release that serves, None where it is new.

    ``strange``: an instance of it runs another image than that release says.
    """

    service: str
    old: Image | None
    new: Image
    strange: bool = False

    @property
    def changed(self) -> bool:
        """Whether it gets another image."""
        return self.old is None or self.strange or self.old.pinned != self.new.pinned

    def as_json(self) -> dict[str, Any]:
        """The form that ``plan --json`` prints."""
        return {
            "service": self.service,
            "image": self.new.name,
            "old_digest": self.old.digest if self.old else "",
            "new_digest": self.new.digest,
            "changed": self.changed,
            "runs_another_image": self.strange,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaOutlook:
    """What the records know of the schema. None: they do not know, and the tool is asked when it runs.

    ``now`` are the revisions that the environment's database is at, ``then`` those that the image was seen to
    lead to, here or where this environment requires it.
    """

    tool: str
    now: tuple[str, ...] | None
    then: tuple[str, ...] | None

    def as_json(self) -> dict[str, Any]:
        """The form that ``plan --json`` prints."""
        return {
            "tool": self.tool,
            "now": None if self.now is None else list(self.now),
            "then": None if self.then is None else list(self.then),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The whole plan with what a person wants to know of it.

    ``services`` are the managed services that the run touches. ``down`` are the services that do not answer
    while they are replaced, for at most ``down_for`` seconds, and as long again if it has to come back.
    ``hash`` is what ``deploy --plan-hash`` takes.
    """

    stack: str
    environment: str
    hosts: tuple[str, ...]
    release: Release
    previous: Release | None
    unchanged: bool
    services: tuple[ServiceChange, ...]
    differences: Differences
    schema: SchemaOutlook | None
    down: tuple[str, ...]
    down_for: float
    steps: Plan
    hash: str

    def as_json(self) -> dict[str, Any]:
        """The form that ``plan --json`` prints."""
        return {
            "plan_hash": self.hash,
            "stack": self.stack,
            "environment": self.environment,
            "hosts": list(self.hosts),
            "release": self.release.as_json(),
            "previous": self.previous.as_json() if self.previous else None,
            "unchanged": self.unchanged,
            "services": [item.as_json() for item in self.services],
            "differences": self.differences.as_json(),
            "schema": self.schema.as_json() if self.schema else None,
            "interruption": {"services": list(self.down), "at_most": self.down_for},
            "steps": [step.as_json() for step in self.steps],
        }
