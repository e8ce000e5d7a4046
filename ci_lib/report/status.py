"""The table that ``status`` prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci_lib.report.facts import short
from ci_lib.report.history import aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One instance: a container or a process; ``proof`` says whether it runs the recorded image.

    ``host`` is empty where the environment has one host.
    """

    service: str
    instance: str
    health: str
    restarts: int
    image: str
    proof: str
    host: str = ""

    def as_json(self) -> dict[str, str | int]:
        """The form that ``--json`` prints."""
        return {
            "service": self.service,
            "instance": self.instance,
            "health": self.health,
            "restarts": self.restarts,
            "image": self.image,
            "proof": self.proof,
            **({"host": self.host} if self.host else {}),
        }


def status(rows: Sequence[StatusRow]) -> str:
    """The instances, in the order given."""
    several = any(row.host for row in rows)
    header: tuple[str, ...] = ("SERVICE", "INSTANCE", "HEALTH", "RESTARTS", "PROOF", "IMAGE")
    cells = [
        (
            *((row.host,) if several else ()),
            *(row.service, row.instance[:12], row.health, str(row.restarts), row.proof, _short(row.image)),
        )
        for row in rows
    ]
    header = ("HOST", *header) if several else header
    return aligned(header, cells, none="Nothing runs.")


def _short(image: str) -> str:
    """``repository@`` and twelve digits: the whole digest would be cut off at its end."""
    repository, at, digest = image.rpartition("@")
    return f"{repository}{at}{short(digest)}"
