"""Several hosts of one environment, a row each; nothing where there is one."""

from ci_lib.domain.outcome import HostResult
from ci_lib.domain.reasons import Status
from ci_lib.domain.text import code, markdown
from ci_lib.report.facts import short
from ci_lib.report.markdown import table
from ci_lib.report.verdict import ICONS


def hosts(rows: tuple[HostResult, ...]) -> str:
    """What serves on each host, and why it is not what was asked for."""
    return table(
        ("", "Host", "Status", "Serves", "Digest", "Why"),
        [
            (
                ICONS[row.status],
                code(row.name),
                markdown(row.status.replace("_", " ")),
                _serves(row),
                code(short(row.digest or row.release_id)),
                markdown(row.note, 1000),
            )
            for row in rows
        ],
    )


def _serves(row: HostResult) -> str:
    if row.version:
        return code(row.version)
    return "not known" if row.status in (Status.PARTIAL, Status.UNKNOWN) else "nothing"


def host_line(row: HostResult) -> str:
    """The same for a terminal."""
    known = row.version or ("not known" if row.status in (Status.PARTIAL, Status.UNKNOWN) else "nothing")
    return f"{row.name} {row.status}: {known}" + (f"; {row.note}" if row.note else "")
