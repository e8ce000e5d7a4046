"""The team's own migration program.

Its status command prints one JSON object on standard output: ``current`` and ``heads``, lists of revisions,
and optionally ``pending`` (a list; else the heads that are not current), ``dirty`` (true: a migration was
applied in part) and ``transactional`` (false: a part of one may stay without showing here).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_lib.domain.schema import Argv, Schema, Unreadable
from ci_lib.migrations.words import reason
from ci_lib.ports.protocols import Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``MigrationTool`` of three commands."""

    status: Argv
    applying: Argv
    going_down: Argv = ()
    name: str = "command"

    def questions(self) -> tuple[Argv, ...]:
        """The status command."""
        return (self.status,)

    def read(self, answers: tuple[Ran, ...]) -> Schema:
        """What it printed."""
        (answer,) = answers
        if not answer.ok:
            raise Unreadable(reason(answer))
        try:
            data: Any = json.loads(answer.stdout)
            dirty = data.get("dirty", False)
            current, heads = _names(data["current"]), _names(data["heads"])
            pending = _names(data.get("pending", [head for head in heads if head not in current]))
            whole = data.get("transactional", True) is True
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Unreadable(
                f"{self.status[0]} printed no status",
                hint='print {"current": ["1"], "heads": ["2"]} on standard output, and nothing else',
            ) from None
        if dirty is not False:
            raise Unreadable(f"{self.status[0]} says that a migration was applied in part")
        return Schema(current=current, heads=heads, pending=pending, whole=whole)

    def apply(self) -> Argv:
        """The team's command."""
        return self.applying

    def down(self, to: tuple[str, ...]) -> tuple[Argv, Mapping[str, str]]:
        """The team's command, which reads where to go from a variable."""
        return self.going_down, {"DEPLOY_SCHEMA_TO": " ".join(to)}

    def blamed(self, ran: Ran) -> str:
        """Nothing is known of its output."""
        del ran
        return ""


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise TypeError("not a list of names")
    return tuple(value)
