"""The tables that ``history``, ``verified`` and ``keys`` print."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from ci_lib.domain.outcome import CheckResult
from ci_lib.domain.text import one_line

WIDEST = 60
"""Characters after which a cell is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One line of a stack's history; ``time`` as it is to be shown."""

    time: str
    environment: str
    verb: str
    version: str
    status: str
    actor: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRow:
    """One image that passed in an environment; ``digest`` may be short."""

    time: str
    environment: str
    image: str
    version: str
    digest: str
    actor: str = ""
    signed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key of the policy, and what it may speak for."""

    fingerprint: str
    verifier: str
    environments: str
    stacks: str
    since: str
    until: str
    state: str


def history(rows: Sequence[HistoryRow]) -> str:
    """The history, in the order given."""
    header = ("TIME", "ENVIRONMENT", "VERB", "VERSION", "STATUS", "ACTOR", "NOTE")
    return aligned(header, [astuple(row) for row in rows], none="Nothing has been recorded yet.")


def verified(rows: Sequence[VerifiedRow]) -> str:
    """What is verified, in the order given."""
    header = ("TIME", "ENVIRONMENT", "IMAGE", "VERSION", "DIGEST", "ACTOR", "SIGNED BY")
    return aligned(header, [astuple(row) for row in rows], none="Nothing is verified yet.")


def keys(rows: Sequence[KeyRow]) -> str:
    """The keys, in the order of the policy."""
    header = ("FINGERPRINT", "VERIFIER", "ENVIRONMENTS", "STACKS", "SINCE", "UNTIL", "STATE")
    none = "The policy names no key: verifications count without a signature."
    return aligned(header, [astuple(row) for row in rows], none=none)


def conditions(rows: Sequence[CheckResult]) -> str:
    """What the rule looked at, a line a condition; nothing without any."""
    cells = [(str(row.mark), row.name, row.value, row.bound) for row in rows]
    return aligned(("", "CONDITION", "FOUND", "WANTED"), cells, none="").lstrip("\n")


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, none: str) -> str:
    """Columns under a header, or the sentence ``none`` when there are no rows."""
    if not rows:
        return none + "\n"
    cells = [list(header), *([one_line(cell, WIDEST) or "-" for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "".join(f"{line.rstrip()}\n" for line in lines)
