"""The failure packet as folded Markdown: how each service was, and its last words."""

from typing import Final

from ci_lib.domain.outcome import Logs, Packet
from ci_lib.domain.text import block, markdown, tail
from ci_lib.report.markdown import details, fence

LINES: Final = 200
"""Log lines shown per service; the evidence holds more."""

_ROOM: Final = 600 * 1024
_ROOM_EACH: Final = 60 * 1024
_FOLDS: Final = 100


def packet(found: Packet | None) -> str:
    """One fold a service and one for the disk; empty when nothing was collected."""
    if found is None:
        return ""
    shown = found.services[:_FOLDS]
    room = min(_ROOM_EACH, _ROOM // max(1, len(shown)))
    folds = [_service(logs, room) for logs in shown]
    if len(found.services) > _FOLDS:
        folds.append(f"…and {len(found.services) - _FOLDS} more services: see the evidence.\n")
    if found.disk.strip():
        folds.append(details("Disk", fence(found.disk)))
    return "\n".join(fold for fold in folds if fold)


def _service(logs: Logs, room: int) -> str:
    """Health and log share the room evenly."""
    parts = [
        f"{name}\n\n{fence(_tail(text, room // 2))}"
        for name, text in (("Health check:", logs.health), ("Last log lines:", logs.lines))
        if text.strip()
    ]
    title = f"Service {markdown(logs.service)}" + (f": {markdown(logs.state)}" if logs.state else "")
    return details(title, "\n".join(parts)) or f"{title}\n"


def _tail(text: str, room: int) -> str:
    """Cut, then escape, which makes text longer, then cut what that added."""
    return tail(block(tail(text, lines=LINES, size=room)), lines=LINES + 1, size=room)
