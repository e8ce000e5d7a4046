"""What may be asked of the service that CI runs belong to (GitHub, GitLab), as a protocol."""

from enum import StrEnum
from typing import Protocol


class RunState(StrEnum):
    """Whether the run that holds a lock still goes on."""

    ALIVE = "alive"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Forge(Protocol):
    """The service that CI runs belong to."""

    def run_state(self, owner: str) -> RunState:
        """Whether the run goes on that a lock's owner names, ``github:acme/shop/7/1/deploy@box-1`` for one.

        ENDED only where no step of that very attempt can run any more: the lock of a run that is said to have
        ended is taken over at once. UNKNOWN for an owner of another service, and whenever there is no answer;
        raises nothing. What stands in ``owner`` was read from a host, and may be any text.
        """
