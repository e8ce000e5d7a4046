"""What ``rollback --list`` shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci_lib.domain.text import code, markdown
from ci_lib.report.history import aligned
from ci_lib.report.markdown import table


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRow:
    """One release that served here; ``state`` says whether a rollback could take it."""

    version: str
    release_id: str
    served: str
    state: str

    def as_json(self) -> dict[str, str]:
        """The form that ``--json`` prints."""
        return {
            "version": self.version,
            "release_id": self.release_id,
            "served": self.served,
            "state": self.state,
        }


def candidates(rows: Sequence[RollbackRow]) -> str:
    """The releases, in the order given."""
    cells = [(row.version, row.release_id[:12], row.served, row.state) for row in rows]
    return aligned(("VERSION", "RELEASE", "SERVED", "STATE"), cells, none="Nothing was ever deployed here.")


def candidates_page(stack: str, environment: str, rows: Sequence[RollbackRow]) -> str:
    """The same for the job summary; the rows must be masked already."""
    title = f"### What {markdown(stack)} {markdown(environment)} can go back to\n"
    cells = [(code(row.version), code(row.release_id[:12]), row.served, markdown(row.state)) for row in rows]
    shown = table(("Version", "Release", "Served", "State"), cells)
    return f"{title}\n{shown or 'Nothing was ever deployed here.'}"
