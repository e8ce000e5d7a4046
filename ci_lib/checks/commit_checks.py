"""Whether checks of a commit have passed, by what the forge says of them. Pure: its answer is handed in."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ci_lib.domain.forge import CheckState, CommitCheck
from ci_lib.domain.outcome import CheckResult, Mark
from ci_lib.domain.text import one_line

_WORST_FIRST: Final = (CheckState.FAILED, CheckState.RUNNING, CheckState.SKIPPED, CheckState.PASSED)
_SAID: Final = {
    CheckState.FAILED: "failed",
    CheckState.RUNNING: "not over yet",
    CheckState.SKIPPED: "skipped, which proves nothing",
    CheckState.PASSED: "passed",
}


def commit_checks(
    names: Iterable[str], commit: str, found: Sequence[CommitCheck]
) -> Iterator[CheckResult]:
    """A row for each name. Of several checks of one name each has to have passed."""
    for name in names:
        states = {check.state for check in found if check.name == name}
        worst = next((state for state in _WORST_FIRST if state in states), None)
        yield CheckResult(
            name=one_line(f"commit check {name}", 100),
            mark=Mark.PASSED if worst is CheckState.PASSED else Mark.FAILED,
            value=f"{_SAID[worst] if worst else 'no such check'} for {commit[:12]}",
            bound="passed",
        )
