"""What ``doctor`` prints."""

from collections.abc import Sequence
from typing import Final

from ci_lib.domain.doctor import Row, Standing
from ci_lib.domain.text import one_line

_WORDS: Final = {
    Standing.OK: "ok",
    Standing.WEAK: "weak",
    Standing.MISSING: "MISSING",
    Standing.UNKNOWN: "UNKNOWN",
}
_WIDTH: Final = max(map(len, _WORDS.values()))


def doctor(rows: Sequence[Row]) -> str:
    """A line for each row; below it what is wanted where that is not there, and once what to do."""
    told: set[str] = set()
    lines = [line for row in rows for line in _lines(row, told)]
    return "".join(f"{line}\n" for line in (*lines, "", _sum(rows)))


def _lines(row: Row, told: set[str]) -> list[str]:
    seen = row.seen
    lines = [f"{_WORDS[seen.standing]:<{_WIDTH}}  {one_line(row.name, 120)}: {one_line(seen.value, 600)}"]
    if seen.standing is not Standing.OK:
        indent = " " * (_WIDTH + 4)
        lines.append(f"{indent}wanted: {one_line(row.wanted)}")
        if seen.hint and seen.hint not in told:
            lines.append(f"{indent}next: {one_line(seen.hint, 600)}")
            told.add(seen.hint)
    return lines


def _sum(rows: Sequence[Row]) -> str:
    counts = {standing: sum(row.seen.standing is standing for row in rows) for standing in Standing}
    found = [f"{counts[standing]} {standing}" for standing in reversed(Standing) if counts[standing]]
    return f"{len(rows)} looked at: {', '.join(found)}" if found else "nothing was looked at"
