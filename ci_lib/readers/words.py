"""What is taken from a report into findings and test cases: texts that can do no harm, places, numbers."""

from typing import Final

from ci_lib.domain.gate import Spot
from ci_lib.domain.text import block, one_line

_MESSAGE: Final = 2000
_LABEL: Final = 500
_PATH: Final = 1000


def message(text: object) -> str:
    """A foreign text of several lines, without control characters but line feed and tab; empty if no text."""
    if not isinstance(text, str):
        return ""
    shown = block(text.strip()[: _MESSAGE + 1])
    return shown if len(shown) <= _MESSAGE else shown[: _MESSAGE - 1] + "…"


def label(text: object) -> str:
    """A foreign name on one line; empty if it is no text."""
    return one_line(text.strip(), _LABEL) if isinstance(text, str) else ""


def spot(path: object, line: object = 0) -> Spot | None:
    """The place that a report names; None without a path that can be shown as it is.

    The path is as the report has it: relative to where the tool ran, or absolute.
    """
    if not isinstance(path, str) or not path or one_line(path, _PATH) != path:
        return None
    return Spot(path=path, line=whole(line) or 0)


def whole(value: object) -> int | None:
    """A number that is not negative, given as such or in decimal digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 15:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**15:
        return value
    return None
