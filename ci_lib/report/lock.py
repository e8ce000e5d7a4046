"""What ``lock status`` prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ci_lib.domain.forge import RunState
from ci_lib.domain.state import Lease
from ci_lib.domain.text import one_line

_SAID = {
    RunState.ALIVE: "alive: it is at work",
    RunState.ENDED: "ended: the next run takes the lock over at once",
    RunState.UNKNOWN: "cannot be told from here: look at that run",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow:
    """The lock of one stack and environment; ``held`` and ``run`` are None where it is free.

    ``journal`` is what the holder was doing, ``interrupted``: the newest run did not come to its end.
    """

    stack: str
    environment: str
    held: Lease | None
    run: RunState | None
    journal: str
    interrupted: bool

    def as_json(self) -> Mapping[str, Any]:
        """For machines; times in UTC, by the target's clock."""
        if self.held is None:
            return {"state": "free", "interrupted": self.interrupted}
        return {
            "state": "held",
            "owner": self.held.owner,
            "since": _time(self.held.since),
            "until": _time(self.held.until),
            "fence": self.held.fence,
            "run": str(self.run),
            "journal": self.journal,
        }


def lock(row: LockRow) -> str:
    """The same for people."""
    where = f"{row.stack} {row.environment}"
    if row.held is None or row.run is None:
        left = "the last run was interrupted: finalize or the next run clears up\n" if row.interrupted else ""
        return f"the lock of {where} is free\n{left}"
    lines = (
        f"the lock of {where} is held",
        f"owner:   {one_line(row.held.owner)}",
        f"since:   {_time(row.held.since) or 'not known'} (the target's clock)",
        f"until:   {_time(row.held.until)}, if it does not begin another step",
        f"fence:   {row.held.fence}",
        f"run:     {_SAID[row.run]}",
        f"journal: {one_line(row.journal)}",
    )
    return "".join(f"{line}\n" for line in lines)


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else ""
