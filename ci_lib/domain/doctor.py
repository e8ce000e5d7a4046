"""What ``doctor`` finds: one row for each thing that safe releases need."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ci_lib.domain.reasons import Exit


class Standing(StrEnum):
    """How it stands with what is needed. WEAK: there, and could be better; UNKNOWN: no answer."""

    OK = "ok"
    WEAK = "weak"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look has shown: ``value`` in words, and in ``hint`` what to do about it."""

    standing: Standing
    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is needed: ``wanted`` says what, ``seen`` how it stands."""

    name: str
    wanted: str
    seen: Seen

    def as_json(self) -> dict[str, str]:
        """The form that ``--json`` prints."""
        return {
            "name": self.name,
            "standing": str(self.seen.standing),
            "value": self.seen.value,
            "wanted": self.wanted,
            "hint": self.seen.hint,
        }


def verdict(rows: Iterable[Row]) -> Exit:
    """CHECK_FAILED where something is missing, CANNOT_DECIDE where no more than answers are."""
    found = {row.seen.standing for row in rows}
    if Standing.MISSING in found:
        return Exit.CHECK_FAILED
    return Exit.CANNOT_DECIDE if Standing.UNKNOWN in found else Exit.OK


def ok(value: str) -> Seen:
    """It is as it should be."""
    return Seen(standing=Standing.OK, value=value)


def weak(value: str, hint: str = "") -> Seen:
    """It is there, and could be better."""
    return Seen(standing=Standing.WEAK, value=value, hint=hint)


def missing(value: str, hint: str = "") -> Seen:
    """It is not there, or not as it must be."""
    return Seen(standing=Standing.MISSING, value=value, hint=hint)


def unknown(value: str, hint: str = "") -> Seen:
    """Nobody gave an answer: that is never a pass."""
    return Seen(standing=Standing.UNKNOWN, value=value, hint=hint)
