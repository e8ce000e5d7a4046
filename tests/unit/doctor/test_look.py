"""What a fault says of what was looked at: that it lacks something, or nothing at all."""

import pytest

from ci_lib.doctor.look import Untold, look_at
from ci_lib.domain.doctor import Seen, Standing
from ci_lib.domain.errors import ConfigFault, DeployError, Refusal, StepFault
from ci_lib.domain.forge import ForgeFault
from ci_lib.domain.reasons import Reason
from ci_lib.images.fetch import Denied, NotLoggedIn
from ci_lib.ports.protocols import TimedOut, UnknownHostKey, Unreachable

MISSING, UNKNOWN = Standing.MISSING, Standing.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "standing"),
    [
        (Untold("said"), UNKNOWN),
        (ForgeFault("said"), UNKNOWN),
        (Unreachable("said"), UNKNOWN),
        (TimedOut("said"), UNKNOWN),
        (Refusal("said", reason=Reason.CANNOT_DECIDE), UNKNOWN),
        (DeployError("said", reason=Reason.REGISTRY), UNKNOWN),
        (ValueError("said"), UNKNOWN),
        (UnknownHostKey("said"), MISSING),
        (ConfigFault("said"), MISSING),
        (StepFault("said"), MISSING),
        (Denied("said"), MISSING),
        (NotLoggedIn("said"), MISSING),
    ],
)
def test_what_refuses_is_missing_and_what_gives_no_answer_is_unknown(
    fault: Exception, standing: Standing
) -> None:
    def look() -> Seen:
        raise fault

    row = look_at("registry", "answers", look)
    assert (row.name, row.wanted, row.seen.standing) == ("registry", "answers", standing)
    assert "said" in row.seen.value


def test_the_hint_of_a_fault_comes_along() -> None:
    def look() -> Seen:
        raise Denied("refused", hint="log in")

    assert look_at("registry", "answers", look).seen.hint == "log in"


def test_who_is_cancelled_is_cancelled() -> None:
    def look() -> Seen:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_at("registry", "answers", look)
