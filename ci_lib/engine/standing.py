"""Whether a run could begin now: looked at without taking the lock."""

from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.engine.recover import unfinished
from ci_lib.engine.tools import Tools


def standing(tools: Tools) -> tuple[CheckResult, ...]:
    """Whether the lock is free and the last run came to its end."""
    held = tools.state.peek()
    # Under a lock that holds, an open journal belongs to a run that is at work.
    at_work = held is not None and not tools.ended(held.owner)
    open_run = not at_work and unfinished(tools.state.journal())
    return (
        CheckResult(
            name="lock",
            mark=Mark.FAILED if held else Mark.PASSED,
            value=f"held by {held.owner}" if held else "free",
            bound="free",
        ),
        CheckResult(
            name="last run",
            mark=Mark.FAILED if open_run else Mark.PASSED,
            value="interrupted; finalize or the next run clears up" if open_run else "came to its end",
            bound="came to its end",
        ),
    )
