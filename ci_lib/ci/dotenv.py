"""GitLab's ``artifacts:reports:dotenv``: what a job hands to those that come after it.

Source: ``app/services/ci/parse_dotenv_artifact_service.rb`` and ``doc/ci/yaml/artifacts_reports.md`` of
GitLab. A line that cannot be read, or a file that is too large, loses *all* variables. Values are expanded
where they are used (``$NAME``, ``%NAME%``), and the documentation allows neither spaces nor quotes in them.
"""

import re
from collections.abc import Mapping
from typing import Final

LIMIT: Final = 5 * 1024
"""Bytes; the file must be smaller. An administrator may have set another limit."""

PREFIX: Final = "DEPLOY_"

_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@+,=~-]*")


def dotenv(values: Mapping[str, str], *, limit: int = LIMIT) -> tuple[bytes, tuple[str, ...]]:
    """The file that holds ``values`` (output name → value), and the variables that it could not carry.

    Those are there too, but empty: a variable that is missing could come from an earlier job. What is given
    first is kept first when the room is not enough. Raises ``ValueError`` for a name that is none.
    """
    lines = {variable(name): "" for name in values}
    room = limit - 1 - sum(len(name) + len("=\n") for name in lines)
    lost: list[str] = []
    for name, value in values.items():
        if _PLAIN.fullmatch(value) is None or len(value) > room:
            lost.append(variable(name))
            continue
        lines[variable(name)] = value
        room -= len(value)
    return "".join(f"{name}={value}\n" for name, value in lines.items()).encode(), tuple(lost)


def variable(output: str) -> str:
    """The variable that holds an output: ``DEPLOY_REASON_CODE`` for ``reason-code``."""
    if _NAME.fullmatch(output) is None:
        raise ValueError(f"{output!r} cannot be the name of an output")
    return PREFIX + output.upper().replace("-", "_")
