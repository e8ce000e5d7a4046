"""One look: whatever goes wrong with it becomes its row, and hides no other."""

from collections.abc import Callable
from typing import Final

from ci_lib.domain.doctor import Row, Seen, missing, unknown
from ci_lib.domain.faults import fault_of
from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.reasons import Reason
from ci_lib.images.fetch import Denied, NotLoggedIn

_NO_ANSWER: Final = frozenset({Reason.UNREACHABLE, Reason.CANNOT_DECIDE, Reason.REGISTRY, Reason.BUG})
"""Reasons that say nothing of what was looked at: no answer, or none that makes sense."""


class Untold(Exception):
    """It cannot be looked at from here; ``hint`` says from where."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def look_at(name: str, wanted: str, look: Callable[[], Seen]) -> Row:
    """The row that ``look`` gives, or its fault."""
    try:
        seen = look()
    except Exception as error:  # the boundary of a row: a defect in one is told there, with its place
        seen = met(error)
    return Row(name=name, wanted=wanted, seen=seen)


def met(error: Exception) -> Seen:
    """What a fault says of what was looked at.

    What answers and refuses (a host with another key, a registry that denies the login) is missing; of what
    does not answer nothing is known.
    """
    if isinstance(error, Untold | ForgeFault):
        return unknown(str(error), error.hint)
    found = fault_of(error)
    silent = found.reason in _NO_ANSWER and not isinstance(found, Denied | NotLoggedIn)
    return (unknown if silent else missing)(found.message, found.hint)
