"""Where a database's schema stands, what a migration made of it, and what the engine asks of a tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from ci_lib.ports.protocols import Ran

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """``current`` are the revisions that the database is at, ``heads`` those that the image leads to.

    ``pending`` names what is still to be applied. Revisions are the tool's own names. ``whole``: a migration
    that failed shows here, or was taken back in one piece; None where the tool does not tell.
    """

    current: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[str, ...] = ()
    whole: bool | None = field(default=True, compare=False)

    @property
    def label(self) -> str:
        """What people call it: the current revisions, or ``empty``."""
        return ", ".join(self.current) or "empty"

    def as_json(self) -> dict[str, Any]:
        """The form used in records, journal and evidence."""
        return {"current": list(self.current), "heads": list(self.heads), "pending": list(self.pending)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The reverse of ``as_json``."""
        return cls(
            current=tuple(data["current"]), heads=tuple(data["heads"]), pending=tuple(data["pending"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """What became of the schema in one run; ``after`` is None where it could not be read any more.

    ``backup`` says where the data from before lies, empty where no backup was made.
    """

    tool: str
    before: Schema
    after: Schema | None
    backup: str = ""

    @property
    def changed(self) -> bool:
        """Whether the schema is not, or may not be, what it was."""
        return self.after is None or self.after.current != self.before.current

    def as_json(self) -> dict[str, Any]:
        """The form used in records and evidence."""
        return {
            "tool": self.tool,
            "before": self.before.as_json(),
            "after": self.after.as_json() if self.after else None,
            "backup": self.backup,
        }


class Unreadable(Exception):
    """A tool's answer that does not tell where the schema stands; the text says why, ``hint`` what to do."""

    def __init__(self, text: str, *, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class Ahead(Unreadable):
    """The database has migrations that the image does not know: a newer release was here."""


class MigrationTool(Protocol):
    """A migration tool: its commands as data, and how their answers are read. Pure."""

    @property
    def name(self) -> str:
        """As deploy.yml spells it."""

    def questions(self) -> tuple[Argv, ...]:
        """The commands whose answers together tell where the schema stands; they change nothing."""

    def read(self, answers: tuple[Ran, ...]) -> Schema:
        """Where it stands; raises ``Unreadable``."""

    def apply(self) -> Argv:
        """The command that applies everything that is pending."""

    def down(self, to: tuple[str, ...]) -> tuple[Argv, Mapping[str, str]]:
        """The command that goes back to those revisions, and the variables it needs."""

    def blamed(self, ran: Ran) -> str:
        """Which migration failed, where the output tells; empty otherwise."""
