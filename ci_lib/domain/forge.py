"""What may be asked of the service that CI runs belong to (GitHub, GitLab), as a protocol."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class RunState(StrEnum):
    """Whether the run that holds a lock still goes on."""

    ALIVE = "alive"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One person has let this very run go on into an environment.

    ``since`` is a moment, in UTC, before which it was surely not given: a forge need not say when it was.
    ``where`` is the URL at which people see it.
    """

    reviewer: str
    since: datetime
    where: str


class ForgeFault(Exception):
    """The forge gives no answer, or one that cannot be used; the message says which and why."""


class Forge(Protocol):
    """The service that CI runs belong to."""

    def run_state(self, owner: str) -> RunState:
        """Whether the run goes on that a lock's owner names, ``github:acme/shop/7/1/deploy@box-1`` for one.

        ENDED only where no step of that very attempt can run any more: the lock of a run that is said to have
        ended is taken over at once. UNKNOWN for an owner of another service, and whenever there is no answer;
        raises nothing. What stands in ``owner`` was read from a host, and may be any text.
        """

    def reviews(self, environment: str) -> tuple[Review, ...]:
        """Who has approved that this run enters an environment, which the forge knows by the same name.

        Who rejected it, or has not answered, is left out. Raises ``ForgeFault``.
        """
