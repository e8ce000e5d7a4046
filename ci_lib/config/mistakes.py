"""Mistakes in a file: where they are, and the one error that lists them all."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ci_lib.config.text import clean, quoted
from ci_lib.domain.errors import ConfigFault

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the file, such as ``("stacks", "shop", "checks", 0)``."""
Lines = Mapping[Path, int]
"""Line of each key and list entry, counted from 1."""

_MOST = 50
"""Mistakes that one error lists: whoever has more needs no longer list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong. ``line`` wins over the line that ``path`` has in the file."""

    path: Path
    text: str
    line: int = 0


def dotted(path: Path) -> str:
    """``stacks.shop.checks[0].url``; keys that are no plain word stand in quotes."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            word = part if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", part) else quoted(part)
            shown += f".{word}" if shown else word
    return shown


def line_of(path: Path, lines: Lines) -> int:
    """The line of ``path``, or of the nearest thing around it that the file has."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


_HINT = "docs/reference/deploy-yml.md of deploy-actions describes every key"


def fault(
    mistakes: Iterable[Mistake], *, name: str, lines: Lines, hint: str = _HINT
) -> ConfigFault:
    """The error that lists all mistakes in the order of the file, each once."""
    found = {(one.line or line_of(one.path, lines), dotted(one.path), one.text) for one in mistakes}
    rows = [
        f"{clean(name, 200)}:{line}: {f'{path}: ' if path else ''}{text}"
        for line, path, text in sorted(found)
    ]
    if len(rows) > _MOST:
        rows[_MOST:] = [f"… and {len(rows) - _MOST} more"]
    return ConfigFault("\n".join(rows), hint=hint)
