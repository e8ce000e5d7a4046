"""The table that ``status`` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci_lib.report.facts import short
from ci_lib.report.history import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One instance: a container or a process; ``proof`` says whether it runs the recorded image."""

    service: str
    instance: str
    health: str
    restarts: int
    image: str
    proof: str

    def as_json(self) -> dict[str, str | int]:
        """The form that ``--json`` prints."""
        return {
            "service": self.service,
            "instance": self.instance,
            "health": self.health,
            "restarts": self.restarts,
            "image": self.image,
            "proof": self.proof,
        }


def status(rows: Sequence[StatusRow]) -> str:
    """The instances, in the order given."""
    header = ("SERVICE", "INSTANCE", "HEALTH", "RESTARTS", "PROOF", "IMAGE")
    cells = [
        (row.service, row.instance[:12], row.health, str(row.restarts), row.proof, _short(row.image))
        for row in rows
    ]
    return aligned(header, cells, none="Nothing runs.")


def _short(image: str) -> str:
    """``repository@`` and twelve digits: the whole digest would be cut off at its end."""
    repository, at, digest = image.rpartition("@")
    return f"{repository}{at}{short(digest)}"
