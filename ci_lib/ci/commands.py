"""The GitHub runner's protocol: workflow commands on standard output, and command files.

Source: ``ActionCommand.cs`` and ``FileCommandManager.cs`` of actions/runner. A line is a command when it
begins, after white space, with ``::``, or when ``##[`` stands *anywhere* in it; both are looked for with the
runner's language rules, to which some characters do not exist at all.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

_COMMAND_START: Final = re.compile(r"(?:\s|[^\x00-\x7f])*:[^\x00-\x7f]*:")
_OLD_COMMAND: Final = re.compile(r"#(?=[^\x00-\x7f]*#[^\x00-\x7f]*\[)")
_OUTPUT_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def harmless(text: str) -> str:
    """Lines of foreign text, changed just so far that none of them is a workflow command."""
    return "\n".join(_harmless_line(line) for line in text.split("\n"))


def _harmless_line(line: str) -> str:
    line = _OLD_COMMAND.sub("# ", line)
    return f"| {line}" if _COMMAND_START.match(line) else line


def command(name: str, data: str = "", properties: Mapping[str, str] | None = None) -> str:
    """A workflow command, without its line end."""
    listed = ",".join(f"{key}={_property(value)}" for key, value in (properties or {}).items() if value)
    return f"::{name} {listed}::{_data(data)}" if listed else f"::{name}::{_data(data)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def output(name: str, value: str, token: Callable[[], str]) -> bytes:
    """An entry for ``GITHUB_OUTPUT``; ``token`` makes delimiters, until one does not occur in the value."""
    if _OUTPUT_NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot be the name of an output")
    delimiter = token()
    while delimiter in value:
        delimiter = token()
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n".encode("utf-8", "backslashreplace")
