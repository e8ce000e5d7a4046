"""The job log as GitLab reads it: its sections, and what a person sees.

After ``lib/gitlab/ci/ansi2json/converter.rb``: a marker counts anywhere in a line; of other escape sequences
those that colour are obeyed and the rest is dropped; a ``\\r`` drops what stands before it in the line.
"""

import re
from dataclasses import dataclass, field

MARKER = re.compile(
    r"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)(\[(?:\w+=\w+)(?:, ?(?:\w+=\w+))*\])?\r\x1b\[0K"
)
_SEQUENCE = re.compile(r"\x1b([@-_])(.*?)([@-~])")


@dataclass
class Read:
    """Lines as (names of the open sections, text); every section's name and options, in order."""

    lines: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    started: list[tuple[str, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)

    def outside(self) -> list[str]:
        """What is seen although every section is folded."""
        return [text for inside, text in self.lines if not inside]


def read(log: str) -> Read:
    found = Read()
    for line in log.split("\n"):
        _line(line, found)
    return found


def _line(line: str, found: Read) -> None:
    shown, at = "", 0
    while at < len(line):
        if marker := MARKER.match(line, at):
            shown = _marker(marker, shown, found)
            at = marker.end()
        elif sequence := _SEQUENCE.match(line, at):
            at = sequence.end()
        elif line[at] == "\r":
            shown, at = "", at + 1
        else:
            shown, at = shown + line[at], at + 1
    if shown:
        found.lines.append((tuple(found.open), shown))


def _marker(marker: re.Match[str], shown: str, found: Read) -> str:
    kind, name = marker[1], marker[3]
    if shown:
        found.lines.append((tuple(found.open), shown))
    if kind == "start":
        found.started.append((name, marker[4] or ""))
        found.open.append(name)
    elif name in found.open:
        found.open.remove(name)
    return ""
