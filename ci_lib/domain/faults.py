"""What went wrong outside, as a failure of the run."""

import traceback

from ci_lib.domain.errors import DeployError, StepFault
from ci_lib.domain.reasons import Reason
from ci_lib.ports.protocols import PortFault, UnknownHostKey


def as_fault(error: PortFault) -> DeployError:
    """A port's fault as a failure of the run."""
    if isinstance(error, UnknownHostKey):
        return StepFault(str(error), reason=Reason.HOST_KEY)
    return StepFault(str(error), reason=Reason.UNREACHABLE)


def fault_of(error: Exception) -> DeployError:
    """Any exception as a failure of the run; a defect of ours with the place where it showed."""
    if isinstance(error, DeployError):
        return error
    if isinstance(error, PortFault):
        return as_fault(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return StepFault(
        f"a defect of deploy-actions: {type(error).__name__}: {error}{place}",
        hint="please report it",
        reason=Reason.BUG,
    )
