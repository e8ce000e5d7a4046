"""The line of a program's output that says why it failed."""

import re

from ci_lib.ports.protocols import Ran

_TELLING = re.compile(r"(?i)(?:[a-z_][\w.]*\.)?\w*(?:error|exception)\b.*:|failed:|fatal:")
_LONGEST = 400


def reason(ran: Ran) -> str:
    """The last line that begins like an error, else the last one: behind an error stand links and advice."""
    lines = [line.strip() for line in (ran.stdout + "\n" + ran.stderr).splitlines()]
    telling = [line for line in lines if _TELLING.match(line)]
    return (telling[-1] if telling else ran.said)[:_LONGEST]
