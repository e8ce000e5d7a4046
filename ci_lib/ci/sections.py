r"""The GitLab job log: sections that fold, and colours.

Source: ``lib/gitlab/ci/ansi2json/converter.rb`` and ``build_trace_section_regex`` of GitLab. A section
begins and ends with a marker, ``section_start:<unix time>:<name>`` or ``section_end:…``, which counts
*anywhere* in a line when ``\r\x1b[0K`` follows it; an end of a section that is not open is ignored. Of
other escape sequences GitLab obeys those that colour, and a ``\r`` drops what stands before it in the line.
"""

import re
from typing import Final

from ci_lib.domain.outcome import Mark

_MARKER: Final = re.compile(r"(section_(?:start|end)):")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_ENDS: Final = "\r\x1b[0K"
_COLOURS: Final = {Mark.PASSED: "32", Mark.FAILED: "31", Mark.WARNED: "33", Mark.SKIPPED: "2"}


def harmless(text: str) -> str:
    """Foreign text, its control characters escaped already, changed just so far that it holds no marker."""
    return _MARKER.sub(r"\1 :", text)


def section_start(name: str, title: str, *, at: int, collapsed: bool) -> str:
    """The line that begins a section, without its end; ``at`` is the time in seconds since 1970.

    Raises ``ValueError`` for a name that GitLab would not take for one.
    """
    folded = "[collapsed=true]" if collapsed else ""
    return f"\x1b[0Ksection_start:{at}:{_checked(name)}{folded}{_ENDS}{title}"


def section_end(name: str, *, at: int) -> str:
    """The line that ends the section of that name; see ``section_start``."""
    return f"\x1b[0Ksection_end:{at}:{_checked(name)}{_ENDS}"


def paint(text: str, mark: Mark) -> str:
    """``text`` in the colour of ``mark``."""
    return f"\x1b[{_COLOURS[mark]}m{text}\x1b[0m"


def _checked(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be the name of a section")
    return name
