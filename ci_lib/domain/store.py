"""Where records are kept, as a protocol: a directory, or a branch of a git remote."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One line of a ledger.

    ``id`` is the SHA-256 of the body, ``source`` the line itself, without its line feed. Of a signed record
    ``payload`` are the bytes that ``signatures`` (``keyid``, ``sig`` in Base64) cover, ``statement`` is what
    they say, and ``body`` its context.
    """

    seq: int
    id: str
    body: Mapping[str, Any]
    source: bytes = b""
    payload: bytes = b""
    statement: Mapping[str, Any] = field(default_factory=dict)
    signatures: tuple[Mapping[str, str], ...] = ()

    @property
    def line(self) -> str:
        """The SHA-256 of the line, which the next one repeats as its ``prev``."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def raw(self) -> str:
        """The line's text."""
        return self.source.decode(errors="replace")

    def text(self, key: str) -> str:
        """A field of the body as text, empty when it is missing."""
        value = self.body.get(key, "")
        return value if isinstance(value, str) else ""


Still = Callable[[bytes], None]
"""Looks at a ledger that others have written to, and raises where records must not be added any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The text views as they are: the log that all stacks share, and what a stack's verified version is."""

    history: str = ""
    verified: str = ""


class Store(Protocol):
    """The ledger of every stack.

    Methods raise ``Refusal`` with CANNOT_DECIDE when the ledger is unreachable or damaged: absence of
    records and absence of an answer are never the same thing.
    """

    def read(self, stack: str) -> bytes:
        """All lines of a stack's ledger, each ended by a line feed; empty when it has none."""

    def append(
        self, stack: str, *bodies: Mapping[str, Any], still: Still | None = None
    ) -> tuple[Record, ...]:
        """Add records to the chain, durably and all of them or none, whoever else is writing.

        ``still`` is asked, with all lines, whether they are to be added to just these; what it raises is
        raised, and nothing added. It need not be asked where nobody but this object has written since it last
        read or wrote.
        """

    def publish(self, stack: str, *, history: tuple[str, ...], verified: str = "") -> None:
        """Bring the text views up to date: ``deploy-history.log`` and ``verified/<stack>.txt``.

        ``history`` are more lines for the first; ``verified`` is the version that the second is to name,
        empty to leave it alone.
        """

    def views(self, stack: str) -> Views:
        """The text views, empty where there are none."""


ReadLedger = Callable[[str], bytes]
"""``Store.read`` alone, for what only reads."""
