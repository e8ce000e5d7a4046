"""When a check of a commit counts as passed."""

import pytest

from ci_lib.checks.commit_checks import commit_checks
from ci_lib.domain.forge import CheckState, CommitCheck
from ci_lib.domain.outcome import Mark

COMMIT = "a" * 40


@pytest.mark.parametrize(
    ("states", "mark", "value"),
    [
        (["passed"], Mark.PASSED, "passed"),
        (["passed", "passed"], Mark.PASSED, "passed"),
        (["failed"], Mark.FAILED, "failed"),
        (["running"], Mark.FAILED, "not over yet"),
        (["skipped"], Mark.FAILED, "skipped, which proves nothing"),
        (["passed", "skipped"], Mark.FAILED, "skipped, which proves nothing"),
        (["running", "passed", "failed"], Mark.FAILED, "failed"),
        ([], Mark.FAILED, "no such check"),
    ],
)
def test_all_checks_of_the_name_have_to_have_passed(states: list[str], mark: Mark, value: str) -> None:
    others = CommitCheck(name="Gate (2)", state=CheckState.PASSED)
    found = [others, *(CommitCheck(name="Gate", state=CheckState(state)) for state in states)]
    (row,) = commit_checks(["Gate"], COMMIT, found)
    assert (row.name, row.mark, row.value, row.bound) == (
        "commit check Gate",
        mark,
        f"{value} for {COMMIT[:12]}",
        "passed",
    )


def test_a_hostile_name_stays_on_its_line() -> None:
    (row,) = commit_checks(["x\n::error::y"], COMMIT, [])
    assert "\n" not in row.name
