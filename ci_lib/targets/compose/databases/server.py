"""What provisioning asks of a kind of database server: how it stands, and what has to change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ci_lib.domain.errors import StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it should be, and the SQL that sets it right.

    ``what`` tells it to people, as something done. ``database`` is whose row it belongs to, empty for the
    server as a whole; ``within`` is the database in which the SQL must run, empty for any.
    """

    database: str
    what: str
    sql: str = field(repr=False)
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How a server stands: what has to change, and what else is there that we leave alone."""

    changes: tuple[Change, ...]
    others: tuple[str, ...] = ()


Ask = Callable[[tuple[str, ...], str], Ran]
"""Run a command in the server's container, with this text on its standard input."""

Passwords = Mapping[str, str]
"""User → password."""


class Server(Protocol):
    """A database server, as its administrator sees it; one that does not answer raises ``StepFault``."""

    def look(self) -> Found:
        """How it stands now."""

    def change(self, change: Change) -> None:
        """Carry out one change."""


def failed(service: str, change: Change | None, said: str, *, hint: str) -> StepFault:
    """The fault for a server that did not do as it was told; ``hint`` is for one that cannot be looked at."""
    if change is None:
        return StepFault(f"{service}: {said}", hint=f"{hint}; then run again", reason=Reason.PROVISION)
    what = f"{change.database}: {change.what}" if change.database else change.what
    hint = "set that right on the server, and run again: what was done stays"
    return StepFault(f"{service}: {what}: {said}", hint=hint, reason=Reason.PROVISION)
