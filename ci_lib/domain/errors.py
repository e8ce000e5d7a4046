"""The one error tree. Each error carries what failed, the likeliest reason and what to do next."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ci_lib.domain.reasons import REASONS, Exit, Reason

if TYPE_CHECKING:  # which needs the errors of this module
    from ci_lib.domain.outcome import CheckResult


class DeployError(Exception):
    """Any failure that a user may cause or meet; shown without a traceback.

    ``message`` says what failed, with its value; ``hint`` what to do next; ``reason`` fixes the exit code.
    """

    def __init__(self, message: str, *, hint: str = "", reason: Reason) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reason = reason

    @property
    def exit(self) -> Exit:
        """The exit code that belongs to the reason."""
        return REASONS[self.reason][0]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as it is: an exception is otherwise made again from its message alone."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[DeployError], args: tuple[str, ...], parts: dict[str, Any]) -> DeployError:
    made = kind.__new__(kind, *args)
    made.__dict__.update(parts)
    return made


class UsageFault(DeployError):
    """The command line asks for something impossible."""

    def __init__(self, message: str, *, hint: str = "", reason: Reason = Reason.USAGE) -> None:
        super().__init__(message, hint=hint, reason=reason)


class ConfigFault(DeployError):
    """deploy.yml is missing or wrong; the message lists every mistake, a line each."""

    def __init__(self, message: str, *, hint: str = "", reason: Reason = Reason.CONFIG) -> None:
        super().__init__(message, hint=hint, reason=reason)


class StepFault(DeployError):
    """A step did not do its work; what that means for the run is for the engine to decide."""

    def __init__(self, message: str, *, hint: str = "", reason: Reason = Reason.STOPPED) -> None:
        super().__init__(message, hint=hint, reason=reason)


ELSEWHERE = frozenset({Reason.UNREACHABLE, Reason.HOST_KEY, Reason.STATE, Reason.BUG})
"""Reasons that say nothing about the release: it could not be looked at."""


class HostsFault(StepFault):
    """A step failed on some of an environment's hosts; ``faults`` tells of each of them why.

    Its reason is the first that speaks of the release, if there is one: that a host is gone as well must not
    hide that the release failed on another.
    """

    def __init__(self, faults: Mapping[str, DeployError]) -> None:
        every = sorted(faults.values(), key=lambda fault: fault.reason in ELSEWHERE)
        super().__init__(
            "; ".join(f"{host}: {fault.message}" for host, fault in faults.items()),
            hint="; ".join(dict.fromkeys(fault.hint for fault in every if fault.hint)),
            reason=every[0].reason,
        )
        self.faults = faults


class Refusal(DeployError):
    """A gate said no: not verified, cannot decide, policy, or another run holds the lock.

    ``rows`` are the conditions that were looked at, those that are met included.
    """

    def __init__(
        self, message: str, *, hint: str = "", reason: Reason, rows: "tuple[CheckResult, ...]" = ()
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.rows = rows


class TimeOver(BaseException):
    """The time for several things together is over.

    Not an ``Exception``: whatever of them just waits must not take it for a fault of its own, and go on.
    """


class Cancelled(BaseException):
    """SIGINT or SIGTERM arrived.

    Not an ``Exception``, as KeyboardInterrupt is not: no clean-up code may swallow it by accident.
    """
