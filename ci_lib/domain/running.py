"""What a target reports about what runs now."""

from dataclasses import dataclass
from enum import StrEnum

from ci_lib.domain.images import KEPT, Image


class Health(StrEnum):
    """How a workload is. ``NONE``: it runs and has no health check of its own."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NONE = "none"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One instance (container, process, pod) of a workload (service).

    ``image_ids`` are all names its image is known by: ``repository@digest`` pairs, and the image's own id.
    ``started_at`` is the target's own text and is only ever compared for equality, except by the target.
    """

    workload: str
    instance: str
    host: str
    image_ids: tuple[str, ...]
    health: Health
    started_at: str
    restarts: int = 0
    release_id: str = ""
    exit_code: int | None = None
    age: float = 0.0

    @property
    def serving(self) -> bool:
        """Whether it runs and no health check says otherwise."""
        return self.health in (Health.HEALTHY, Health.NONE)

    @property
    def identity(self) -> tuple[str, str, int, bool]:
        """What must not change while checks run: a restart in between would make them worthless."""
        return (self.instance, self.started_at, self.restarts, self.health is Health.EXITED)

    def runs(self, image: Image) -> bool:
        """Whether this instance runs exactly that image, from exactly that repository.

        An image adopted without a registry is known by its id alone.
        """
        if image.repository.startswith(KEPT):
            return image.digest in self.image_ids
        return image.pinned in self.image_ids
