"""What launchers print when what they shall start is not there: their exit code alone does not tell.

``python -m mypy`` ends with 1 where mypy is missing, and where it found a mistake; ``uv run ruff`` with 2
where ruff is missing, and where ruff's command line is wrong.
"""

import re
from collections.abc import Sequence

_NOT_STARTED = (126, 127)
"""What a shell says of a program that cannot be started, or is not there."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Each names what is missing, which must be a word of the command: a test may print such lines as well.
_MISSING = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:.*/)?(?:python|pypy)[0-9.]*: No module named (\S+)",
        r"error: Failed to spawn: `?([^`\s]+)`?",  # uv; older ones write it in backticks
        r"ERR_PNPM_NO_SCRIPT Missing script: (\S+)",
        r'ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL Command "(.+)" not found',
        r'npm (?:error|ERR!) Missing script: "(.+)"',
    )
)

_SHELL = re.compile(r"(?:.*/)?(?:ba|da)?sh: (?:line )?\d+: .+: (?:(?:command )?not found|Permission denied)")
"""The shell of a script in package.json."""
_PNPM = re.compile(r"ELIFECYCLE (?:Command failed\.|Test failed\. See above for more details\.)")
"""pnpm turns exit code 127 of that shell into 1, and prints this right after the shell's line."""


class Listener:
    """Listens to a command's lines for why it could not do its work.

    ``texts`` are the job's own signs of that: parts of lines.
    """

    def __init__(self, argv: Sequence[str], texts: Sequence[str] = ()) -> None:
        self._argv = argv
        self._texts = [_plain(text) for text in texts]
        self._before = self._shell = self._reason = ""

    def hear(self, line: str) -> None:
        """Take the next line of standard output or standard error."""
        line = _plain(line)
        if _SHELL.fullmatch(line):
            self._shell = line
        if not self._reason:
            self._reason = self._found(line)
        self._before = line or self._before

    def reason(self, code: int) -> str:
        """Why the command, which ended with ``code``, could not run; empty when it could."""
        if code == 0:
            return ""
        if code in _NOT_STARTED:
            return self._shell or self._reason or f"{self._argv[0]} cannot be started"
        return self._reason

    def _found(self, line: str) -> str:
        """The reason, if this line tells one."""
        if any(text in line for text in self._texts):
            return line
        if self._before == self._shell and _PNPM.fullmatch(line):
            return self._shell
        found = (pattern.fullmatch(line) for pattern in _MISSING)
        return line if any(match is not None and match[1] in self._argv for match in found) else ""


def _plain(line: str) -> str:
    """A line without colours, and with single spaces: pnpm writes some that cannot be broken."""
    return " ".join(_COLOUR.sub("", line).split())
