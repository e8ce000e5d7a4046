"""Alembic: revisions in the database's table ``alembic_version``, heads in the image's scripts.

``alembic heads`` and ``alembic current`` print a line for each revision: its name, then words in brackets
(``0002 (head)``); what the scripts do not know ends ``current`` with "Can't locate revision". Logging goes to
standard error, and says there whether the database can take DDL back, if the project logs at INFO. Source:
alembic.command, alembic.runtime.migration and alembic.util.messaging, 1.7 to 1.20.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ci_lib.domain.schema import Ahead, Argv, Schema, Unreadable
from ci_lib.migrations.words import reason
from ci_lib.ports.protocols import Ran

_REVISION = re.compile(r"([^\s()]+)(?: \([^)]*\))*")
_RUNNING = re.compile(r"Running (?:up|down)grade .*-> ?([^\s,]*),? ?(.*)")
_TRANSACTIONS = re.compile(r"Will assume (non-)?transactional DDL")
_UNKNOWN = re.compile(r"Can't locate revision identified by '([^']*)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alembic:
    """``MigrationTool``; ``program`` is what is called, such as ``("uv", "run", "alembic")``."""

    program: Argv = ("alembic",)
    name: str = "alembic"

    def questions(self) -> tuple[Argv, ...]:
        """The heads of the scripts, and the revisions of the database."""
        return ((*self.program, "heads"), (*self.program, "current"))

    def read(self, answers: tuple[Ran, ...]) -> Schema:
        """Both as they are printed; what is pending is told by the heads alone."""
        heads, current = (_revisions(answer) for answer in answers)
        told = _TRANSACTIONS.search(answers[1].stdout + answers[1].stderr)
        return Schema(
            current=current,
            heads=heads,
            pending=tuple(head for head in heads if head not in current),
            whole=not told[1] if told else None,
        )

    def apply(self) -> Argv:
        """Up to the one head; Alembic itself refuses several."""
        return (*self.program, "upgrade", "head")

    def down(self, to: tuple[str, ...]) -> tuple[Argv, Mapping[str, str]]:
        """Down to a revision, or to the very beginning."""
        return (*self.program, "downgrade", to[0] if to else "base"), {}

    def blamed(self, ran: Ran) -> str:
        """The revision that was announced last."""
        found = _RUNNING.findall(ran.stdout + "\n" + ran.stderr)
        return " ".join(part for part in found[-1] if part) if found else ""


def _revisions(ran: Ran) -> tuple[str, ...]:
    if unknown := _UNKNOWN.search(ran.stdout + ran.stderr):
        raise Ahead(
            f"the database is at revision {unknown[1]}, which this image does not know",
            hint="a newer release was migrated here: deploy an image that has that revision, or `rollback`, "
            "or declare `compatible: true` if each release works on the schema of the next",
        )
    if not ran.ok:
        raise Unreadable(reason(ran))
    lines = [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    found = [_REVISION.fullmatch(line) for line in lines]
    if strange := [line for line, match in zip(lines, found, strict=True) if match is None]:
        raise Unreadable(f"{strange[0][:80]!r} is not a revision, as alembic prints it")
    return tuple(sorted(match[1] for match in found if match))
