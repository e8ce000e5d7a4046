"""Where a test failed, from the text that its runner printed: most reports do not say it in attributes."""

import re
from typing import Final

from ci_lib.domain.gate import Spot
from ci_lib.readers.words import spot

_READ: Final = 20_000
"""Characters that are looked through."""

_PLACE: Final = re.compile(
    r"^(?P<python>[^\s:]+\.py):(?P<python_line>\d+):"  # pytest
    r"|(?:❯ |at |\()(?:file://)?(?P<script>[^\s:()]+\.[cm]?[jt]sx?):(?P<script_line>\d+):\d+",  # V8, vitest
    re.MULTILINE,
)
_FOREIGN: Final = re.compile(r"(?:^|/)(?:node_modules|site-packages|dist-packages|lib/python[\d.]+)/")


def spot_in(text: str) -> Spot | None:
    """The first place that is named and belongs to the project; None when there is none."""
    for found in _PLACE.finditer(text[:_READ]):
        path = found["python"] or found["script"]
        if not _FOREIGN.search(path):
            return spot(path, found["python_line"] or found["script_line"])
    return None
